"""The catalog views of what was recorded: versions, lineage, checks, runs, steps and events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from assetflow.catalog.ancestry import Ancestry
from assetflow.catalog.columns import view_schema, view_table
from assetflow.catalog.naming import PartitionNames
from assetflow.keys import VersionId
from assetflow.publish.resolving import integers
from assetflow.store.interface import StoreReader, TableName
from assetflow.store.records import (
    LineageRow,
)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class RecordViews:
    """Views of the store's tables, with partition keys instead of ordinals."""

    reader: StoreReader
    environment: int
    names: PartitionNames

    def tables(self) -> dict[str, Callable[[], pa.Table]]:
        """Each view by name, made when it is called."""
        return {
            "versions": self.versions,
            "lineage": self.lineage,
            "checks": self.checks,
            "runs": self.runs,
            "steps": self.steps,
            "events": self.events,
        }

    def versions(self) -> pa.Table:
        """One row per version, quarantined ones and observations included."""
        return self._shown("versions")

    def checks(self) -> pa.Table:
        """One row per version and form of a check that it went through."""
        return self._shown("checks", flags=("passed", "blocking"))

    def runs(self) -> pa.Table:
        """One row per run."""
        return self._shown("runs")

    def steps(self) -> pa.Table:
        """One row per attempt at an asset partition."""
        return self._shown("steps")

    def events(self) -> pa.Table:
        """One row per event, in the order of commits."""
        return self._shown("events")

    def lineage(self) -> pa.Table:
        """One row per version and upstream version that it was made from."""
        import pyarrow as pa

        made = [VersionId(cast("int", version)) for version in self.reader.table("versions")["version"]]
        rows = sorted(self.reader.lineage_of(made, environment=self.environment), key=_upstream_uid)
        ancestry = Ancestry(self.reader, self.environment)
        parts: list[pa.Table] = [view_table("lineage", {"version": []})]
        for uid, group in groupby(rows, key=_upstream_uid):
            reads = list(group)
            ordinals, read, versions, row = ancestry.pairs(uid, reads)
            upstream = reads[0].upstream
            own = self._keys(*zip(*((each.asset, each.uid, each.ordinal) for each in reads), strict=True))
            columns: dict[str, Any] = {
                "version": versions,
                "asset": pa.array([each.asset for each in reads]).take(row),
                "partition": pa.array(own, pa.string()).take(row),
                "upstream_asset": [upstream] * len(row),
                "upstream_partition": self.names.keys(upstream, ordinals, uid),
                "upstream_version": read,
            }
            parts.append(view_table("lineage", columns))
        # Two parameters that read the same version say the same of it.
        return pa.concat_tables(parts).group_by(view_schema("lineage").names).aggregate([]).sort_by("version")

    def _shown(self, view: TableName, *, flags: Sequence[str] = ()) -> pa.Table:
        columns: dict[str, Any] = dict(self.reader.table(view))
        columns |= {name: [bool(value) for value in columns[name]] for name in flags}
        if "ordinal" in columns:
            columns["partition"] = self._keys(columns["asset"], columns["uid"], columns["ordinal"])
        return view_table(view, {name: columns[name] for name in view_schema(view).names})

    def _keys(
        self, assets: Sequence[str | None], uids: Sequence[int | None], ordinals: Sequence[int | None]
    ) -> list[str | None]:
        keys: list[str | None] = [None] * len(assets)
        rows: dict[tuple[str, int], list[int]] = {}
        for row, (asset, uid, ordinal) in enumerate(zip(assets, uids, ordinals, strict=True)):
            if asset is not None and uid is not None and ordinal is not None:
                rows.setdefault((asset, uid), []).append(row)
        for (asset, uid), places in rows.items():
            found = self.names.keys(asset, integers(ordinals[row] or 0 for row in places), uid)
            for row, key in zip(places, found, strict=True):
                keys[row] = key
        return keys


def _upstream_uid(row: LineageRow) -> int:
    return row.upstream_uid
