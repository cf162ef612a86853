"""Asking observable sources for their data versions, and publishing what has changed as observations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np

from assetflow.definitions.context import AssetContext
from assetflow.errors import AssetflowError, OutputError, StoreError
from assetflow.execution.tracebacks import user_error
from assetflow.fingerprint.data import hash_text
from assetflow.graph import Node
from assetflow.keys import EMPTY_HASH, AssetKey, DataHash, VersionId
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind
from assetflow.planner.selection import Selection
from assetflow.planner.signatures import hash_lanes
from assetflow.planner.spans import members
from assetflow.planner.state import AssetState, empty_asset_state
from assetflow.planner.targets import choose
from assetflow.publish.key_room import KeyRoom
from assetflow.publish.leasing import Leasing, growing_pauses
from assetflow.publish.setting import Setting
from assetflow.store.leases import Unit
from assetflow.store.records import EventRecord, Group, ObservationRecord, Publication, VersionRecord, Withdrawal

OBSERVATIONS = 0
"""The environment that holds observations: they are shared by all others."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Unobserved:
    """A source that could not be asked; ``last`` is when it last answered (UTC), None for never."""

    asset: AssetKey
    error: AssetflowError
    last: datetime | None

    def sentence(self, now: datetime) -> str:
        """What to tell people."""
        age = "it never was observed" if self.last is None else f"the observation of {_age(now, self.last)} ago is used"
        return f"{self.asset} is unobserved, {age}: {self.error.message}"


@dataclass(frozen=True, slots=True)
class Observed:
    """What asking the sources brought."""

    unobserved: tuple[Unobserved, ...] = ()
    warnings: tuple[str, ...] = ()


def observe_upstream(setting: Setting, selection: Selection, *, strict: bool) -> tuple[str, ...]:
    """Observe the sources upstream of a selection; gives what to tell people, a sentence each.

    With ``strict``, raises what the first source that could not be observed raised. Raises as :func:`observe`, and
    UnknownAsset and InvalidSelection.
    """
    graph = setting.graph
    names = set(graph.nodes)
    if not selection.needs_states:
        chosen = choose(selection, graph, {}).every
        names = names if len(chosen) == len(names) else {*chosen, *graph.ancestors(chosen)}
    observed = observe([node for node in graph.nodes.values() if node.kind == "source" and node.name in names], setting)
    if strict and observed.unobserved:
        raise observed.unobserved[0].error
    return (*(each.sentence(setting.clock()) for each in observed.unobserved), *observed.warnings)


def observe(sources: Sequence[Node], setting: Setting) -> Observed:
    """Ask each source, unless it answered within its ``min_interval``, and publish the differences.

    A source that raises keeps its last observation. Raises StoreError.
    """
    if not sources:
        return Observed()
    last = setting.reader.last_observations()
    observed = _last(setting, [node.outputs[0] for node in sources])
    unobserved: list[Unobserved] = []
    warnings: list[str] = []
    for node in sources:
        asset, uid = node.outputs[0], setting.uids[node.outputs[0]]
        before = last.get(uid)
        observed_at = before.observed_at if before else None
        now = setting.clock()
        interval = node.computation.min_interval
        if interval is not None and observed_at is not None and now - observed_at < interval:
            continue
        try:
            answer, added = _ask(node, setting)
            space = _extended(node, added, setting) if added else setting.spaces[node.name]
            warnings += _publish(node, answer, observed[asset], setting, space, now)
        except (KeyboardInterrupt, StoreError):
            raise
        except BaseException as error:
            problem = user_error(error, f"source {asset}")
            unobserved.append(Unobserved(asset, problem, observed_at))
            setting.writer.record_observations([ObservationRecord(asset, uid, now, problem.message)])
        else:
            setting.writer.record_observations([ObservationRecord(asset, uid, now)])
    setting.writer.flush()
    return Observed(tuple(unobserved), tuple(warnings))


def _last(setting: Setting, sources: Sequence[AssetKey]) -> dict[AssetKey, AssetState]:
    """What the sources answered last."""
    state = setting.reader.read_state(setting.environment, sources, setting.codes, sources=sources, uids=setting.uids)
    return {source: state.assets.get(source) or empty_asset_state() for source in sources}


def _extended(node: Node, added: Mapping[str, tuple[str, ...]], setting: Setting) -> PartitionSpace:
    """Add what a source found to dynamic partitions; gives its own partitions, which may be among them."""
    KeyRoom(setting.graph).require(added.items(), setting.reader.keys())
    for name, keys in added.items():
        setting.writer.add_partitions(name, keys)
    present = setting.reader.dynamic()
    return bind(node.partitions, setting.reader.keys(), present)


def _ask(node: Node, setting: Setting) -> tuple[Mapping[str | None, str | None], Mapping[str, tuple[str, ...]]]:
    """The data versions that a source gives, and the dynamic partitions that it adds."""
    context = AssetContext(node.outputs[0], dynamic=setting.graph.dynamic_names)
    answer: object = node.computation.function(**({"context": context} if node.takes_context else {}))
    return _versions(node, answer), context.added_partitions


def _versions(node: Node, answer: object) -> Mapping[str | None, str | None]:
    asset = node.outputs[0]
    if node.partitions is None:
        if answer is None or isinstance(answer, str):
            return {None: answer}
        raise OutputError(
            f"source {asset} returned {type(answer).__name__}",
            hint="an unpartitioned source returns its data version: a string, or None for known to be empty",
            location=node.computation.location,
        )
    if not isinstance(answer, Mapping):
        raise OutputError(
            f"source {asset} returned {type(answer).__name__}",
            hint="a partitioned source returns {partition_key: data version}",
            location=node.computation.location,
        )
    versions: dict[str | None, str | None] = {}
    for key, version in cast("Mapping[object, object]", answer).items():
        if not isinstance(key, str) or not (version is None or isinstance(version, str)):
            raise OutputError(
                f"source {asset} returned {key!r}: {version!r}",
                hint="keys are strings, data versions strings or None for known to be empty",
                location=node.computation.location,
            )
        versions[key] = version
    return versions


def _publish(
    node: Node,
    answer: Mapping[str | None, str | None],
    before: AssetState,
    setting: Setting,
    space: PartitionSpace,
    now: datetime,
) -> list[str]:
    """Publish the keys whose data version changed and withdraw those that are gone; gives warnings."""
    asset = node.outputs[0]
    uid = setting.uids[asset]
    keys = [key for key in answer if key is not None]
    ordinals = space.ordinals(keys) if node.partitions else np.zeros(len(answer), np.int64)
    found = {int(o): version for o, version in zip(ordinals, answer.values(), strict=True) if o >= 0}
    warnings = _outside(asset, [key for key, ordinal in zip(keys, ordinals.tolist(), strict=False) if ordinal < 0])
    pauses = growing_pauses()
    leasing = Leasing(setting)
    while True:
        changed, gone = _differences(found, before)
        if not changed and not gone:
            return warnings
        touched = PartitionSet.from_ordinals([*(ordinal for ordinal, _, _ in changed), *gone])
        hold, _ = leasing.claim([Unit((uid,), touched)], environment=OBSERVATIONS, whole=True)
        if hold is not None:
            break
        # Another process publishes what it was answered: what is left to do is seen afterwards.
        setting.pause(next(pauses))
        before = _last(setting, [asset])[asset]
    try:
        _commit(asset, uid, changed, gone, setting, now, hold.fence)
    finally:
        hold.release()
    return warnings


def _differences(
    found: Mapping[int, str | None], before: AssetState
) -> tuple[list[tuple[int, str | None, DataHash]], list[int]]:
    """What was answered otherwise than before, and what is there no more."""
    known = {int(o): (int(high), int(low)) for o, (high, low) in zip(before.ordinals, before.hashes, strict=True)}
    changed: list[tuple[int, str | None, DataHash]] = []
    for ordinal, version in sorted(found.items()):
        data_hash = EMPTY_HASH if version is None else hash_text(version)
        if known.get(ordinal) != hash_lanes(data_hash):
            changed.append((ordinal, version, data_hash))
    present = np.fromiter(sorted(found), np.int64, len(found))
    return changed, before.ordinals[~members(before.ordinals, present)].tolist()


def _commit(
    asset: AssetKey,
    uid: int,
    changed: Sequence[tuple[int, str | None, DataHash]],
    gone: Sequence[int],
    setting: Setting,
    now: datetime,
    fence: int,
) -> None:
    ids = setting.writer.reserve_versions(len(changed)) if changed else range(0)
    publications = tuple(
        _observation(asset, uid, ordinal, version, data_hash, VersionId(number), now)
        for number, (ordinal, version, data_hash) in zip(ids, changed, strict=True)
    )
    withdrawals = tuple(Withdrawal(OBSERVATIONS, asset, uid, ordinal, None, now) for ordinal in gone)
    event = EventRecord(now, "observed", asset, None, None, {"changed": len(changed), "gone": len(gone)}, uid)
    setting.writer.publish(Group(publications, withdrawals, fence=fence)).result()
    setting.writer.record_steps([], [event])


def _observation(
    asset: AssetKey,
    uid: int,
    ordinal: int,
    version: str | None,
    data_hash: DataHash,
    number: VersionId,
    now: datetime,
) -> Publication:
    record = VersionRecord(
        number,
        asset,
        uid,
        ordinal,
        None,
        "observed",
        now,
        data_hash,
        empty=version is None,
        inline=None if version is None else json.dumps(version),
    )
    return Publication(
        OBSERVATIONS,
        asset,
        uid,
        ordinal,
        "observed",
        record,
        data_hash,
        version is None,
        None,
        bytes(16),
        (),
        None,
        None,
        now,
    )


def _outside(asset: AssetKey, keys: Sequence[str]) -> list[str]:
    if not keys:
        return []
    more = f" (+{len(keys) - _SHOWN} more)" if len(keys) > _SHOWN else ""
    noun = "key" if len(keys) == 1 else "keys"
    shown = ", ".join(repr(key) for key in keys[:_SHOWN])
    return [f"{asset} was observed with {len(keys)} {noun} outside its partitions, ignored: {shown}{more}"]


def _age(now: datetime, then: datetime) -> str:
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
