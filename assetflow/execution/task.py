"""What an executor is given and what it gives back: plain data, so that a task can run in another process.

A worker stages and checks; it never touches the store and never publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from assetflow.errors import AssetflowError, StepTimeout
from assetflow.io import StoredPartition
from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId, format_address
from assetflow.publish.stored import StoredInput
from assetflow.store.records import FileRecord, KeyAddition, Measures

if TYPE_CHECKING:
    from assetflow.execution.workshop import Workshop


@dataclass(frozen=True, slots=True)
class CurrentVersion:
    """What is published now of the asset partition that is being built, for early cutoff and for checks."""

    version: VersionId
    data_hash: DataHash
    empty: bool
    schema: bytes | None
    storage: str | None
    io_manager: str | None
    stored: StoredPartition
    checked: frozenset[CodeVersion]
    """Check versions that need not run on it again: they passed, or failed without blocking."""


@dataclass(frozen=True, slots=True)
class PartitionTask:
    """One partition to build: what it reads, as which versions it is staged, and what is published now."""

    ordinal: int
    key: str | None
    window: tuple[datetime, datetime] | None
    inputs: Mapping[str, tuple[StoredInput, ...]]
    """By loaded parameter, in partition order."""
    versions: Mapping[AssetKey, VersionId]
    path: str | None
    """The partition's component in paths; None when unpartitioned."""
    current: Mapping[AssetKey, CurrentVersion]


@dataclass(frozen=True, slots=True)
class Task:
    """One call of a computation: one partition, or a batch of them.

    ``build`` computes; ``check`` runs missing checks on ``current``, which may be a quarantined candidate.
    """

    computation: str
    action: Literal["build", "check"]
    run_id: str
    attempt: int
    partitions: tuple[PartitionTask, ...]
    known_schemas: Mapping[str, bytes]
    """By parameter: the Arrow schema that the upstream had last, for tables without rows."""
    timeout: float | None = None
    """Seconds that the call may take; then the executor ends it."""
    max_memory: int | None = None
    """Bytes that its process may take, where it has one of its own."""
    isolated: bool = False
    """Whether it has to have a fresh process, where there are processes."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What one check said about one version."""

    name: str
    check_version: CodeVersion
    passed: bool
    severity: Literal["error", "warn"]
    blocking: bool
    checked_at: datetime
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    error: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether the version must not be published."""
        return self.blocking and not self.passed and self.severity == "error"


@dataclass(frozen=True, slots=True)
class StagedVersion:
    """One output of one partition, staged and checked; ``same`` when it equals what is published now."""

    asset: AssetKey
    version: VersionId
    data_hash: DataHash
    same: bool = False
    empty: bool = False
    io_manager: str | None = None
    storage: str | None = None
    location: str | None = None
    files: tuple[FileRecord, ...] = ()
    inline: str | None = None
    row_count: int | None = None
    byte_count: int | None = None
    schema: bytes | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    checks: tuple[CheckOutcome, ...] = ()


@dataclass(frozen=True, slots=True)
class PartitionOutcome:
    """How one partition of a task fared: its outputs, or the error that stopped it."""

    ordinal: int
    started_at: datetime
    ended_at: datetime
    outputs: tuple[StagedVersion, ...] = ()
    error: AssetflowError | None = None
    added: tuple[KeyAddition, ...] = ()
    """What the call adds to dynamic partitions once this is published."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One outcome for each partition of a task, in order, and what the call took."""

    outcomes: tuple[PartitionOutcome, ...]
    measures: Measures | None = None


def timed_out(task: Task) -> StepTimeout:
    """The error of a task that took longer than its timeout."""
    first, last = task.partitions[0], task.partitions[-1]
    place = format_address(task.computation, first.key)
    if last is not first:
        place += f"...{last.key}"
    return StepTimeout(
        f"{place}: attempt {task.attempt} took longer than its timeout of {task.timeout or 0:g} s, and was ended",
        hint="give it a longer timeout=, or fewer partitions in one call",
    )


class Executor(Protocol):
    """Runs tasks; one for each run."""

    @property
    def slots(self) -> int:
        """How many tasks it takes at once."""
        ...

    @property
    def deferred(self) -> bool:
        """Whether tasks run elsewhere; otherwise :meth:`submit` runs the task before it returns.

        Of tasks that run elsewhere, the stage intents are durable before they are submitted, and the worker creates
        the folders.
        """
        ...

    def submit(self, task: Task) -> Future[TaskResult]:
        """Start a task. What goes wrong in it is an outcome with an error; only interrupts and StoreError are raised.

        The future raises WorkerDied, StepTimeout or StepCanceled where the task did not come to its end.
        """
        ...

    def stop(self, future: Future[TaskResult]) -> None:
        """End a task now; its future raises StepCanceled."""
        ...

    def close(self, *, now: bool = False) -> None:
        """Let go of workers; ``now``: without waiting for what they do."""
        ...


ExecutorFactory = Callable[["Workshop"], Executor]
"""Makes the executor of one run."""
