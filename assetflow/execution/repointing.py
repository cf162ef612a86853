"""Moving pointers without computing: ``rollback`` to an earlier version, ``accept`` of what is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assetflow.errors import DataMissing, PublishConflict, UnknownVersion, UsageError
from assetflow.execution.commits import Commit, awaited, enqueue
from assetflow.execution.decisions import decide
from assetflow.execution.journal import Journal
from assetflow.execution.ledger import Ledger
from assetflow.execution.live import LiveState
from assetflow.execution.parts import RunParts
from assetflow.execution.projection import CurrentFiles
from assetflow.execution.records import Derived
from assetflow.execution.stages import VersionIds
from assetflow.execution.task import StagedVersion
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.ordinal_spaces import WHOLE, ordinal_space, space_words
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import ordinal_of
from assetflow.planner.causes import PRECEDENCE
from assetflow.planner.spans import Integers
from assetflow.planner.staleness import Assessment
from assetflow.publish.key_room import KeyRoom
from assetflow.publish.leasing import Leasing
from assetflow.publish.setting import Setting
from assetflow.store.leases import Unit
from assetflow.store.records import DerivationKind, LineageRow, Pointers, Publication, VersionRecord


@dataclass(frozen=True, slots=True)
class Moved:
    """Which versions are current now: asset, partition key, version."""

    published: tuple[tuple[AssetKey, str | None, VersionId], ...]

    def to_dict(self) -> dict[str, object]:
        """The document of ``rollback`` and ``accept``."""
        entries = [{"asset": a, "partition": p, "version": v} for a, p, v in self.published]
        return {"published": entries}


def roll_back(
    assessment: Assessment,
    setting: Setting,
    asset: AssetKey,
    partition: str | None,
    version: VersionId,
    *,
    with_downstream: bool,
) -> Moved:
    """Publish an earlier version again, stamped with today's code and inputs: it is held until those change.

    ``with_downstream`` takes along each dependent partition that has a version made from it. Raises UnknownVersion,
    UsageError, DataMissing and PublishConflict.
    """
    if setting.graph.node_of(asset).kind == "source":
        raise UsageError(
            f"{asset} is a source: its versions are observed, not published", hint="name an asset that is built"
        )
    record = _eligible(setting, asset, partition, version)
    moves = _Moves(assessment, setting)
    moves.publish(setting.graph.node_of(asset), {record.ordinal: {asset: record}}, "rollback", None)
    if with_downstream:
        for name in _below(setting, asset):
            node = setting.graph.nodes[name]
            fitting = _Fitting(setting, node)
            if not node.own_edges:
                moves.publish(node, fitting.made_from(moves.published), "rollback", None)
                continue
            # Each partition is among the upstreams of those after it.
            for ordinal in setting.spaces[name].ordered(assessment.ordinals(node.outputs[0])).tolist():
                if (node.outputs[0], ordinal) not in moves.published:
                    moves.publish(node, fitting.made_from(moves.published, ordinal), "rollback", None)
    return moves.finish()


def accept(assessment: Assessment, setting: Setting, asset: AssetKey, reason: str) -> Moved:
    """Stamp the stale partitions of an asset with today's code and inputs, keeping their versions and the reason."""
    node = setting.graph.node_of(asset)
    if node.kind == "source":
        raise UsageError(f"{asset} is a source: there is nothing to accept", hint="name an asset that is built")
    stale = PRECEDENCE.index("stale")
    ordinals = assessment.ordinals(asset)[assessment.states(asset) == stale].tolist()
    pointers = setting.reader.pointers(setting.environment, setting.uids[asset])
    current = dict(zip(pointers.ordinals.tolist(), pointers.version.tolist(), strict=True))
    records = setting.reader.versions([VersionId(current[ordinal]) for ordinal in ordinals])
    moves = _Moves(assessment, setting)
    wanted = {ordinal: {asset: records[VersionId(current[ordinal])]} for ordinal in ordinals}
    moves.publish(node, wanted, "accept", reason)
    return moves.finish()


def _eligible(setting: Setting, asset: AssetKey, partition: str | None, version: VersionId) -> VersionRecord:
    record = setting.reader.version(version)
    space = setting.spaces[setting.graph.owner[asset]]
    if record.asset != asset:
        raise UnknownVersion(
            f"version {version} is one of {record.asset}, not of {asset}", hint=f"see `assetflow versions {asset}`"
        )
    if record.uid != setting.uids[asset]:
        former = setting.reader.spaces_of([asset])[record.uid][1] or WHOLE
        now = space_words(ordinal_space(setting.graph.node_of(asset).partitions))
        raise UsageError(
            f"version {version} of {asset} is from when it was {space_words(former)}; now it is {now}",
            hint=f"declare it as it was to roll back, or read it: assetflow show {asset} --version {version}",
        )
    if not space.has(np.array([record.ordinal], np.int64)).all():
        raise UsageError(
            f"version {version} of {asset} is of a partition that its definition no longer has",
            hint=f"see `assetflow versions {asset}`",
        )
    place = format_address(asset, space.key(record.ordinal))
    if partition is not None and ordinal_of(space, asset, partition) != record.ordinal:
        raise UnknownVersion(
            f"version {version} is one of {place}, not of {format_address(asset, partition)}",
            hint=f"see `assetflow versions {format_address(asset, partition)}`",
        )
    if record.state != "published":
        raise UsageError(
            f"version {version} of {place} is {record.state}: it was never published",
            hint="mend the data or the check and materialize again",
        )
    name = record.io_manager
    if name is not None and not setting.managers[name].versioned:
        raise UsageError(f"{place}: its IO manager {name!r} keeps no earlier versions, so there is no rollback")
    if not setting.storage.holds(record):
        raise DataMissing(
            f"{place}: the files of version {version} are missing or cut short",
            hint=f"choose another one: `assetflow versions {place}`",
        )
    return record


class _Moves:
    """Pointer moves in the order of the graph; each is committed before the next is decided."""

    def __init__(self, assessment: Assessment, setting: Setting) -> None:
        self._now = assessment.world.now
        self._setting = setting
        state = assessment.world.state
        versions: dict[VersionId, VersionRecord] = {}
        self._projection = CurrentFiles(setting, versions)
        self._parts = RunParts(
            "",
            setting,
            state,
            LiveState(state, lambda key: self._existing(setting.graph.owner[key])),
            Journal(setting.writer, "", lambda entries, staged: None),
            VersionIds(setting, 0),
            self._existing,
            self._now,
            False,
            self._projection,
            lambda entry: None,
            versions,
            KeyRoom(setting.graph),
        )
        self.published: dict[tuple[AssetKey, int], VersionId] = {}

    def publish(
        self,
        node: Node,
        wanted: Mapping[int, Mapping[AssetKey, VersionRecord]],
        kind: DerivationKind,
        reason: str | None,
    ) -> None:
        """Point partitions, by ordinal, at versions of some of the node's outputs, as one group."""
        if not wanted:
            return
        ordinals = np.fromiter(sorted(wanted), np.int64, len(wanted))
        ledger = Ledger(self._parts, decide(node, ordinals, self._parts))
        publications: list[Publication] = []
        made: list[Derived] = []
        now = self._setting.clock()
        for row, ordinal in enumerate(ordinals.tolist()):
            made.append(ledger.derived(row))
            for asset, record in wanted[ordinal].items():
                self._parts.versions[record.version] = record
                staged = StagedVersion(
                    asset,
                    record.version,
                    record.data_hash,
                    empty=record.empty,
                    row_count=record.row_count,
                    byte_count=record.byte_count,
                )
                publications.append(ledger.publication(row, record.version, staged, made[-1], kind, now, reason=reason))
                self.published[asset, ordinal] = record.version
        uids = tuple({publication.uid: None for publication in publications})
        units = [Unit(uids, PartitionSet.from_ascending(ordinals))]
        # A run that is at it finds them as they are then.
        with Leasing(self._setting).holding(units, taking_over=True) as hold:
            ticket = enqueue(replace(self._parts, lease=hold), Commit(tuple(publications), (), awaited(made)))
            try:
                ticket.result()
            except PublishConflict:
                self._projection.refresh()
                raise

    def finish(self) -> Moved:
        """Refresh the projections; gives what was published."""
        self._projection.refresh()
        spaces, owner = self._setting.spaces, self._setting.graph.owner
        return Moved(tuple((a, spaces[owner[a]].key(o), v) for (a, o), v in self.published.items()))

    def _existing(self, computation: str) -> Integers:
        return self._setting.spaces[computation].existing(self._now).array()


def _below(setting: Setting, asset: AssetKey) -> list[str]:
    owner = setting.graph.owner[asset]
    below = setting.graph.descendants([owner])
    return [name for name, node in setting.graph.nodes.items() if name in below or (name == owner and node.own_edges)]


class _Fitting:
    """Which versions of a computation's outputs were made from what has been moved."""

    def __init__(self, setting: Setting, node: Node) -> None:
        self._setting = setting
        self._node = node
        uids = {setting.uids[asset] for asset in node.outputs}
        self._histories: dict[AssetKey, Pointers] = {}
        self._readers: dict[AssetKey, list[LineageRow]] = {}
        for upstream in {edge.upstream for edge in node.edges}:
            uid = setting.uids[upstream]
            self._histories[upstream] = setting.reader.history(setting.environment, uid)
            readers = setting.reader.readers_of(uid, environment=setting.environment)
            self._readers[upstream] = [row for row in readers if row.uid in uids]

    def made_from(
        self, published: Mapping[tuple[AssetKey, int], VersionId], only: int | None = None
    ) -> dict[int, dict[AssetKey, VersionRecord]]:
        """By partition: the newest versions that read nothing of what was moved but what is published of it now."""
        found: dict[int, dict[AssetKey, VersionRecord]] = {}
        for asset in self._node.outputs:
            fitting = self._newest(asset, published, only)
            records = self._setting.reader.versions(list(fitting.values()))
            for ordinal, version in fitting.items():
                if records[version].state == "published" and self._setting.storage.holds(records[version]):
                    found.setdefault(ordinal, {})[asset] = records[version]
        return found

    def _newest(
        self, asset: AssetKey, published: Mapping[tuple[AssetKey, int], VersionId], only: int | None
    ) -> dict[int, VersionId]:
        verdicts: dict[tuple[int, VersionId], bool] = {}
        for upstream, readers in self._readers.items():
            moved = {ordinal: version for (key, ordinal), version in published.items() if key == upstream}
            history = self._histories[upstream]
            for row in readers if moved else ():
                if row.asset != asset or (only is not None and row.ordinal != only):
                    continue
                for ordinal, version in moved.items():
                    if row.first <= ordinal <= row.last:
                        log = history.ordinals == ordinal
                        before = log & (history.generation <= row.as_of)
                        read = int(history.version[before][-1]) if before.any() else 0
                        place = (row.ordinal, row.version)
                        verdicts[place] = verdicts.get(place, True) and read == version
        best: dict[int, VersionId] = {}
        for (ordinal, version), fits in sorted(verdicts.items()):
            if fits:
                best[ordinal] = version
        return best
