"""Which versions of a computation's outputs were made from what a rollback publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId
from assetflow.planner.spans import Integers, members
from assetflow.publish.resolving import integers, resolve
from assetflow.publish.setting import Setting
from assetflow.store.records import LineageRow, Pointers


@dataclass(frozen=True, slots=True, eq=False)
class _Readers:
    """What versions of a computation's outputs read of one upstream: aligned, a row for each range of partitions."""

    rows: list[LineageRow]
    first: Integers
    last: Integers
    as_of: Integers


class Fitting:
    """Versions of one computation, by what they read."""

    def __init__(self, setting: Setting, node: Node) -> None:
        self._setting = setting
        self._node = node
        uids = {setting.uids[asset] for asset in node.outputs}
        self._histories: dict[AssetKey, Pointers] = {}
        self._readers: dict[AssetKey, _Readers] = {}
        for upstream in {edge.upstream for edge in node.edges}:
            uid = setting.uids[upstream]
            self._histories[upstream] = setting.reader.history(setting.environment, uid)
            rows = [row for row in setting.reader.readers_of(uid, environment=setting.environment) if row.uid in uids]
            self._readers[upstream] = _Readers(
                rows,
                integers(row.first for row in rows),
                integers(row.last for row in rows),
                integers(row.as_of for row in rows),
            )

    def made_from(
        self, moved: Mapping[tuple[AssetKey, int], VersionId], only: int | None = None
    ) -> dict[AssetKey, dict[int, VersionId]]:
        """By output and partition: the newest versions that read of what was moved only what is published of it now.

        ``moved`` gives the version of each partition that was moved, 0 where it was withdrawn.
        """
        verdicts: dict[AssetKey, dict[tuple[int, VersionId], bool]] = {asset: {} for asset in self._node.outputs}
        for upstream in self._readers:
            places = {ordinal: version for (key, ordinal), version in moved.items() if key == upstream}
            for row, fits in self._judged(upstream, places, only) if places else ():
                of_asset = verdicts[row.asset]
                place = (row.ordinal, row.version)
                of_asset[place] = of_asset.get(place, True) and fits
        return {asset: self._there(judged) for asset, judged in verdicts.items()}

    def _there(self, judged: Mapping[tuple[int, VersionId], bool]) -> dict[int, VersionId]:
        """By partition the newest version that fits, where it is published and has its files."""
        reader, storage = self._setting.reader, self._setting.storage
        best = {ordinal: version for (ordinal, version), fits in sorted(judged.items()) if fits}
        if not best:
            return best
        if reader.facts_of(list(best.values())).states - {"published"}:
            records = reader.versions(list(best.values()))
            best = {ordinal: version for ordinal, version in best.items() if records[version].state == "published"}
        lost = {v for v, each in reader.files_of(list(best.values())).items() if not storage.has_files(*each)}
        return {ordinal: version for ordinal, version in best.items() if version not in lost}

    def _judged(
        self, upstream: AssetKey, places: Mapping[int, VersionId], only: int | None
    ) -> list[tuple[LineageRow, bool]]:
        """Each row that read of the places, and whether all that it read of them is what is there now."""
        readers = self._readers[upstream]
        ordinals = np.fromiter(sorted(places), np.int64, len(places))
        versions = np.fromiter((places[ordinal] for ordinal in ordinals.tolist()), np.int64, len(places))
        lo, hi = np.searchsorted(ordinals, readers.first, "left"), np.searchsorted(ordinals, readers.last, "right")
        concerned: Integers = np.flatnonzero(hi > lo)
        if only is not None:
            own = integers(row.ordinal for row in readers.rows)
            concerned = concerned[own[concerned] == only]
        if not len(concerned):
            return []
        history = self._histories[upstream]
        inside = members(history.ordinals, ordinals)
        log = Pointers(
            history.ordinals[inside], history.version[inside], history.derivation[inside], history.generation[inside]
        )
        read = resolve(log, readers.first[concerned], readers.last[concerned], readers.as_of[concerned])
        same = versions[np.searchsorted(ordinals, read.ordinals)] == read.version
        there = np.concatenate(([0], np.cumsum(versions > 0)))
        expected = there[hi[concerned]] - there[lo[concerned]]
        counted = np.bincount(read.row, minlength=len(concerned))
        agreed = np.bincount(read.row[same], minlength=len(concerned))
        fits = (agreed == counted) & (agreed == expected)
        return [(readers.rows[place], bool(fit)) for place, fit in zip(concerned.tolist(), fits.tolist(), strict=True)]
