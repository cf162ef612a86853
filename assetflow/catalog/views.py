"""The catalog views of what is declared, and of the state that it is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from assetflow.catalog.ancestry import OBSERVATIONS
from assetflow.catalog.columns import view_of_rows, view_table
from assetflow.catalog.naming import PartitionNames
from assetflow.definitions.schema import schema_columns
from assetflow.graph import AssetGraph, semantic_options
from assetflow.keys import AssetKey, VersionId
from assetflow.planner.causes import PRECEDENCE
from assetflow.planner.data_times import DataTimes, ageing_assets
from assetflow.planner.freshness import freshness_of
from assetflow.planner.staleness import Assessment, assess
from assetflow.planner.state import Codes, State
from assetflow.planner.tolerance import tolerant_edges
from assetflow.publish.resolving import Integers, integers
from assetflow.publish.schemas import read_schema
from assetflow.store.interface import StoreReader

if TYPE_CHECKING:
    import pyarrow as pa

_RECORDED = ("version", "materialized_at", "row_count", "byte_count", "data_hash", "code_version", "run_id")


@dataclass(frozen=True)
class StateViews:
    """Views as of ``now``; the assessment that several of them show is made once."""

    graph: AssetGraph
    reader: StoreReader
    environment: int
    codes: Codes
    uids: Mapping[AssetKey, int]
    names: PartitionNames
    now: datetime

    def tables(self) -> dict[str, Callable[[], pa.Table]]:
        """Each view by name, made when it is called."""
        return {
            "assets": self.assets,
            "asset_edges": self.asset_edges,
            "partitions": self.partitions,
            "columns": self.columns,
            "freshness": self.freshness,
        }

    @cached_property
    def state(self) -> State:
        """Everything recorded that states depend on."""
        sources = [key for node in self.graph.nodes.values() if node.kind == "source" for key in node.outputs]
        return self.reader.read_state(
            self.environment,
            list(self.graph.owner),
            self.codes,
            sources=sources,
            verified=ageing_assets(self.graph),
            tolerant=tolerant_edges(self.graph),
            uids=self.uids,
        )

    @cached_property
    def assessment(self) -> Assessment:
        """The state of every partition of every asset."""
        return assess(self.graph, self.state, self.codes, self.now)

    def assets(self) -> pa.Table:
        """One row per asset and source; the IO manager is the declared one, else that of the latest data."""
        held = self.state.assets.items()
        newest = {key: VersionId(int(state.version[~state.empty].max(initial=0))) for key, state in held}
        records = self.reader.versions(list(newest.values()))
        rows: list[Sequence[object]] = []
        for key, owner in self.graph.owner.items():
            node, spec = self.graph.nodes[owner], self.graph.specs[key]
            code, latest = self.codes.computations.get(owner), records.get(newest[key])
            rows.append(
                (
                    key,
                    spec.group,
                    spec.description,
                    list(spec.owners),
                    list(spec.tags.items()),
                    list(spec.kinds),
                    node.partitions is not None,
                    len(self.assessment.ordinals(key)),
                    code.version if code else None,
                    spec.io_manager or (latest.io_manager if latest else None),
                )
            )
        return view_of_rows("assets", rows)

    def asset_edges(self) -> pa.Table:
        """One row per asset and asset that it reads; two parameters with different mappings give two."""
        rows: dict[tuple[str, str, str], None] = {}
        for node in self.graph.nodes.values():
            options = semantic_options(node)
            for edge in node.edges:
                mapping = options[f"option:mapping:{edge.parameter}"]
                rows.update(((edge.upstream, output, mapping), None) for output in node.outputs)
        return view_of_rows("asset_edges", list(rows))

    def partitions(self) -> pa.Table:
        """One row per existing partition: its state, and what is published or, of a source, observed."""
        import pyarrow as pa

        ours, observed = (self.reader.table("pointers", environment=e) for e in (self.environment, OBSERVATIONS))
        columns: dict[str, list[Any]] = {n: [*ours[n], *observed[n]] for n in ("uid", "ordinal", *_RECORDED)}
        held = _by_uid(columns["uid"])
        recorded = integers(columns["ordinal"])
        assets: list[str] = []
        keys: list[str | None] = []
        states: list[Integers] = []
        places: list[Integers] = []
        for key in self.graph.owner:
            ordinals = self.assessment.ordinals(key)
            assets += [key] * len(ordinals)
            keys += self.names.keys(key, ordinals)
            states.append(self.assessment.states(key).astype(np.int64))
            places.append(_places(recorded, held.get(self.uids[key], range(0)), ordinals, otherwise=len(recorded)))
        # What is not recorded takes the null behind the last row.
        place = np.concatenate([integers([]), *places])
        shown: dict[str, Any] = {name: pa.array([*columns[name], None]).take(place) for name in _RECORDED}
        shown["state"] = pa.array(PRECEDENCE).take(np.concatenate([integers([]), *states]))
        return view_table("partitions", {"asset": assets, "partition": keys, **shown})

    def columns(self) -> pa.Table:
        """One row per column: of the last published table, or of the declared schema where there is none yet."""
        from assetflow.publish.conformance import empty_table

        heads = self.reader.table("schemas", environment=self.environment)
        recorded = dict(zip(heads["uid"], heads["schema"], strict=True))
        rows: list[Sequence[object]] = []
        for key, spec in self.graph.specs.items():
            declared = {column.name: column for column in schema_columns(spec.schema)} if spec.schema else {}
            written: Any = recorded.get(self.uids[key])
            if written is not None:
                schema = read_schema(written)
            elif spec.schema is not None:
                schema = empty_table(spec.schema).schema
            else:
                continue
            for name, kind in zip(schema.names, schema.types, strict=True):
                column = declared.get(name)
                nullable = column.nullable if column else schema.field(name).nullable
                rows.append((key, name, str(kind), nullable, column.field.description if column else None))
        return view_of_rows("columns", rows)

    def freshness(self) -> pa.Table:
        """One row per asset and source: whether it is fresh, and how far its time partitions reach without a gap."""
        times = DataTimes(self.assessment)
        rows: list[Sequence[object]] = []
        for key in self.graph.owner:
            found = freshness_of(self.assessment, key, times)
            lag = None if found.lag is None else found.lag.total_seconds()
            rows.append((key, found.state, self.assessment.watermark(key), lag))
        return view_of_rows("freshness", rows)


def _by_uid(uids: Sequence[int]) -> Mapping[int, range]:
    """Where the rows of each asset are, in a column in which they are neighbours."""
    found: dict[int, range] = {}
    start = 0
    for place in range(1, len(uids) + 1):
        if place == len(uids) or uids[place] != uids[start]:
            found[uids[start]] = range(start, place)
            start = place
    return found


def _places(recorded: Integers, rows: range, ordinals: Integers, *, otherwise: int) -> Integers:
    """The row in which each partition is recorded; ``otherwise`` where it is not."""
    own = recorded[rows.start : rows.stop]
    if not len(own):
        return np.full(len(ordinals), otherwise, np.int64)
    nearest: Integers = np.minimum(np.searchsorted(own, ordinals), len(own) - 1)
    return np.where(own[nearest] == ordinals, nearest + rows.start, otherwise)
