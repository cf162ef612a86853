"""What was published at a moment, and why it may not be read any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from assetflow.errors import UsageError, VersionDeleted
from assetflow.graph import AssetGraph
from assetflow.io import IOManager
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.ordinal_spaces import ordinal_space, space_words
from assetflow.store.interface import StoreReader
from assetflow.store.records import Pointers, VersionRecord

OVERRIDDEN = "overridden"
"""In the metadata of a check's result: who published the version all the same, when and why."""


def pointers_at(reader: StoreReader, environment: int, uid: int, generation: int | None) -> Pointers:
    """Where an asset's partitions point now (None), or pointed as of a generation."""
    if generation is None:
        return reader.pointers(environment, uid)
    return reader.pointers_as_of(environment, uid, generation)


def refuse_former(
    reader: StoreReader, graph: AssetGraph, uids: Mapping[AssetKey, int], environment: int, asset: AssetKey, at: int
) -> None:
    """Raise UsageError where the asset was partitioned otherwise as of generation ``at``."""
    if len(reader.pointers_as_of(environment, uids[asset], at).ordinals):
        return
    for uid, (_, space) in reader.spaces_of([asset]).items():
        if uid == uids[asset] or space is None or not len(reader.pointers_as_of(environment, uid, at).ordinals):
            continue
        now = space_words(ordinal_space(graph.node_of(asset).partitions))
        raise UsageError(
            f"{asset} was {space_words(space)} at generation {at}; now it is {now}",
            hint=f"read the versions of then one by one: assetflow versions {asset}",
        )


def refuse_unversioned(records: Collection[VersionRecord], managers: Mapping[str, IOManager]) -> None:
    """Raise UsageError where an IO manager keeps no earlier versions."""
    for record in records:
        name = record.io_manager
        if name is not None and name in managers and not managers[name].versioned:
            raise UsageError(
                f"{record.asset}: its IO manager {name!r} keeps no earlier versions, so there is no time travel",
                hint="leave the moment out to read what is published now",
            )


def refuse_deleted(reader: StoreReader, records: Sequence[VersionRecord], keys: Sequence[str | None]) -> None:
    """Raise VersionDeleted where retention has let go of one of the versions."""
    gone = [(record, key) for record, key in zip(records, keys, strict=True) if record.state == "deleted"]
    if not gone:
        return
    record, key = gone[0]
    more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
    raise VersionDeleted(
        f"{format_address(record.asset, key)}: version {record.version} was deleted by gc"
        f"{_when(reader, record.version)}{more}",
        hint="only its record is left; how long versions are kept: [tool.assetflow.retention] keep_versions, keep_for",
    )


def _when(reader: StoreReader, version: VersionId) -> str:
    found = reader.deletions([version]).get(version)
    moment = found and (found.deleted_at or found.marked_at)
    return f" on {moment:%Y-%m-%d}" if moment else ""
