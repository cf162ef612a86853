"""The views that say what is current, as of an earlier generation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assetflow.catalog.ancestry import OBSERVATIONS
from assetflow.catalog.columns import view_table
from assetflow.catalog.naming import PartitionNames
from assetflow.errors import InvalidQuery
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.store.interface import StoreReader

if TYPE_CHECKING:
    import pyarrow as pa

_OF_VERSION = ("row_count", "byte_count", "data_hash", "code_version", "run_id")


@dataclass(frozen=True, slots=True)
class PastViews:
    """Views as of ``generation``; the states of then are not known."""

    graph: AssetGraph
    reader: StoreReader
    environment: int
    uids: Mapping[AssetKey, int]
    names: PartitionNames
    generation: int

    def tables(self) -> dict[str, Callable[[], pa.Table]]:
        """Each view by name, made when it is called."""
        return {"partitions": self.partitions, "freshness": self.freshness}

    def partitions(self) -> pa.Table:
        """One row per partition that was published then, or observed; ``state`` is null."""
        import pyarrow as pa

        known: dict[str, list[Any]] = self.reader.table("versions")
        row_of = {version: row for row, version in enumerate(known["version"])}
        assets: list[str] = []
        keys: list[str | None] = []
        versions: list[int] = []
        for asset, name in self.graph.owner.items():
            environment = OBSERVATIONS if self.graph.nodes[name].kind == "source" else self.environment
            found = self.reader.pointers_as_of(environment, self.uids[asset], self.generation)
            assets += [asset] * len(found.ordinals)
            keys += self.names.keys(asset, found.ordinals)
            versions += found.version.tolist()
        rows = np.array([row_of[version] for version in versions], np.int64)
        shown: dict[str, Any] = {name: pa.array(known[name]).take(rows) for name in _OF_VERSION}
        shown["materialized_at"] = pa.array(known["published_at"]).take(rows)
        return view_table("partitions", {"asset": assets, "partition": keys, "version": versions, **shown})

    def freshness(self) -> pa.Table:
        """Raises InvalidQuery."""
        raise InvalidQuery("freshness is judged now: of earlier moments it is not known", hint="leave the moment out")
