"""From what a worker staged to the records that publish it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from assetflow.io import StoredFile, StoredPartition
from assetflow.keys import CodeVersion
from assetflow.publish.folders import Storage
from assetflow.store.records import InputRecord, VersionRecord


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a partition was made from: the same for every output of a computation."""

    code: CodeVersion
    key: bytes
    inputs: tuple[InputRecord, ...]
    made_at: datetime


def stored_partition(record: VersionRecord, storage: Storage, key: str | None) -> StoredPartition:
    """A version as IO managers load it, with absolute paths."""
    files: tuple[StoredFile, ...] = ()
    if record.location is not None:
        folder = storage.folder(record.location)
        files = tuple(StoredFile(folder / file.name, file.size, file.digest) for file in record.files)
    return StoredPartition(record.asset, key, record.version, files, record.inline, record.row_count)


def event_payload(record: VersionRecord) -> Mapping[str, object]:
    """What an event says of a version."""
    return {"version": record.version, "rows": record.row_count, "bytes": record.byte_count, "empty": record.empty}
