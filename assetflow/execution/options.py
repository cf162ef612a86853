"""How a plan is run, as a user asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from assetflow.execution.executors.choosing import executor_named
from assetflow.execution.executors.inline import InlineExecutor
from assetflow.execution.task import ExecutorFactory
from assetflow.execution.waiting import RealTime, Waiting
from assetflow.publish.limits import checked_priority


@dataclass(frozen=True, slots=True)
class RunOptions:
    """By which executor a plan is run, whether the first failure ends it, how it waits, and how urgent it is."""

    executor: ExecutorFactory = InlineExecutor
    fail_fast: bool = False
    waiting: Waiting = field(default_factory=RealTime)
    name: str = "inline"
    """The executor's, for the record."""
    priority: int = 0

    @classmethod
    def asked(cls, executor: str | None, workers: int | None, *, fail_fast: bool, priority: int = 0) -> RunOptions:
        """The options that a user asks for. Raises UsageError for those that there are not."""
        factory = executor_named(executor, workers)
        return cls(factory, fail_fast, name=executor or "inline", priority=checked_priority(priority))
