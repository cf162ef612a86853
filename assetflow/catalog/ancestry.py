"""Lineage between versions: what each was made from, as the store recorded it in one environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from assetflow.catalog.lineage import AssetRanges, Direction, LineageEdge, LineageGraph, LineageNode
from assetflow.catalog.naming import PartitionNames
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.sets import PartitionSet
from assetflow.publish.resolving import Integers, integers, resolve
from assetflow.store.interface import StoreReader
from assetflow.store.records import (
    LineageRow,
    Pointers,
)

OBSERVATIONS = 0
"""The environment that holds the observations of sources."""


@dataclass(frozen=True, slots=True)
class VersionPlace:
    """Of which asset partition something is a version."""

    asset: AssetKey
    uid: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What one step reached, and the pairs (read version, made version) on the way."""

    places: dict[VersionId, VersionPlace]
    pairs: set[tuple[VersionId, VersionId]]


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What the store knows of who read whom, in one environment."""

    reader: StoreReader
    environment: int

    def log(self, uid: int, first: int, last: int) -> Pointers:
        """Every pointer move of an asset, or every observation of a source, of the partitions ``first`` to ``last``."""
        moves = self.reader.history(self.environment, uid, first=first, last=last)
        return moves if len(moves.ordinals) else self.reader.history(OBSERVATIONS, uid, first=first, last=last)

    def upstream(self, versions: Mapping[VersionId, VersionPlace]) -> _Found:
        """What the versions were made from."""
        found = _Found({}, set())
        rows = sorted(self.reader.lineage_of(versions.keys(), environment=self.environment), key=_upstream_uid)
        for uid, group in groupby(rows, key=_upstream_uid):
            reads = list(group)
            asset = reads[0].upstream
            ordinals, read, made, _ = self.pairs(uid, reads)
            for ordinal, version in zip(ordinals.tolist(), read.tolist(), strict=True):
                found.places[VersionId(version)] = VersionPlace(asset, uid, ordinal)
            found.pairs.update(_pairs(read, made))
        return found

    def downstream(self, versions: Mapping[VersionId, VersionPlace]) -> _Found:
        """What was made from the versions."""
        found = _Found({}, set())
        wanted = integers(versions)
        for uid in {place.uid for place in versions.values()}:
            reads = self.reader.readers_of(uid, environment=self.environment)
            if not reads:
                continue
            _, read, made, row = self.pairs(uid, reads)
            kept = np.isin(read, wanted)
            found.pairs.update(_pairs(read[kept], made[kept]))
            positions: list[int] = np.unique(row[kept]).tolist()
            for maker in (reads[position] for position in positions):
                found.places[maker.version] = VersionPlace(maker.asset, maker.uid, maker.ordinal)
        return found

    def pairs(self, uid: int, reads: list[LineageRow]) -> tuple[Integers, Integers, Integers, Integers]:
        """What ``reads`` (at least one, all of one upstream asset) read, one partition at a time.

        Aligned: upstream ordinals, the versions read there, the versions made of them, positions in ``reads``.
        """
        first, last = integers(row.first for row in reads), integers(row.last for row in reads)
        log = self.log(uid, int(first.min()), int(last.max()))
        resolved = resolve(log, first, last, integers(row.as_of for row in reads))
        made = integers(row.version for row in reads)
        return resolved.ordinals, resolved.version, made[resolved.row], resolved.row


def version_lineage(
    reader: StoreReader,
    environment: int,
    version: VersionId,
    place: VersionPlace,
    names: PartitionNames,
    *,
    direction: Direction = "upstream",
    depth: int | None = None,
) -> LineageGraph:
    """The closure around one version, up to ``depth`` steps: what it was made from, and what was made from it."""
    ancestry = Ancestry(reader, environment)
    levels: dict[VersionId, int] = {version: 0}
    places = {version: place}
    pairs: set[tuple[VersionId, VersionId]] = set()
    ways = [(ancestry.upstream, -1)] if direction != "downstream" else []
    ways += [(ancestry.downstream, 1)] if direction != "upstream" else []
    for step, sign in ways:
        frontier, distance = {version: place}, 0
        while frontier and (depth is None or distance < depth):
            distance += 1
            found = step(frontier)
            pairs |= found.pairs
            frontier = {reached: place for reached, place in found.places.items() if reached not in places}
            places |= frontier
            levels |= dict.fromkeys(frontier, sign * distance)
    return _drawn(ancestry, names, places, levels, pairs)


def _drawn(
    ancestry: Ancestry,
    names: PartitionNames,
    places: Mapping[VersionId, VersionPlace],
    levels: Mapping[VersionId, int],
    pairs: Iterable[tuple[VersionId, VersionId]],
) -> LineageGraph:
    nodes: list[LineageNode] = []
    summary: list[AssetRanges] = []

    def layer(version: VersionId) -> tuple[int, str, int]:
        return levels[version], places[version].asset, places[version].uid

    for (level, _, _), group in groupby(sorted(places, key=layer), key=layer):
        versions = sorted(group, key=lambda version: (places[version].ordinal, version))
        asset, uid = places[versions[0]].asset, places[versions[0]].uid
        ordinals = integers(places[version].ordinal for version in versions)
        current = set(_latest(ancestry.log(uid, int(ordinals[0]), int(ordinals[-1]))))
        for version, key in zip(versions, names.keys(asset, ordinals, uid), strict=True):
            address = format_address(asset, key)
            node = address if version in current else f"{address}#{version}"
            nodes.append(LineageNode(node, asset, key, version, level))
        partitions = PartitionSet.from_ordinals(np.unique(ordinals))
        summary.append(AssetRanges(asset, level, len(partitions), tuple(names.ranges(asset, partitions, uid))))
    ids = {node.version: node.id for node in nodes}
    edges = [LineageEdge(ids[read], ids[made], "derived") for read, made in sorted(pairs)]
    return LineageGraph(tuple(nodes), tuple(edges), tuple(summary))


def _latest(log: Pointers) -> list[int]:
    """The current version of each partition that has one."""
    ends = np.append(log.ordinals[1:] != log.ordinals[:-1], True)[: len(log.ordinals)]
    return log.version[ends].tolist()


def _pairs(read: Integers, made: Integers) -> zip[tuple[VersionId, VersionId]]:
    return zip(map(VersionId, read.tolist()), map(VersionId, made.tolist()), strict=True)


def _upstream_uid(row: LineageRow) -> int:
    return row.upstream_uid
