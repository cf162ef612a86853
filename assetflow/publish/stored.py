"""Recorded versions as IO managers load them and attempts read them."""

from __future__ import annotations

from dataclasses import dataclass

from assetflow.io import StoredFile, StoredPartition
from assetflow.publish.folders import Storage
from assetflow.store.records import VersionRecord


@dataclass(frozen=True, slots=True)
class StoredInput:
    """One upstream partition that an attempt reads; ``stored`` is None where it was published as empty."""

    key: str | None
    stored: StoredPartition | None
    io_manager: str | None
    schema: bytes | None


def stored_input(record: VersionRecord, storage: Storage, key: str | None) -> StoredInput:
    """A version as an input; ``key`` is its partition's."""
    stored = None if record.empty else stored_partition(record, storage, key)
    return StoredInput(key, stored, record.io_manager, record.schema)


def stored_partition(record: VersionRecord, storage: Storage, key: str | None) -> StoredPartition:
    """A version as IO managers load it, with absolute paths."""
    files: tuple[StoredFile, ...] = ()
    if record.location is not None:
        folder = storage.folder(record.location)
        files = tuple(StoredFile(folder / file.name, file.size, file.digest) for file in record.files)
    return StoredPartition(record.asset, key, record.version, files, record.inline, record.row_count)
