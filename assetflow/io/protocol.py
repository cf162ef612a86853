"""The IO manager protocol, and what its methods are given and give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from assetflow.errors import DataMissing
from assetflow.keys import AssetKey, DataHash, VersionId, format_address

INLINE_LIMIT = 16_384
"""Bytes of JSON up to which a plain value lives in the version record itself."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a version: absolute path, size in bytes, and ``blake3:`` with the hex digest of its content."""

    path: Path
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class StagedOutput:
    """What :meth:`IOManager.stage` made.

    ``files`` are paths relative to the version's folder; none when ``inline`` holds the value as JSON. ``storage``
    names format and options, so that a change of format is a new version even where the data is equal. ``data_hash``
    is needed only for values that assetflow cannot hash itself (it hashes tables and JSON); None means the digest over
    the files.
    """

    storage: str
    files: tuple[str, ...] = ()
    inline: str | None = None
    row_count: int | None = None
    data_hash: DataHash | None = None


@dataclass(frozen=True, slots=True)
class OutputContext:
    """For staging: which asset partition, as which version.

    ``folder()`` creates this version's own, empty folder on its first call and returns it; what is written there is
    made durable by assetflow after ``stage`` returns.
    """

    asset: AssetKey
    partition: str | None
    version: VersionId
    folder: Callable[[], Path]


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """One published version to load: its files, or its value as JSON in ``inline``."""

    asset: AssetKey
    partition: str | None
    version: VersionId
    files: tuple[StoredFile, ...] = ()
    inline: str | None = None
    row_count: int | None = None

    def file(self) -> StoredFile:
        """The only file of a version that has one. Raises DataMissing when the record lists none."""
        if len(self.files) != 1:
            place = format_address(self.asset, self.partition)
            raise DataMissing(
                f"{place}: version {self.version} records {len(self.files)} files instead of one",
                hint=f"rebuild it: assetflow materialize --select {self.asset} --force",
            )
        return self.files[0]


@dataclass(frozen=True, slots=True)
class InputContext:
    """For loading: the resolved partitions, all stored by this manager, none of them empty, at least one.

    ``columns`` asks for those columns only; a manager may return more.
    """

    partitions: tuple[StoredPartition, ...]
    columns: tuple[str, ...] | None = None


@runtime_checkable
class IOManager(Protocol):
    """How values of some types are stored and loaded.

    ``types`` are the Python types that ``stage`` accepts and ``load`` can return; a manager whose types include
    ``pyarrow.Table`` is given tables as such. ``versioned``: every stage is kept apart. ``external``: the target lies
    outside assetflow's files. ``cross_process``: another process can load. A manager whose stages all have one
    ``storage`` may name it in an attribute of that name: a table or plain value that equals the current version is then
    not staged at all.
    """

    name: str
    versioned: bool
    external: bool
    cross_process: bool

    @property
    def types(self) -> tuple[type, ...]:
        """The Python types that ``stage`` accepts and ``load`` can return."""
        ...

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        """Write ``value`` to the version's own new place; touch nothing that is published."""
        ...

    def load(self, context: InputContext, expected_type: type) -> object:
        """All resolved partitions at once, concatenated in order, as ``expected_type`` (``object``: as stored).

        Raises DataMissing and DataUnreadable.
        """
        ...


@runtime_checkable
class DiscardingIOManager(IOManager, Protocol):
    """A manager that holds something besides files for a staged version."""

    def discard(self, context: OutputContext, staged: StagedOutput) -> None:
        """Forget a staged version that will not be published."""
        ...


@runtime_checkable
class ScanningIOManager(IOManager, Protocol):
    """A manager whose versions read as tables."""

    def scan(self, context: InputContext) -> object:
        """A ``pyarrow.dataset.Dataset`` over the resolved partitions, opened lazily."""
        ...
