"""How a long-lived planner takes in what commits did, at the cost of the partitions touched and of their readers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.changes import Changes, applied
from assetflow.planner.excerpts import facts_at
from assetflow.planner.holdings import Holdings, Rows, joined
from assetflow.planner.kept import merged
from assetflow.planner.readers import KeptEdge
from assetflow.planner.signatures import mix
from assetflow.planner.spans import Flags, Integers, Lanes, members, picked
from assetflow.planner.state import AssetState, State, empty_asset_state

_Record = TypeVar("_Record")


def take_in(held: Holdings, changes: Changes) -> None:
    """Replace what is kept of the touched partitions, and judge again these and those that read them."""
    touched = {key: each for key, each in changes.touched.items() if len(each) and key in held.readers}
    recorded = _recorded(held, touched)
    dirty: dict[str, list[Integers]] = {}
    for key, ordinals in touched.items():
        existing = held.rows_of(key)
        inside = members(ordinals, existing)
        rows = existing.searchsorted(ordinals[inside])
        dirty.setdefault(held.owner[key], []).append(rows)
        for edge, concerned in _put(held, key, rows, ordinals[inside], changes.state):
            dirty.setdefault(edge.down, []).append(concerned)
    _record(held, changes, touched, recorded)
    for key in changes.observed.keys() & held.ageing:
        _observed(held, key, changes.observed[key])
    judge(held, {name: joined(parts) for name, parts in dirty.items()})


def judge(held: Holdings, rows: Rows) -> None:
    """Judge rows again by themselves."""
    _, facts = facts_at(held.world, held.kept, rows, rows)
    for name, each in facts.items():
        kept, judged = held.kept[name], rows[name]
        kept.marked = _updated(kept.marked, judged, each.bits != 0)
        for edge in each.edges:
            known = kept.edges[edge.edge.parameter]
            known.changed = _updated(known.changed, judged, edge.changed)
    held.note(facts)


def _recorded(held: Holdings, touched: Mapping[AssetKey, Integers]) -> State:
    """What is recorded of the touched assets; of pointers, those of touched partitions and of ones outside."""
    known = held.world.state
    assets: dict[AssetKey, AssetState] = {}
    verified: dict[AssetKey, Integers] = {}
    for key, ordinals in touched.items():
        existing, pointers = held.rows_of(key), held.pointers_of(key)
        rows = existing.searchsorted(ordinals[members(ordinals, existing)])
        assets[key], order = merged(pointers.at(rows, existing[rows]), known.assets[key])
        if key in held.ageing:
            outside = known.verified.get(key, np.zeros(len(known.assets[key].ordinals), np.int64))
            verified[key] = np.concatenate((pointers.verified_at(rows), outside))[order]
    return replace(
        known,
        assets=assets,
        verified=verified,
        failures=_of(touched, known.failures),
        retained=_of(touched, known.retained),
        candidates=_of(touched, known.candidates),
        checks={(key, name): each for (key, name), each in known.checks.items() if key in touched},
    )


def _record(held: Holdings, changes: Changes, touched: Mapping[AssetKey, Integers], recorded: State) -> None:
    """Keep what the changes say of touched assets, apart from the pointers of existing partitions."""
    latest, known = changes.state, held.world.state
    told = {key: latest.assets.get(key) or empty_asset_state() for key in touched}
    times = {key: each for key in touched if (each := held.times_of(key, latest)) is not None}
    checks = {(key, name): each for (key, name), each in latest.checks.items() if key in touched}
    latest = replace(latest, assets=told, verified=times, checks=checks)
    after = applied(recorded, Changes(touched, latest))
    outside = {key: held.outside(key, after) for key in touched}
    state = replace(
        latest,
        assets={**known.assets, **{key: pointers for key, (pointers, _) in outside.items()}},
        verified={**known.verified, **{key: each for key, (_, each) in outside.items() if each is not None}},
        codes={**known.codes, **after.codes},
        failures=_without(touched, known.failures, after.failures),
        retained=_without(touched, known.retained, after.retained),
        candidates=_without(touched, known.candidates, after.candidates),
        checks={**{pair: each for pair, each in known.checks.items() if pair[0] not in touched}, **after.checks},
    )
    held.world = replace(held.world, state=state)


def _observed(held: Holdings, key: AssetKey, at: int) -> None:
    """Keep when a source was asked last, which all its partitions have in common."""
    held.pointers_of(key).verify(at)
    known = held.world.state
    outside = np.full(len(known.assets[key].ordinals), at, np.int64)
    held.world = replace(held.world, state=replace(known, verified={**known.verified, key: outside}))


def _put(
    held: Holdings, key: AssetKey, rows: Integers, ordinals: Integers, latest: State
) -> list[tuple[KeptEdge, Integers]]:
    """Replace pointers; gives the edges that see other data, with the rows concerned."""
    pointers, uid = held.pointers_of(key), latest.uids.get(key, 0)
    there, hashes = pointers.versioned[rows], pointers.hashes[rows]
    pointers.put(rows, ordinals, latest.assets.get(key) or empty_asset_state(), held.times_of(key, latest))
    there_now, hashes_now = pointers.versioned[rows], pointers.hashes[rows]
    differ = (there != there_now) | (there & (hashes != hashes_now).any(axis=1))
    if not differ.any():
        return []
    rows, ordinals = rows[differ], ordinals[differ]
    found: list[tuple[KeptEdge, Integers]] = []
    for edge in held.readers[key]:
        parameter = edge.edge.parameter
        more = _summands(uid, parameter, ordinals, hashes_now[differ], there_now[differ])
        less = _summands(uid, parameter, ordinals, hashes[differ], there[differ])
        found.append((edge, edge.shift(rows, more - less)))
    return found


def _summands(uid: int, parameter: str, ordinals: Integers, hashes: Lanes, there: Flags) -> Lanes:
    summands = mix(uid, parameter, ordinals, hashes)
    summands[~there] = 0
    return summands


def _of(keys: Collection[AssetKey], records: Mapping[AssetKey, _Record]) -> dict[AssetKey, _Record]:
    return {key: records[key] for key in keys if key in records}


def _without(
    keys: Collection[AssetKey], before: Mapping[AssetKey, _Record], after: Mapping[AssetKey, _Record]
) -> dict[AssetKey, _Record]:
    """The records before, with those of ``keys`` as they are after."""
    return {**{key: each for key, each in before.items() if key not in keys}, **_of(keys, after)}


def _updated(rows: Integers, judged: Integers, found: Flags) -> Integers:
    """Ascending ``rows``, where of the ``judged`` ones those that were ``found`` belong to them now."""
    if len(judged) and int(judged[-1]) - int(judged[0]) == len(judged) - 1:
        first, stop = rows.searchsorted((judged[0], judged[-1] + 1))
        kept = np.concatenate((rows[:first], rows[stop:]))
    else:
        kept = rows[~members(rows, judged)]
    return joined([kept, picked(judged, found)])
