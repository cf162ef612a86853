"""What was recorded after a state was read: found by the numbers of derivations and changes, which only rise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.changes import Changes
from assetflow.planner.state import Codes, Integers, Mark, State, empty_asset_state
from assetflow.store import statements as sql
from assetflow.store.columns import gathered
from assetflow.store.connection import Connection
from assetflow.store.encoding import to_json
from assetflow.store.scopes import Scope
from assetflow.store.state import (
    Question,
    Remembered,
    Scopes,
    code_ids,
    read_codes,
    read_observed,
    read_parts,
    read_uids,
    whole,
)


def read_changes(
    connection: Connection,
    remembered: Remembered,
    question: Question,
    before: State,
    earlier: Codes,
) -> Changes:
    """What to apply to ``before``, the answer to a like question for the codes ``earlier``.

    Of its assets the same ones were observed and verified; others are read whole, as are those whose checks are others
    now. To be called inside a read transaction.
    """
    uids = read_uids(connection, question)
    every = whole(question, uids)
    rechecked = {
        asset for (asset, name), code in question.codes.checks.items() if earlier.checks.get((asset, name)) != code
    }
    anew = {
        key
        for key in question.assets
        if key not in before.assets or key in rechecked or before.uids.get(key, uids.get(key)) != uids.get(key)
    }
    places = _touched(connection, before.mark)
    places += _recoded(connection, remembered, question, every.built, earlier)
    touched = _by_uid(places, {uid for uid, key in every.every.items() if key not in anew})
    state = read_parts(
        connection, remembered, question, uids, Scopes(_single(every.built, touched), _single(every.observed, touched))
    )
    ordinals = {every.every[uid]: found for uid, found in touched.items()}
    if anew:
        scopes = Scopes(every.built.restricted(anew), every.observed.restricted(anew))
        added = read_parts(connection, remembered, question, uids, scopes)
        state = _joined(state, added, anew)
        ordinals |= {key: _recorded(added, key) for key in sorted(anew)}
    # Their texts may have been written down since, or may no longer be at hand.
    present = {record.version: record for record in question.codes.computations.values()}
    codes = read_codes(connection, remembered, present, before.codes.keys() | state.codes.keys())
    observed = every.observed.restricted(question.verified)
    times = read_observed(connection, observed)
    return Changes(
        touched=ordinals,
        state=replace(state, codes=codes),
        anew=frozenset(anew),
        observed={key: times.get(uid, 0) for uid, key in observed.assets.items()},
    )


def _touched(connection: Connection, since: Mark) -> list[tuple[Integers, Integers]]:
    values = {"derivation": since.derivation, "change": since.change}
    uids, ordinals = gathered(connection, sql.CHANGED, values, numbers=("asset", "ordinal")).numbers
    return [(uids, ordinals)]


def _recoded(
    connection: Connection, remembered: Remembered, question: Question, scope: Scope, earlier: Codes
) -> list[tuple[Integers, Integers]]:
    """The partitions with anything to publish again under code that came or went."""
    before, now = ({record.version for record in codes.computations.values()} for codes in (earlier, question.codes))
    ids = code_ids(connection, remembered, before ^ now) if before != now else {}
    if not ids or not scope:
        return []
    values = {**scope.values(), "codes": to_json(list(ids.values()))}
    names = ("asset", "ordinal")
    found = [gathered(connection, scope.retired(len(ids)), values, numbers=names)]
    elsewhere = scope.statement(sql.CURRENT_ELSEWHERE, "pointers", "p")
    query = "SELECT id FROM environments WHERE id != ?"
    for (other,) in connection.execute(query, (question.environment,)).fetchall():
        found.append(gathered(connection, elsewhere, {**values, "environment": other}, numbers=names))
    return [(each.numbers[0], each.numbers[1]) for each in found]


def _by_uid(places: Iterable[tuple[Integers, Integers]], wanted: Collection[int]) -> dict[int, Integers]:
    """Ordinals by asset, ascending and unique."""
    pairs = list(places)
    uids = np.concatenate([each for each, _ in pairs])
    ordinals = np.concatenate([each for _, each in pairs])
    order = np.lexsort((ordinals, uids))
    uids, ordinals = uids[order], ordinals[order]
    bounds = [0, *(np.flatnonzero(np.diff(uids)) + 1).tolist(), len(uids)]
    found: dict[int, Integers] = {}
    for first, last in pairwise(bounds):
        if first < last and int(uids[first]) in wanted:
            part = ordinals[first:last]
            found[int(uids[first])] = part[np.concatenate(([True], part[1:] != part[:-1]))]
    return found


def _single(scope: Scope, touched: Mapping[int, Integers]) -> Scope:
    single = {uid: touched[uid] for uid in scope.assets if uid in touched}
    return Scope({uid: scope.assets[uid] for uid in single}, single)


def _joined(state: State, added: State, anew: Collection[AssetKey]) -> State:
    return replace(
        state,
        assets={key: (added if key in anew else state).assets[key] for key in state.assets},
        codes={**state.codes, **added.codes},
        failures={**state.failures, **added.failures},
        retained={**state.retained, **added.retained},
        candidates={**state.candidates, **added.candidates},
        checks={place: (added if place[0] in anew else state).checks[place] for place in state.checks},
        verified={**state.verified, **added.verified},
    )


def _recorded(state: State, key: AssetKey) -> Integers:
    """Every partition of which anything is recorded."""
    records = [state.assets.get(key, empty_asset_state()), state.failures.get(key)]
    records += [state.retained.get(key), state.candidates.get(key)]
    return np.unique(np.concatenate([each.ordinals for each in records if each is not None]))
