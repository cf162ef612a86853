"""What commits did to a state, and the state after them: how a long-lived or a saved state is brought up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.state import AssetState, Failures, Flags, InputColumn, Integers, Lanes, Moves, Retained, State


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """The partitions that commits touched, with all that is recorded of them now.

    ``touched`` holds ascending ordinals by asset: of pointers that moved or went, tries that failed or no longer count,
    versions that became reusable, and checks that were run. ``state`` is complete in what it says of keys, uids,
    codes and checks; of pointers, their moves, failures, retained versions and candidates it holds those of touched
    partitions only.
    """

    touched: Mapping[AssetKey, Integers]
    state: State


def applied(state: State, changes: Changes) -> State:
    """The state after the changes, equal to one read anew; ``state`` stays as it is.

    What an asset's touched partitions had is replaced by what ``changes`` says of them, and the rest is kept. The
    assets in ``changes.state`` must be those of ``state``.
    """
    latest, touched = changes.state, changes.touched
    assets, failures = dict(state.assets), dict(state.failures)
    retained, candidates, verified = dict(state.retained), dict(state.candidates), dict(state.verified)
    moves = dict(state.moves)
    for key, ordinals in touched.items():
        if not len(ordinals):
            continue
        before, added = state.assets[key], latest.assets[key]
        kept = ~np.isin(before.ordinals, ordinals)
        order = np.argsort(np.concatenate((before.ordinals[kept], added.ordinals)), kind="stable")
        assets[key] = _pointers(before, kept, added, order)
        if key in verified:
            verified[key] = np.concatenate((verified[key][kept], latest.verified[key]))[order]
        _replace(moves, key, _moves(state.moves.get(key), latest.moves.get(key), ordinals))
        _replace(failures, key, _failures(state.failures.get(key), latest.failures.get(key), ordinals))
        _replace(retained, key, _retained(state.retained.get(key), latest.retained.get(key), ordinals))
        _replace(candidates, key, _retained(state.candidates.get(key), latest.candidates.get(key), ordinals))
    return replace(
        latest,
        assets=assets,
        codes={**state.codes, **latest.codes},
        failures=failures,
        retained=retained,
        candidates=candidates,
        verified=verified,
        moves=moves,
    )


def _moves(before: Moves | None, added: Moves | None, touched: Integers) -> Moves | None:
    if before is None or added is None:
        return before or added
    kept = ~np.isin(before.ordinals, touched)
    columns = {
        each.name: np.concatenate((getattr(before, each.name)[kept], getattr(added, each.name)))
        for each in fields(Moves)
    }
    order = np.lexsort((columns["generation"], columns["ordinals"]))
    return Moves(**{name: column[order] for name, column in columns.items()})


def _pointers(before: AssetState, kept: Flags, added: AssetState, order: Integers) -> AssetState:
    columns = {
        field.name: np.concatenate((getattr(before, field.name)[kept], getattr(added, field.name)))[order]
        for field in fields(AssetState)
        if field.name != "inputs"
    }
    inputs: dict[str, InputColumn] = {}
    for parameter in dict.fromkeys((*before.inputs, *added.inputs)):
        old = _column(before, parameter)
        new = _column(added, parameter)
        sums = np.concatenate((old.sums[kept], new.sums))[order]
        present = np.concatenate((old.present[kept], new.present))[order]
        if present.any():
            inputs[parameter] = InputColumn(sums, present, _as_of(old, new, kept, order))
    return AssetState(**columns, inputs=inputs)


def _as_of(old: InputColumn, new: InputColumn, kept: Flags, order: Integers) -> Integers | None:
    if old.as_of is None and new.as_of is None:
        return None
    parts = [np.full(len(each.present), -1, np.int64) if each.as_of is None else each.as_of for each in (old, new)]
    return np.concatenate((parts[0][kept], parts[1]))[order]


def _column(state: AssetState, parameter: str) -> InputColumn:
    known = state.inputs.get(parameter)
    count = len(state.ordinals)
    return known or InputColumn(np.zeros((count, 2), np.uint64), np.zeros(count, np.bool_))


def _failures(before: Failures | None, added: Failures | None, touched: Integers) -> Failures | None:
    parts: list[Failures] = []
    if before is not None:
        kept: list[int] = np.flatnonzero(~np.isin(before.ordinals, touched)).tolist()
        runs, errors = tuple([before.runs[at] for at in kept]), tuple([before.errors[at] for at in kept])
        if kept:
            parts.append(Failures(before.ordinals[kept], before.keys[kept], runs, errors))
    if added is not None:
        parts.append(added)
    if not parts:
        return None
    order = np.argsort(np.concatenate([part.ordinals for part in parts]), kind="stable")
    runs = [run for part in parts for run in part.runs]
    errors = [error for part in parts for error in part.errors]
    places: list[int] = order.tolist()
    return Failures(
        np.concatenate([part.ordinals for part in parts])[order],
        _lanes([part.keys for part in parts], order),
        tuple([runs[at] for at in places]),
        tuple([errors[at] for at in places]),
    )


def _retained(before: Retained | None, added: Retained | None, touched: Integers) -> Retained | None:
    parts: list[Retained] = []
    if before is not None:
        kept = ~np.isin(before.ordinals, touched)
        if kept.any():
            parts.append(
                Retained(before.ordinals[kept], before.keys[kept], before.version[kept], before.derivation[kept])
            )
    if added is not None:
        parts.append(added)
    if not parts:
        return None
    order = np.argsort(np.concatenate([part.ordinals for part in parts]), kind="stable")
    return Retained(
        np.concatenate([part.ordinals for part in parts])[order],
        _lanes([part.keys for part in parts], order),
        np.concatenate([part.version for part in parts])[order],
        np.concatenate([part.derivation for part in parts])[order],
    )


def _lanes(parts: list[Lanes], order: Integers) -> Lanes:
    return np.concatenate(parts)[order]


def _replace(records: dict[AssetKey, Any], key: AssetKey, record: object | None) -> None:
    if record is None:
        records.pop(key, None)
    else:
        records[key] = record
