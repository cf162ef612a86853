"""``rollback``: back to an earlier version, to how partitions were at a moment, or to before a run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from assetflow.errors import DataMissing, UnknownVersion, UsageError
from assetflow.execution.fitting import Fitting
from assetflow.execution.repointing import Moved, Moves
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.ordinal_spaces import WHOLE, ordinal_space, space_words
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import ordinal_of
from assetflow.planner.spans import Integers
from assetflow.planner.staleness import Assessment
from assetflow.publish.past import refuse_deleted, refuse_former
from assetflow.publish.resolving import resolve
from assetflow.publish.setting import Setting
from assetflow.store.records import Pointers, VersionRecord


@dataclass(slots=True)
class Target:
    """Where the partitions of one asset are to point, by ordinal; 0 for nowhere."""

    versions: dict[int, VersionId] = field(default_factory=dict[int, VersionId])


Targets = dict[AssetKey, Target]
Left = list[tuple[AssetKey, str | None, str]]


def roll_back(
    assessment: Assessment,
    setting: Setting,
    asset: AssetKey,
    partition: str | None,
    version: VersionId,
    *,
    with_downstream: bool,
    reason: str | None = None,
) -> Moved:
    """Publish an earlier version again, stamped with today's code and inputs: it is held until those change.

    ``with_downstream`` takes along each dependent partition that has a version made from it. Raises UnknownVersion,
    UsageError, DataMissing and PublishConflict.
    """
    _refuse_source(setting, asset)
    record = _eligible(setting, asset, partition, version)
    targets = {asset: Target({record.ordinal: record.version})}
    return _carry_out(assessment, setting, targets, [], with_downstream=with_downstream, reason=reason)


def roll_back_to(
    assessment: Assessment,
    setting: Setting,
    asset: AssetKey,
    partitions: PartitionSet | None,
    generation: int,
    *,
    with_downstream: bool,
    reason: str | None = None,
) -> Moved:
    """Publish again what partitions (None: all) were as of a generation, where it is another version now.

    Those that had no version then are withdrawn. Raises UsageError, VersionDeleted, DataMissing and PublishConflict.
    """
    _refuse_source(setting, asset)
    uid, space = setting.uids[asset], setting.spaces[setting.graph.owner[asset]]
    refuse_former(setting.reader, setting.graph, setting.uids, setting.environment, asset, generation)
    then = setting.reader.pointers_as_of(setting.environment, uid, generation)
    now = setting.reader.pointers(setting.environment, uid)
    before, current = _by_ordinal(then), _by_ordinal(now)
    every = np.union1d(then.ordinals, now.ordinals)
    every = every[space.has(every)]
    chosen = every if partitions is None else (PartitionSet.from_ordinals(every) & partitions).array()
    target = Target()
    for ordinal in chosen.tolist():
        if current.get(ordinal) != before.get(ordinal):
            target.versions[ordinal] = before.get(ordinal, VersionId(0))
    return _carry_out(assessment, setting, {asset: target}, [], with_downstream=with_downstream, reason=reason)


def roll_back_run(
    assessment: Assessment, setting: Setting, run_id: str, *, with_downstream: bool, reason: str | None = None
) -> Moved:
    """Publish again what was there before a run, wherever what it published is current; withdraw what was not there.

    What was published over it since is left as it is. Raises UsageError, VersionDeleted, DataMissing, PublishConflict.
    """
    run = setting.reader.run(run_id)
    if run is None:
        raise UsageError(f"there is no run {run_id!r}", hint="`assetflow runs` lists them")
    if run.environment != setting.environment:
        name = {number: name for name, number in setting.reader.environments().items()}[run.environment]
        raise UsageError(
            f"run {run_id} was one of the environment {name}", hint=f"set ASSETFLOW_ENVIRONMENT={name} and try again"
        )
    if run.status == "running":
        raise UsageError(f"run {run_id} is still running", hint="wait until it has ended, or cancel it")
    made = setting.reader.run_moves(setting.environment, run_id)
    if not len(made.uid):
        raise UsageError(f"run {run_id} published nothing", hint=f"assetflow runs show {run_id}")
    assets = {uid: asset for asset, uid in setting.uids.items()}
    targets: Targets = {}
    left: Left = []
    for uid in np.unique(made.uid).tolist():
        if uid not in assets:
            name, space = setting.reader.spaces_of()[uid]
            known = name in setting.graph.owner
            why = f"it was {space_words(space or WHOLE)} then" if known else "it is not declared any more"
            left.append((name, None, why))
            continue
        asset = assets[uid]
        rows = made.uid == uid
        targets[asset] = _before(setting, asset, made.ordinals[rows], made.generation[rows], made.version[rows], left)
    return _carry_out(assessment, setting, targets, left, with_downstream=with_downstream, reason=reason)


def _before(
    setting: Setting, asset: AssetKey, ordinals: Integers, generations: Integers, versions: Integers, left: Left
) -> Target:
    """What the partitions of one asset were before the first of these moves of each."""
    uid, space = setting.uids[asset], setting.spaces[setting.graph.owner[asset]]
    places, first = np.unique(ordinals, return_index=True)
    made = dict(zip(ordinals.tolist(), versions.tolist(), strict=True))  # the last move of each comes last
    log = setting.reader.history(setting.environment, uid)
    found = resolve(log, places, places, generations[first] - 1)
    before = dict(zip(places[found.row].tolist(), map(VersionId, found.version.tolist()), strict=True))
    current = _by_ordinal(setting.reader.pointers(setting.environment, uid))
    inside = space.has(places)
    target = Target()
    moved_on: list[int] = []
    for ordinal, there in zip(places.tolist(), inside.tolist(), strict=True):
        if not there:
            left.append((asset, None, "a partition that its definition no longer has"))
        elif current.get(ordinal) != made[ordinal]:
            moved_on.append(ordinal)
        elif before.get(ordinal) != made[ordinal]:
            target.versions[ordinal] = before.get(ordinal, VersionId(0))
    keys = space.keys(np.array(moved_on, np.int64))
    for key, ordinal in zip(keys, moved_on, strict=True):
        now = current.get(ordinal)
        left.append((asset, key, f"version {now} was published over it since" if now else "it was withdrawn since"))
    return target


def _carry_out(
    assessment: Assessment,
    setting: Setting,
    targets: Targets,
    left: Left,
    *,
    with_downstream: bool,
    reason: str | None,
) -> Moved:
    """One publication of all targets, in the order of the graph, and of what was made from them."""
    for asset, target in targets.items():
        _refuse_unusable(setting, asset, target)
    moves = Moves(assessment, setting)
    below = setting.graph.descendants([setting.graph.owner[asset] for asset in targets]) if with_downstream else ()
    owners = {setting.graph.owner[asset] for asset in targets}
    for name, node in setting.graph.nodes.items():
        if name in owners:
            _restore(moves, node, targets, reason)
        if with_downstream and moves.moved and (name in below or (name in owners and node.own_edges)):
            _follow(moves, assessment, setting, node, reason)
    return moves.publish(left)


def _restore(moves: Moves, node: Node, targets: Targets, reason: str | None) -> None:
    for asset in node.outputs:
        target = targets.get(asset)
        if target is None:
            continue
        gone = [ordinal for ordinal, version in target.versions.items() if not version]
        if gone:
            moves.withdraw(asset, np.array(sorted(gone), np.int64), "rolled_back", reason, forget=False)
        wanted = {ordinal: version for ordinal, version in target.versions.items() if version}
        moves.point(node, asset, wanted, "rollback", reason)


def _follow(moves: Moves, assessment: Assessment, setting: Setting, node: Node, reason: str | None) -> None:
    """Take along the partitions of a computation that have versions made from what was moved."""
    fitting = Fitting(setting, node)

    def follow(only: int | None) -> None:
        moved = moves.moved
        for asset, found in fitting.made_from(moved, only).items():
            wanted = {ordinal: version for ordinal, version in found.items() if (asset, ordinal) not in moved}
            moves.point(node, asset, wanted, "rollback", reason, unless_same=True)

    if not node.own_edges:
        follow(None)
        return
    # Each partition is among the upstreams of those after it.
    for ordinal in setting.spaces[node.name].ordered(assessment.ordinals(node.outputs[0])).tolist():
        follow(ordinal)


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
    if record.state == "quarantined":
        raise UsageError(
            f"version {version} of {place} is quarantined: it was never published",
            hint="mend the data or the check and materialize again, or overrule the check: "
            f"assetflow publish {version} --override --reason TEXT",
        )
    return record


def _refuse_unusable(setting: Setting, asset: AssetKey, target: Target) -> None:
    """Raise VersionDeleted, UsageError or DataMissing where a version cannot be published again."""
    wanted = {version: ordinal for ordinal, version in target.versions.items() if version}
    if not wanted:
        return
    space, reader = setting.spaces[setting.graph.owner[asset]], setting.reader
    facts = reader.facts_of(list(wanted))
    if "deleted" in facts.states:
        records = sorted(reader.versions(list(wanted)).values(), key=lambda record: record.version)
        keys = space.keys(np.array([wanted[record.version] for record in records], np.int64))
        refuse_deleted(reader, records, keys)
    for name in sorted(facts.io_managers):
        if name in setting.managers and not setting.managers[name].versioned:
            raise UsageError(f"{asset}: its IO manager {name!r} keeps no earlier versions, so there is no rollback")
    files = reader.files_of(list(wanted))
    lost = [version for version, each in files.items() if not setting.storage.has_files(*each)]
    if lost:
        place = format_address(asset, space.key(wanted[lost[0]]))
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        raise DataMissing(
            f"{place}: the files of version {lost[0]} are missing or cut short{more}",
            hint=f"choose another one: `assetflow versions {place}`",
        )


def _refuse_source(setting: Setting, asset: AssetKey) -> None:
    if setting.graph.node_of(asset).kind == "source":
        raise UsageError(
            f"{asset} is a source: its versions are observed, not published", hint="name an asset that is built"
        )


def _by_ordinal(pointers: Pointers) -> dict[int, VersionId]:
    return dict(zip(pointers.ordinals.tolist(), map(VersionId, pointers.version.tolist()), strict=True))
