"""How a plan is run, as a user asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from assetflow.execution.executors.inline import InlineExecutor
from assetflow.execution.task import ExecutorFactory
from assetflow.execution.waiting import RealTime, Waiting


@dataclass(frozen=True, slots=True)
class RunOptions:
    """By which executor a plan is run, whether the first failure ends it, how it waits, and how urgent it is."""

    executor: ExecutorFactory = InlineExecutor
    fail_fast: bool = False
    waiting: Waiting = field(default_factory=RealTime)
    name: str = "inline"
    """The executor's, for the record."""
    workers: int = 1
    priority: int = 0
