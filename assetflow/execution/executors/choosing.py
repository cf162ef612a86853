"""From what a user asks for to an executor."""

from __future__ import annotations

from assetflow.errors import UsageError
from assetflow.execution.executors.inline import InlineExecutor
from assetflow.execution.task import ExecutorFactory


def executor_named(name: str | None, workers: int | None) -> ExecutorFactory:
    """What makes the executor of this name, with so many workers; None: inline. Raises UsageError."""
    if name not in (None, "inline"):
        raise UsageError(f"there is no executor {name!r}", hint="this version has one: inline")
    if workers not in (None, 1):
        raise UsageError(f"the inline executor has one worker, not {workers}", hint="leave workers out")
    return InlineExecutor
