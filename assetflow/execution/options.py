"""How a plan is run, as a user asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from assetflow.execution.executors.choosing import executor_named
from assetflow.execution.executors.inline import InlineExecutor
from assetflow.execution.task import ExecutorFactory
from assetflow.execution.waiting import RealTime, Waiting


@dataclass(frozen=True, slots=True)
class RunOptions:
    """By which executor a plan is run, whether the first failure ends it, and how it waits."""

    executor: ExecutorFactory = InlineExecutor
    fail_fast: bool = False
    waiting: Waiting = field(default_factory=RealTime)
    name: str = "inline"
    """The executor's, for the record."""

    @classmethod
    def asked(cls, executor: str | None, workers: int | None, *, fail_fast: bool) -> RunOptions:
        """The options that a user asks for. Raises UsageError for an executor that there is not."""
        return cls(executor_named(executor, workers), fail_fast, name=executor or "inline")
