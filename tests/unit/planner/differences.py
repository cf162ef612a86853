"""What two states of one world differ in, as the changes that lead from the one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.changes import Changes
from assetflow.planner.state import AssetState, CheckResults, Failures, InputColumn, Retained, State, empty_asset_state


def changes_between(before: State, after: State) -> Changes:
    """The changes, of which ``touched`` is no more than what differs."""
    keys = {*before.assets, *after.assets, *before.failures, *after.failures, *before.retained, *after.retained}
    keys |= {*before.candidates, *after.candidates}
    touched: dict[AssetKey, np.ndarray[Any, Any]] = {}
    for key in keys:
        earlier, later = _records(before, key), _records(after, key)
        differ = [ordinal for ordinal in {*earlier, *later} if earlier.get(ordinal) != later.get(ordinal)]
        if differ:
            touched[key] = np.array(sorted(differ), np.int64)
    return Changes(touched, _only(after, touched))


def _records(state: State, key: AssetKey) -> dict[int, list[object]]:
    """All that is recorded of each partition, and what checks say of its versions."""
    found: dict[int, list[object]] = {}
    pointers = state.assets.get(key, empty_asset_state())
    times = state.verified.get(key, np.zeros(len(pointers.ordinals), np.int64))
    checks = [(name, results) for (asset, name), results in state.checks.items() if asset == key]
    for place, ordinal in enumerate(pointers.ordinals.tolist()):
        values = [_plain(getattr(pointers, each.name)[place]) for each in fields(AssetState) if each.name != "inputs"]
        inputs = {name: _plain(each.sums[place]) for name, each in pointers.inputs.items() if each.present[place]}
        results = _results(checks, int(pointers.version[place]))
        found.setdefault(ordinal, []).extend([*values, inputs, results, int(times[place])])
    failures = state.failures.get(key)
    for place, ordinal in enumerate([] if failures is None else failures.ordinals.tolist()):
        assert failures is not None
        record = ("failed", _plain(failures.keys[place]), failures.runs[place], failures.errors[place])
        found.setdefault(ordinal, []).append(record)
    for kind, every in (("retained", state.retained), ("candidate", state.candidates)):
        offers = every.get(key)
        for place, ordinal in enumerate([] if offers is None else offers.ordinals.tolist()):
            assert offers is not None
            version = int(offers.version[place])
            record = (kind, _plain(offers.keys[place]), version, int(offers.derivation[place]))
            found.setdefault(ordinal, []).append((*record, _results(checks, version)))
    return found


def _results(checks: list[tuple[str, CheckResults]], version: int) -> list[tuple[str, bool, bool, bool]]:
    found = [(name, version in each.passed, version in each.failed, version in each.earlier) for name, each in checks]
    return [each for each in found if any(each[1:])]


def _plain(value: Any) -> object:
    return value.tolist()


def _only(state: State, touched: Mapping[AssetKey, np.ndarray[Any, Any]]) -> State:
    """The state with nothing said of partitions that are not touched."""
    assets: dict[AssetKey, AssetState] = {}
    verified: dict[AssetKey, np.ndarray[Any, Any]] = {}
    for key in state.uids:
        pointers = state.assets.get(key, empty_asset_state())
        kept = np.isin(pointers.ordinals, touched.get(key, ()))
        columns = {
            each.name: getattr(pointers, each.name)[kept] for each in fields(AssetState) if each.name != "inputs"
        }
        inputs = {
            name: InputColumn(each.sums[kept], each.present[kept], None if each.as_of is None else each.as_of[kept])
            for name, each in pointers.inputs.items()
        }
        assets[key] = AssetState(inputs=inputs, **columns)
        if key in state.verified:
            verified[key] = state.verified[key][kept]
    return replace(
        state,
        assets=assets,
        verified=verified,
        failures={key: _failures(each, touched[key]) for key, each in state.failures.items() if key in touched},
        retained={key: _retained(each, touched[key]) for key, each in state.retained.items() if key in touched},
        candidates={key: _retained(each, touched[key]) for key, each in state.candidates.items() if key in touched},
    )


def _failures(record: Failures, ordinals: np.ndarray[Any, Any]) -> Failures:
    places = np.flatnonzero(np.isin(record.ordinals, ordinals))
    runs, errors = tuple(record.runs[place] for place in places), tuple(record.errors[place] for place in places)
    return Failures(record.ordinals[places], record.keys[places], runs, errors)


def _retained(record: Retained, ordinals: np.ndarray[Any, Any]) -> Retained:
    kept = np.isin(record.ordinals, ordinals)
    return Retained(record.ordinals[kept], record.keys[kept], record.version[kept], record.derivation[kept])
