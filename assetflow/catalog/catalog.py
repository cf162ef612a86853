"""The catalog of one project and environment: what can be asked of what is recorded and published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from assetflow.catalog.ancestry import OBSERVATIONS, VersionPlace, version_lineage
from assetflow.catalog.columns import VIEW_NAMES
from assetflow.catalog.datasets import PublishedData, asset_dataset
from assetflow.catalog.lineage import Direction, LineageGraph, asset_lineage
from assetflow.catalog.naming import PartitionNames, partition_names
from assetflow.catalog.past import PastViews
from assetflow.catalog.preview import Preview, first_rows, plain_value
from assetflow.catalog.query import QueryResult, Tables, run_query
from assetflow.catalog.records import RecordViews
from assetflow.catalog.views import StateViews
from assetflow.definitions.inputs import AssetRef
from assetflow.errors import InvalidPartition, UnknownVersion, UsageError
from assetflow.graph import AssetGraph
from assetflow.io import IOManager
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.spaces import PartitionSpace, ordinal_of
from assetflow.planner.state import Codes
from assetflow.publish.folders import Storage
from assetflow.publish.moments import AsOf, generation_of
from assetflow.publish.past import pointers_at, refuse_deleted, refuse_former, refuse_unversioned
from assetflow.publish.stored import stored_partition
from assetflow.store.interface import StoreReader
from assetflow.store.records import (
    VersionRecord,
)

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds


@dataclass(frozen=True, slots=True)
class Catalog:
    """The read side of a project. ``spaces`` are by computation; ``clock`` gives aware datetimes.

    ``generation`` is the moment that it looks at; None: now.
    """

    graph: AssetGraph
    spaces: Mapping[str, PartitionSpace]
    reader: StoreReader
    storage: Storage
    managers: Mapping[str, IOManager]
    environment: int
    codes: Codes
    uids: Mapping[AssetKey, int]
    clock: Callable[[], datetime]
    generation: int | None = None

    def at(self, as_of: AsOf) -> Catalog:
        """The catalog as of a generation or a moment, which needs a zone. Raises UsageError.

        ``data.<asset>``, ``preview`` and ``lineage`` of a partition show what was published then, and the view
        ``partitions`` too, without states: those depend on the code of then.
        """
        return replace(self, generation=generation_of(self.reader, as_of, self.clock()))

    def query(self, sql: str, *, as_of: AsOf | None = None) -> pa.Table:
        """The answer of one SQL statement over the catalog views and ``data.<asset>``. Raises InvalidQuery.

        ``as_of`` is as for :meth:`at`.
        """
        return (self if as_of is None else self.at(as_of)).answer(sql).table

    def answer(self, sql: str, *, limit: int | None = None) -> QueryResult:
        """The same with DuckDB's types and at most ``limit`` rows. Raises InvalidQuery."""
        return run_query(sql, self._tables(), limit=limit)

    def lineage(
        self,
        asset: AssetRef,
        partition: str | None = None,
        *,
        direction: Direction = "upstream",
        depth: int | None = None,
    ) -> LineageGraph:
        """What an asset is declared to read and be read by; with a partition, what its current version was made from.

        ``depth`` bounds the steps away. Raises UnknownAsset and InvalidPartition.
        """
        key = self.graph.require(asset)
        if direction not in ("upstream", "downstream", "both"):
            raise UsageError(f"direction is {direction!r}", hint="say upstream, downstream or both")
        if depth is not None and depth < 0:
            raise UsageError(f"depth is {depth}", hint="give 0 or more steps, or leave it out for all")
        if partition is None:
            return asset_lineage(self.graph, key, direction, depth)
        ordinal = ordinal_of(self._space(key), key, partition)
        version = dict(self._current(key)).get(ordinal)
        if version is None:
            raise InvalidPartition(
                f"{format_address(key, partition)} {self._has()} no version, "
                "so nothing is recorded of what it was made from",
                hint=f"lineage {key} shows what is declared; why {format_address(key, partition)} says what it lacks",
            )
        place = VersionPlace(key, self.uids[key], ordinal)
        return version_lineage(
            self.reader, self.environment, version, place, self._names(), direction=direction, depth=depth
        )

    def preview(
        self, asset: str, partition: str | None = None, *, version: int | None = None, limit: int = 20
    ) -> Preview:
        """The first ``limit`` rows, or lines of a plain value: of the published data, or of one version of it.

        Raises UnknownAsset, InvalidPartition, UnknownVersion, DataMissing and DataUnreadable.
        """
        key = self.graph.require(asset)
        if version is not None:
            return self._preview_of(key, self._version(key, partition, VersionId(version)), limit)
        space = self._space(key)
        if partition is None and space.grain != "none":
            if self._is_source(key):
                raise UsageError(
                    f"{key} is a source: there are no rows of all its partitions together",
                    hint="name one of its partitions, for what was observed of it",
                )
            return self._preview_of_all(key, limit)
        ordinal = 0 if partition is None else ordinal_of(space, key, partition)
        current = dict(self._current(key)).get(ordinal)
        if current is None:
            raise InvalidPartition(
                f"{format_address(key, partition)} {self._has()} no version{'' if self.generation else ' yet'}",
                hint=f"assetflow versions {key}" if self.generation else f"assetflow materialize --select {key}",
            )
        return self._preview_of(key, self.reader.version(current), limit)

    def _preview_of(self, asset: AssetKey, record: VersionRecord, limit: int) -> Preview:
        partition = self._names().keys(asset, np.array([record.ordinal], np.int64), record.uid)[0]
        about = partial(Preview, asset, partition, record.version)
        refuse_deleted(self.reader, [record], [partition])
        if self.generation is not None:
            refuse_unversioned([record], self.managers)
        if record.empty:
            return about("empty", row_count=0)
        if record.state == "observed" or record.io_manager is None:
            return about("observed", value=record.data_hash, text=record.data_hash)
        if record.schema is None:
            stored = stored_partition(record, self.storage, partition)
            value, text, truncated = plain_value(self.managers[record.io_manager], stored, limit)
            return about("value", value=value, text=text, truncated=truncated)
        table = first_rows(asset, self._dataset(asset, [(partition, record)], partitioned=False), limit)
        return about("table", row_count=record.row_count, table=table, truncated=table.truncated)

    def _preview_of_all(self, asset: AssetKey, limit: int) -> Preview:
        published = self._published(asset)
        table = first_rows(asset, self._dataset(asset, published, partitioned=True), limit)
        counts = [record.row_count for _, record in published]
        total = sum(count for count in counts if count is not None) if None not in counts else None
        return Preview(asset, None, None, "table", row_count=total, table=table, truncated=table.truncated)

    def _version(self, asset: AssetKey, partition: str | None, version: VersionId) -> VersionRecord:
        record = self.reader.version(version)
        wanted = None if partition is None else ordinal_of(self._space(asset), asset, partition)
        place = (record.uid, record.ordinal)
        if record.asset != asset or (wanted is not None and place != (self.uids[asset], wanted)):
            raise UnknownVersion(
                f"{format_address(asset, partition)} has no version {version}: that is one of {record.asset}",
                hint=f"assetflow versions {format_address(asset, partition)} lists its versions",
            )
        return record

    def _tables(self) -> Tables:
        names = self._names()
        states = StateViews(self.graph, self.reader, self.environment, self.codes, self.uids, names, self.clock())
        records = RecordViews(self.reader, self.environment, names)
        views = states.tables() | records.tables()
        if self.generation is not None:
            views |= PastViews(self.graph, self.reader, self.environment, self.uids, names, self.generation).tables()
        assets = [key for key in self.graph.owner if not self._is_source(key)]
        return Tables({name: views[name] for name in VIEW_NAMES}, {key: partial(self._data, key) for key in assets})

    def _data(self, asset: AssetKey) -> ds.Dataset:
        return self._dataset(asset, self._published(asset), partitioned=self._space(asset).grain != "none")

    def _dataset(
        self, asset: AssetKey, versions: list[tuple[str | None, VersionRecord]], *, partitioned: bool
    ) -> ds.Dataset:
        schema = self.reader.last_schema(self.environment, self.uids[asset]) if not versions else None
        data = PublishedData(asset, partitioned, versions, self.graph.specs[asset].schema, schema)
        return asset_dataset(data, self.managers, self.storage)

    def _published(self, asset: AssetKey) -> list[tuple[str | None, VersionRecord]]:
        """The current versions that hold data, of the partitions that exist, with their keys, in order."""
        space = self._space(asset)
        existing = space.existing(self.clock())
        current = {ordinal: version for ordinal, version in self._current(asset) if ordinal in existing}
        records = self.reader.versions(list(current.values()))
        ordinals = space.ordered(np.fromiter(current, np.int64))
        keys, found = space.keys(ordinals), [records[current[ordinal]] for ordinal in ordinals.tolist()]
        refuse_deleted(self.reader, found, keys)
        if self.generation is not None:
            refuse_unversioned(found, self.managers)
        return [(key, record) for key, record in zip(keys, found, strict=True) if not record.empty]

    def _current(self, asset: AssetKey) -> list[tuple[int, VersionId]]:
        environment = OBSERVATIONS if self._is_source(asset) else self.environment
        if self.generation is not None:
            refuse_former(self.reader, self.graph, self.uids, environment, asset, self.generation)
        pointers = pointers_at(self.reader, environment, self.uids[asset], self.generation)
        return list(zip(pointers.ordinals.tolist(), map(VersionId, pointers.version.tolist()), strict=True))

    def _has(self) -> str:
        return "has" if self.generation is None else f"at generation {self.generation} had"

    def _is_source(self, asset: AssetKey) -> bool:
        return self.graph.node_of(asset).kind == "source"

    def _space(self, asset: AssetKey) -> PartitionSpace:
        return self.spaces[self.graph.owner[asset]]

    def _names(self) -> PartitionNames:
        return partition_names(self.graph, self.spaces, self.uids, self.reader)
