"""Moving pointers without computing: what is moved together becomes one publication, in one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from assetflow.errors import PublishConflict, UsageError
from assetflow.execution.commits import move
from assetflow.execution.decisions import Reading, decide
from assetflow.execution.journal import Journal
from assetflow.execution.ledger import HAPPENED
from assetflow.execution.live import LiveState
from assetflow.execution.parts import RunParts
from assetflow.execution.projection import CurrentFiles
from assetflow.execution.records import ranges_of
from assetflow.execution.stages import VersionIds
from assetflow.execution.together import Pending
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.causes import PRECEDENCE
from assetflow.planner.spans import Integers
from assetflow.planner.staleness import Assessment
from assetflow.publish.key_room import KeyRoom
from assetflow.publish.leasing import publish_alone
from assetflow.publish.liveness import this_user
from assetflow.publish.setting import Setting
from assetflow.store.records import (
    DerivationKind,
    EventRecord,
    Group,
    Publication,
    ReadColumns,
    Repointing,
    Ticket,
    VersionRecord,
    Withdrawal,
)

_RANGES_TOLD = 100
"""How many ranges of partitions an event lists."""

_LOOKED_AT = 100
"""Of so many versions it is asked whether they have files, for an asset that has no projection yet."""


def repoint(setting: Setting, group: Group) -> Ticket:
    """The one door for publications outside a run: waits until the group is committed. Raises PublishConflict.

    What a run is at is taken from it.
    """
    return publish_alone(setting, group)


@dataclass(frozen=True, slots=True)
class Moved:
    """What is current now: asset, partition key and version; what is not any more; and what was left as it is, why."""

    published: tuple[tuple[AssetKey, str | None, VersionId], ...]
    withdrawn: tuple[tuple[AssetKey, str | None, VersionId], ...] = ()
    left: tuple[tuple[AssetKey, str | None, str], ...] = ()
    generation: int | None = None
    """None where nothing was moved."""

    def to_dict(self) -> dict[str, object]:
        """The document of ``rollback``, ``accept``, ``publish`` and ``wipe``."""
        return {
            "published": [{"asset": a, "partition": p, "version": v} for a, p, v in self.published],
            "withdrawn": [{"asset": a, "partition": p, "version": v} for a, p, v in self.withdrawn],
            "left": [{"asset": a, "partition": p, "reason": why} for a, p, why in self.left],
            "generation": self.generation,
        }


def accept(assessment: Assessment, setting: Setting, asset: AssetKey, reason: str) -> Moved:
    """Stamp the stale partitions of an asset with today's code and inputs, keeping their versions and the reason."""
    node = setting.graph.node_of(asset)
    if node.kind == "source":
        raise UsageError(f"{asset} is a source: there is nothing to accept", hint="name an asset that is built")
    stale = PRECEDENCE.index("stale")
    ordinals = assessment.ordinals(asset)[assessment.states(asset) == stale].tolist()
    pointers = setting.reader.pointers(setting.environment, setting.uids[asset])
    current = dict(zip(pointers.ordinals.tolist(), pointers.version.tolist(), strict=True))
    moves = Moves(assessment, setting)
    moves.point(node, asset, {ordinal: VersionId(current[ordinal]) for ordinal in ordinals}, "accept", reason)
    return moves.publish()


class Moves:
    """Pointer moves in the order of the graph, each decided on those before it; nothing is visible before the end."""

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
        self._own: Ticket = Pending()
        self._publications: list[Publication] = []
        self._withdrawals: list[Withdrawal] = []
        self._repointings: list[Repointing] = []
        self._events: list[EventRecord] = []
        self.published: dict[tuple[AssetKey, int], VersionId] = {}
        self.withdrawn: dict[tuple[AssetKey, int], VersionId] = {}

    @property
    def moved(self) -> Mapping[tuple[AssetKey, int], VersionId]:
        """Where the partitions point after this, 0 for nowhere."""
        return {**self.published, **dict.fromkeys(self.withdrawn, VersionId(0))}

    def point(
        self,
        node: Node,
        asset: AssetKey,
        wanted: Mapping[int, VersionId],
        kind: DerivationKind,
        reason: str | None,
        *,
        unless_same: bool = False,
    ) -> None:
        """Point partitions of one output, by ordinal, at versions, as made by today's code and inputs.

        ``unless_same`` leaves those alone whose pointer says just that.
        """
        if not wanted:
            return
        setting, parts = self._setting, self._parts
        ordinals = np.fromiter(sorted(wanted), np.int64, len(wanted))
        versions = np.fromiter((wanted[ordinal] for ordinal in ordinals.tolist()), np.int64, len(wanted))
        decision = decide(node, ordinals, parts)
        present, current, expected = parts.pointed(asset, ordinals)
        rows = np.arange(len(ordinals))
        if unless_same:
            rows = np.flatnonzero(~(decision.same & present & (current == versions)))
        if not len(rows):
            return
        ordinals, versions = ordinals[rows], versions[rows]
        facts = setting.reader.facts_of(versions.tolist())
        places = np.searchsorted(facts.version, versions)
        space = setting.spaces[node.name]
        self._repointings.append(
            Repointing(
                environment=setting.environment,
                asset=asset,
                uid=setting.uids[asset],
                kind=kind,
                code=setting.codes.computations[node.name].version,
                ordinals=ordinals.tolist(),
                versions=versions.tolist(),
                keys=decision.keys[rows].astype(">u8").tobytes(),
                expected=expected[rows].tolist(),
                inputs=tuple(self._read(reading, rows) for reading in decision.readings),
                created_at=setting.clock(),
                held=kind == "rollback",
                reason=reason,
                key_of=space.key,
            )
        )
        self.published.update(
            zip(((asset, o) for o in ordinals.tolist()), map(VersionId, versions.tolist()), strict=True)
        )
        parts.live.repoint(asset, ordinals, versions, facts.hashes[places], facts.empty[places] > 0, self._own)
        told = self._event(HAPPENED[kind], asset, ordinals.tolist(), reason)
        if len(rows) == 1:
            told = replace(told, payload={"version": int(versions[0]), **told.payload})
        self._events.append(told)

    def _read(self, reading: Reading, rows: Integers) -> ReadColumns:
        """What one edge reads, by row."""
        own = self._parts.live.is_last(self._own)
        live, read = reading.live, reading.signature.read
        generation = self._parts.state.generation
        sums = reading.signature.sums[rows].astype(">u8").tobytes()
        uid = self._setting.uids[reading.edge.upstream]
        pending = live.sequence > 0
        if own and pending.all():
            as_of: list[int | None] = [None] * len(rows)
        elif not (own and pending.any()):
            as_of = [generation] * len(rows)
        else:
            touched = (bool(pending[reading.positions(row)].any()) for row in rows.tolist())
            as_of = [None if each else generation for each in touched]
        counts = (read.hi - read.lo)[rows]
        if bool((counts == 1).all()) and len(live.ordinals):
            at = read.lo[rows] if read.gather is None else read.gather[read.lo[rows]]
            ranges: list[Sequence[tuple[int, int]]] = [((o, o),) for o in live.ordinals[at].tolist()]
        else:
            ranges = [ranges_of(live.ordinals[reading.positions(row)]) for row in rows.tolist()]
        return ReadColumns(reading.edge.parameter, uid, sums, ranges, counts.tolist(), as_of)

    def add(self, publication: Publication, record: VersionRecord, event: EventRecord) -> None:
        """Point one partition as the publication says, and tell of it."""
        self._parts.versions[record.version] = record
        self.published[publication.asset, publication.ordinal] = record.version
        move(self._parts, [publication], self._own)
        self._publications.append(replace(publication, events=(event,)))

    def withdraw(self, asset: AssetKey, ordinals: Integers, kind: str, reason: str | None, *, forget: bool) -> None:
        """Take partitions out of what is published; those that are not in it stay so.

        What they held is not found again by code and inputs; nor, with ``forget``, is any version before it.
        """
        setting, now = self._setting, self._setting.clock()
        uid, space = setting.uids[asset], setting.spaces[setting.graph.owner[asset]]
        present, versions, generations = self._parts.pointed(asset, ordinals)
        keys = space.keys(ordinals)
        taken: list[int] = []
        for ordinal, key, there, version, generation in zip(
            ordinals.tolist(), keys, present.tolist(), versions.tolist(), generations.tolist(), strict=True
        ):
            self._withdrawals.append(
                Withdrawal(
                    setting.environment,
                    asset,
                    uid,
                    ordinal,
                    None,
                    now,
                    "partition" if forget else "version",
                    generation,
                    key,
                )
            )
            if there:
                taken.append(ordinal)
                self.withdrawn[asset, ordinal] = VersionId(version)
        if taken:
            self._events.append(self._event(kind, asset, taken, reason))
        self._parts.live.withdraw(asset, ordinals)

    def publish(self, left: Sequence[tuple[AssetKey, str | None, str]] = ()) -> Moved:
        """Commit all of it and refresh the projections; gives what was done. Raises PublishConflict."""
        setting = self._setting
        if not self._publications and not self._withdrawals and not self._repointings:
            return Moved((), (), tuple(left))
        setting.writer.save_code(list(setting.code_sources))
        group = Group(
            tuple(self._publications),
            tuple(self._withdrawals),
            events=tuple(self._events),
            repointings=tuple(self._repointings),
        )
        assets = {asset for asset, _ in (*self.published, *self.withdrawn)}
        with_files = {asset for asset in assets if self._has_files(asset)}
        try:
            ticket = repoint(setting, group)
        except PublishConflict:
            for asset in assets:
                self._projection.moved(asset, self._own, with_files=asset in with_files)
            self._projection.refresh()
            raise
        for asset in assets:
            self._projection.moved(asset, ticket, with_files=asset in with_files)
        self._projection.refresh()
        return Moved(self._named(self.published), self._named(self.withdrawn), tuple(left), ticket.result())

    def _named(
        self, places: Mapping[tuple[AssetKey, int], VersionId]
    ) -> tuple[tuple[AssetKey, str | None, VersionId], ...]:
        by_asset: dict[AssetKey, list[tuple[int, VersionId]]] = {}
        for (asset, ordinal), version in places.items():
            by_asset.setdefault(asset, []).append((ordinal, version))
        found: list[tuple[AssetKey, str | None, VersionId]] = []
        for asset, pairs in by_asset.items():
            space = self._setting.spaces[self._setting.graph.owner[asset]]
            keys = space.keys(np.fromiter((ordinal for ordinal, _ in pairs), np.int64, len(pairs)))
            found += [(asset, key, version) for key, (_, version) in zip(keys, pairs, strict=True)]
        return tuple(found)

    def _has_files(self, asset: AssetKey) -> bool:
        versions = (version for (key, _), version in self.published.items() if key == asset)
        return bool(self._setting.reader.files_of(list(islice(versions, _LOOKED_AT))))

    def _event(self, kind: str, asset: AssetKey, ordinals: Sequence[int], reason: str | None) -> EventRecord:
        setting = self._setting
        space = setting.spaces[setting.graph.owner[asset]]
        payload: dict[str, object] = {"count": len(ordinals), "by": this_user()}
        if reason is not None:
            payload["reason"] = reason
        if space.grain != "none":
            payload["partitions"] = space.describe(PartitionSet.from_ordinals(ordinals), _RANGES_TOLD)
        ordinal = ordinals[0] if len(ordinals) == 1 else None
        return EventRecord(setting.clock(), kind, asset, ordinal, None, payload, setting.uids[asset])

    def _existing(self, computation: str) -> Integers:
        return self._setting.spaces[computation].existing(self._now).array()
