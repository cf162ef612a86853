"""What an executor is given and what it gives back: plain data, so that a task can run in another process.

A worker stages and checks; it never touches the store and never publishes.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from assetflow.errors import AssetflowError
from assetflow.io import StoredPartition
from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId
from assetflow.publish.stored import StoredInput
from assetflow.store.records import FileRecord, KeyAddition


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


class Executor(Protocol):
    """Runs tasks; the future of a task holds one outcome for each of its partitions, in order."""

    def submit(self, task: Task) -> Future[tuple[PartitionOutcome, ...]]:
        """Start a task. Only an interrupt is raised; everything else is an outcome with an error."""
        ...

    def close(self) -> None:
        """Let go of workers."""
        ...
