"""The data of one asset as one lazy table: the files of its published versions, with the key of each partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, cast

from assetflow.definitions.schema import Schema
from assetflow.errors import InvalidQuery
from assetflow.io import InputContext, IOManager, ScanningIOManager, StoredPartition, concat_tables
from assetflow.keys import AssetKey, format_address
from assetflow.publish.folders import Storage
from assetflow.publish.schemas import read_schema
from assetflow.publish.stored import stored_partition
from assetflow.store.records import VersionRecord

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

PARTITION = "partition"
"""The column that holds the true partition key; it hides a column of that name in the data."""


@dataclass(frozen=True, slots=True)
class PublishedData:
    """What an asset has published in one environment: versions that hold data, with their keys, in order.

    ``schema`` is declared, and ``last_schema`` (IPC form) recorded: the columns where no version holds data.
    """

    asset: AssetKey
    partitioned: bool
    versions: Sequence[tuple[str | None, VersionRecord]]
    schema: type[Schema] | None = None
    last_schema: bytes | None = None


def asset_dataset(data: PublishedData, managers: Mapping[str, IOManager], storage: Storage) -> ds.Dataset:
    """All partitions as one dataset that opens files as they are read, with a column ``partition`` if partitioned.

    Raises InvalidQuery for values that are no tables and for an asset without known columns, and StorageError.
    """
    import pyarrow.dataset as ds

    parts: list[ds.Dataset] = []
    for name, group in groupby(data.versions, key=lambda pair: pair[1].io_manager):
        versions = list(group)
        manager = managers.get(name or "")
        if manager is None or not _holds_tables(manager, versions):
            example = format_address(data.asset, versions[0][0])
            raise InvalidQuery(
                f"{data.asset} does not read as a table: it is stored as {name or 'a plain value'}",
                hint=f"see it with `assetflow show {example}`, or in Python by project.load({data.asset!r})",
            )
        stored = tuple(stored_partition(record, storage, key) for key, record in versions)
        scanned = manager.scan(InputContext(stored)) if isinstance(manager, ScanningIOManager) else None
        if isinstance(scanned, ds.Dataset) and not data.partitioned:
            parts.append(scanned)
        elif isinstance(scanned, ds.FileSystemDataset):
            parts.append(_keyed_files(scanned, stored))
        else:
            parts.append(_tables(manager, stored, keyed=data.partitioned))
    if not parts:
        return ds.dataset(_without_rows(data))
    if len(parts) == 1:
        return parts[0]
    schema = concat_tables([part.schema.empty_table() for part in parts], data.asset).schema
    return ds.dataset(parts, schema=schema)


def _keyed_files(scanned: ds.FileSystemDataset, stored: Sequence[StoredPartition]) -> ds.Dataset:
    """Each file says of itself which partition it is, so that a condition on the key opens only what it needs."""
    import pyarrow.dataset as ds

    keys = {str(file.path): partition.partition for partition in stored for file in partition.files}
    fragments = [
        scanned.format.make_fragment(path, scanned.filesystem, partition_expression=ds.field(PARTITION) == keys[path])
        for path in scanned.files
    ]
    return ds.FileSystemDataset(
        fragments, _with_partition(scanned.schema), scanned.format, filesystem=scanned.filesystem
    )


def _tables(manager: IOManager, stored: Sequence[StoredPartition], *, keyed: bool) -> ds.Dataset:
    import pyarrow as pa
    import pyarrow.dataset as ds

    tables: list[pa.Table] = []
    for partition in stored:
        table = cast("pa.Table", manager.load(InputContext((partition,)), pa.Table))
        if keyed:
            keys = pa.array([partition.partition] * table.num_rows, pa.string())
            own = table.schema.get_field_index(PARTITION)
            table = (table.remove_column(own) if own >= 0 else table).append_column(PARTITION, keys)
        tables.append(table)
    return ds.dataset(concat_tables(tables, stored[0].asset))


def _holds_tables(manager: IOManager, versions: Sequence[tuple[str | None, VersionRecord]]) -> bool:
    import pyarrow as pa

    recorded = all(record.schema is not None for _, record in versions)
    return isinstance(manager, ScanningIOManager) or (pa.Table in manager.types and recorded)


def _without_rows(data: PublishedData) -> pa.Table:
    from assetflow.publish.conformance import empty_table

    if data.schema is not None:
        schema = empty_table(data.schema).schema
    elif data.last_schema is not None:
        schema = read_schema(data.last_schema)
    else:
        raise InvalidQuery(
            f"{data.asset} has published no table yet", hint=f"assetflow materialize --select {data.asset}"
        )
    return (_with_partition(schema) if data.partitioned else schema).empty_table()


def _with_partition(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    own = schema.get_field_index(PARTITION)
    return (schema.remove(own) if own >= 0 else schema).append(pa.field(PARTITION, pa.string()))
