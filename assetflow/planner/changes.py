"""What commits did to a state, and the state after them: how a long-lived or a saved state is brought up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.state import (
    AssetState,
    CheckResults,
    Failures,
    Flags,
    InputColumn,
    Integers,
    Lanes,
    Retained,
    State,
    empty_asset_state,
)


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """The partitions that commits touched, with all that is recorded of them now.

    ``touched`` holds ascending ordinals by asset: of pointers that moved or went, tries that failed or no longer count,
    versions that became reusable, and checks that were run; it may hold others. ``state`` is complete in what it says
    of keys, dynamic partitions, uids and codes; of pointers, failures, retained versions, candidates, check results and
    times it holds those of touched partitions only. It has an entry in ``checks`` for every check that there is, be it
    empty.
    """

    touched: Mapping[AssetKey, Integers]
    state: State
    anew: frozenset[AssetKey] = frozenset()
    """Assets of which ``state`` holds everything, whatever was known of them."""
    observed: Mapping[AssetKey, int] = field(default_factory=dict[AssetKey, int])
    """When each source last answered, in microseconds since 1970, of those in ``State.verified``."""

    def __bool__(self) -> bool:
        return any(len(ordinals) for ordinals in self.touched.values()) or bool(self.anew)


def applied(state: State, changes: Changes) -> State:
    """The state after the changes, equal to one read anew; ``state`` stays as it is.

    What an asset's touched partitions had is replaced by what ``changes`` says of them, and the rest is kept. Assets
    that ``changes.state`` does not have are left out.
    """
    latest = changes.state
    assets: dict[AssetKey, AssetState] = {}
    failures: dict[AssetKey, Failures] = {}
    retained: dict[AssetKey, Retained] = {}
    candidates: dict[AssetKey, Retained] = {}
    verified: dict[AssetKey, Integers] = {}
    for key, added in latest.assets.items():
        touched = changes.touched.get(key)
        source = latest if key in changes.anew else state
        if source is latest or touched is None or not len(touched):
            assets[key] = source.assets[key]
            _keep(failures, key, source.failures.get(key))
            _keep(retained, key, source.retained.get(key))
            _keep(candidates, key, source.candidates.get(key))
            _keep(verified, key, source.verified.get(key))
            continue
        before = state.assets[key]
        kept = ~_among(before.ordinals, touched)
        order = np.argsort(np.concatenate((before.ordinals[kept], added.ordinals)), kind="stable")
        assets[key] = _pointers(before, kept, added, order)
        if key in latest.verified:
            known = state.verified.get(key, np.zeros(len(before.ordinals), np.int64))
            verified[key] = np.concatenate((known[kept], latest.verified[key]))[order]
        _keep(failures, key, _failures(state.failures.get(key), latest.failures.get(key), touched))
        _keep(retained, key, _retained(state.retained.get(key), latest.retained.get(key), touched))
        _keep(candidates, key, _retained(state.candidates.get(key), latest.candidates.get(key), touched))
    for key, at in changes.observed.items():
        verified[key] = np.full(len(assets[key].ordinals), at, np.int64)
    return replace(
        latest,
        assets={key: each if len(each.ordinals) else empty_asset_state() for key, each in assets.items()},
        codes=latest.codes,
        failures=failures,
        retained=retained,
        candidates=candidates,
        checks=_checks(state, changes),
        verified={key: times for key, times in verified.items() if len(times)},
    )


def _checks(state: State, changes: Changes) -> dict[tuple[AssetKey, str], CheckResults]:
    checks: dict[tuple[AssetKey, str], CheckResults] = {}
    forgotten: dict[AssetKey, Integers] = {}
    for (key, name), added in changes.state.checks.items():
        before = state.checks.get((key, name)) if key in changes.state.assets else None
        if key not in forgotten:
            forgotten[key] = _versions(state, key, changes.touched.get(key))
        results = added
        if before is not None and key not in changes.anew:
            columns = [
                _united(getattr(before, part.name), getattr(added, part.name), forgotten[key])
                for part in fields(CheckResults)
            ]
            results = CheckResults(*columns)
        if any(len(getattr(results, part.name)) for part in fields(CheckResults)):
            checks[key, name] = results
    return checks


def _versions(state: State, key: AssetKey, touched: Integers | None) -> Integers:
    """The versions known of touched partitions, ascending."""
    records = (state.assets.get(key), state.retained.get(key), state.candidates.get(key))
    if touched is None or not len(touched):
        return np.empty(0, np.int64)
    found = [each.version[_among(each.ordinals, touched)] for each in records if each is not None]
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def _united(before: Integers, added: Integers, forgotten: Integers) -> Integers:
    kept = before[~_among(before, forgotten)] if len(forgotten) else before
    return np.union1d(kept, added) if len(added) else kept


def _among(values: Integers, chosen: Integers) -> Flags:
    """Which of the ascending ``values``, where any may repeat, are among the ascending ``chosen``."""
    found = np.zeros(len(values), np.bool_)
    first, stop = np.searchsorted(values, chosen), np.searchsorted(values, chosen, "right")
    repeats = stop - first
    if not len(repeats) or repeats.max() <= 1:
        found[first[repeats == 1]] = True
        return found
    return np.isin(values, chosen)


def _pointers(before: AssetState, kept: Flags, added: AssetState, order: Integers) -> AssetState:
    columns = {
        part.name: np.concatenate((getattr(before, part.name)[kept], getattr(added, part.name)))[order]
        for part in fields(AssetState)
        if part.name != "inputs"
    }
    inputs: dict[str, InputColumn] = {}
    for parameter in dict.fromkeys((*before.inputs, *added.inputs)):
        old = _column(before, parameter)
        new = _column(added, parameter)
        sums = np.concatenate((old.sums[kept], new.sums))[order]
        present = np.concatenate((old.present[kept], new.present))[order]
        if present.any():
            inputs[parameter] = InputColumn(sums, present)
    return AssetState(**columns, inputs=inputs)


def _column(state: AssetState, parameter: str) -> InputColumn:
    known = state.inputs.get(parameter)
    count = len(state.ordinals)
    return known or InputColumn(np.zeros((count, 2), np.uint64), np.zeros(count, np.bool_))


def _failures(before: Failures | None, added: Failures | None, touched: Integers) -> Failures | None:
    parts: list[Failures] = []
    if before is not None:
        kept: list[int] = np.flatnonzero(~_among(before.ordinals, touched)).tolist()
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
        kept = ~_among(before.ordinals, touched)
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


def _keep(records: dict[AssetKey, Any], key: AssetKey, record: object | None) -> None:
    if record is not None:
        records[key] = record
