"""The planner's State, read from the tables: a few statements for all assets, columns in numpy, no work by row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.state import (
    AssetState,
    CheckResults,
    CodeRecord,
    Codes,
    Failures,
    InputColumn,
    Integers,
    Moves,
    Retained,
    State,
    empty_asset_state,
)
from assetflow.store import statements as sql
from assetflow.store.encoding import EMPTY, HELD, TOLERATED, from_json, to_json, to_lanes

Row = tuple[Any, ...]


@dataclass(slots=True)
class Remembered:
    """What never changes once it is written, so that a long-lived reader fetches it once."""

    codes: dict[int, CodeVersion] = field(default_factory=dict[int, CodeVersion])
    components: dict[int, CodeRecord] = field(default_factory=dict[int, CodeRecord])
    layouts: dict[int, tuple[str, ...]] = field(default_factory=dict[int, "tuple[str, ...]"])
    keys: KeyDictionary = field(default_factory=KeyDictionary)


def read_state(
    connection: sqlite3.Connection,
    remembered: Remembered,
    environment: int,
    assets: Sequence[AssetKey],
    codes: Codes,
    sources: Collection[AssetKey],
    verified: Collection[AssetKey],
    tolerant: Mapping[AssetKey, Collection[str]],
) -> State:
    """The state of the assets in one environment; to be called inside a read transaction."""
    uids: dict[AssetKey, int] = dict(connection.execute(sql.UIDS, (to_json(assets),)).fetchall())
    observed = frozenset(sources)
    built = {uids[key]: key for key in assets if key in uids and key not in observed}
    named = {uids[key]: key for key in assets if key in uids and key in observed}
    columns, used = _pointers(connection, remembered, environment, built)
    columns |= _pointers(connection, remembered, 0, named)[0]
    nothing = empty_asset_state()
    present = {record.version: record for record in codes.computations.values()}
    ids = _code_ids(connection, remembered, present)
    retained, candidates = _reusable(connection, environment, built, ids)
    moves = _left_out(connection, environment, uids, columns, observed, tolerant)
    return State(
        generation=connection.execute(sql.COUNTERS).fetchone()[0],
        uids=uids,
        keys=read_keys(connection, remembered),
        assets={key: columns.get(key, nothing) for key in assets},
        codes=_codes(connection, remembered, present, used),
        failures=_failures(connection, environment, built),
        retained=retained,
        candidates=candidates,
        checks=_checks(connection, remembered, environment, uids, codes, columns, (retained, candidates)),
        verified=_verified(connection, environment, uids, verified, columns, observed),
        moves=moves,
    )


def read_keys(connection: sqlite3.Connection, remembered: Remembered) -> KeyDictionary:
    """The dictionary of static keys, which only ever grows."""
    query = "SELECT key, ordinal FROM partition_keys WHERE ordinal > ?"
    added = connection.execute(query, (max(remembered.keys.ordinals.values(), default=0),)).fetchall()
    if added:
        remembered.keys = KeyDictionary({**remembered.keys.ordinals, **dict(added)})
    return remembered.keys


def _pointers(
    connection: sqlite3.Connection, remembered: Remembered, environment: int, named: dict[int, AssetKey]
) -> tuple[dict[AssetKey, AssetState], set[int]]:
    """The pointers of some assets, and the code versions that they mention."""
    rows = connection.execute(sql.POINTERS, (environment, to_json(list(named)))).fetchall() if named else []
    if not rows:
        return {}, set()
    *numbers, hashes, signatures = zip(*rows, strict=True)
    asset, ordinals, version, derivation, generation, code, flags, layout = (
        np.array(column, np.int64) for column in numbers
    )
    lanes = to_lanes(b"".join(hashes))
    empty, held, tolerated = flags & EMPTY != 0, flags & HELD != 0, flags & TOLERATED != 0
    sums = to_lanes(b"".join(signatures))
    layouts = _layouts(connection, remembered, set(numbers[7]))
    width = {number: len(parameters) for number, parameters in layouts.items()}
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(np.array([width[number] for number in numbers[7]], np.int64), out=starts[1:])
    bounds = [0, *(np.flatnonzero(np.diff(asset)) + 1).tolist(), len(rows)]
    changes = np.flatnonzero(np.diff(layout)) + 1
    mixed = np.searchsorted(changes, bounds[1:], "left") > np.searchsorted(changes, bounds[:-1], "right")
    states: dict[AssetKey, AssetState] = {}
    for first, last, several in zip(bounds[:-1], bounds[1:], mixed.tolist(), strict=True):
        part = slice(first, last)
        block = sums[starts[first] : starts[last]]
        if several:
            inputs = _mixed_inputs(block, layout[part], layouts)
        else:
            inputs = _uniform_inputs(block, last - first, layouts[numbers[7][first]])
        states[named[numbers[0][first]]] = AssetState(
            ordinals[part],
            version[part],
            derivation[part],
            generation[part],
            lanes[part],
            code[part],
            empty[part],
            held[part],
            tolerated[part],
            inputs,
        )
    return states, set(numbers[5])


def _uniform_inputs(sums: NDArray[np.uint64], count: int, parameters: tuple[str, ...]) -> dict[str, InputColumn]:
    if not parameters:
        return {}
    block = sums.reshape(count, len(parameters), 2)
    present = np.ones(count, np.bool_)
    return {parameter: InputColumn(block[:, place], present) for place, parameter in enumerate(parameters)}


def _mixed_inputs(
    sums: NDArray[np.uint64], layout: Integers, layouts: dict[int, tuple[str, ...]]
) -> dict[str, InputColumn]:
    """For an asset whose pointers were not all made with the same edges."""
    widths = np.array([len(layouts[number]) for number in layout.tolist()], np.int64)
    starts = np.cumsum(widths) - widths
    columns: dict[str, InputColumn] = {}
    for number in sorted(set(layout.tolist())):
        rows = np.flatnonzero(layout == number)
        for place, parameter in enumerate(layouts[number]):
            column = columns.get(parameter)
            if column is None:
                column = InputColumn(np.zeros((len(layout), 2), np.uint64), np.zeros(len(layout), np.bool_))
                columns[parameter] = column
            column.sums[rows] = sums[starts[rows] + place]
            column.present[rows] = True
    return columns


def _layouts(connection: sqlite3.Connection, remembered: Remembered, used: set[int]) -> dict[int, tuple[str, ...]]:
    unknown = [number for number in used if number not in remembered.layouts]
    if unknown:
        query = "SELECT id, parameters FROM edge_layouts WHERE id IN (SELECT value FROM json_each(?))"
        for number, parameters in connection.execute(query, (to_json(unknown),)):
            remembered.layouts[number] = tuple(json.loads(parameters))
    return {number: remembered.layouts[number] for number in used}


def _code_ids(
    connection: sqlite3.Connection, remembered: Remembered, versions: Collection[CodeVersion]
) -> dict[CodeVersion, int]:
    """The ids of those code versions that the store has met."""
    query = "SELECT id, version FROM code_versions WHERE version IN (SELECT value FROM json_each(?))"
    rows: list[tuple[int, CodeVersion]] = connection.execute(query, (to_json(list(versions)),)).fetchall()
    remembered.codes.update(rows)
    return {version: number for number, version in rows}


def _codes(
    connection: sqlite3.Connection,
    remembered: Remembered,
    present: dict[CodeVersion, CodeRecord],
    used: set[int],
) -> dict[int, CodeRecord]:
    records: dict[int, CodeRecord] = {}
    unknown: list[int] = []
    for number in used:
        record = present.get(remembered.codes.get(number, CodeVersion(""))) or remembered.components.get(number)
        if record is not None:
            records[number] = record
        elif number:
            unknown.append(number)
    if unknown:
        query = "SELECT id, version, components FROM code_versions WHERE id IN (SELECT value FROM json_each(?))"
        for number, version, components in connection.execute(query, (to_json(unknown),)):
            records[number] = remembered.components[number] = CodeRecord(version, from_json(components))
    return records


def _failures(connection: sqlite3.Connection, environment: int, named: dict[int, AssetKey]) -> dict[AssetKey, Failures]:
    rows = connection.execute(sql.FAILURES, (environment, to_json(list(named)))).fetchall() if named else []
    failures: dict[AssetKey, Failures] = {}
    for uid, part in _by_asset(rows):
        _, ordinals, keys, runs, errors = zip(*part, strict=True)
        failures[named[uid]] = Failures(np.array(ordinals, np.int64), to_lanes(b"".join(keys)), runs, errors)
    return failures


def _reusable(
    connection: sqlite3.Connection, environment: int, named: dict[int, AssetKey], codes: dict[CodeVersion, int]
) -> tuple[dict[AssetKey, Retained], dict[AssetKey, Retained]]:
    """Retained derivations and quarantined candidates."""
    if not named or not codes:
        return {}, {}
    assets, present = to_json(list(named)), to_json(list(codes.values()))
    rows: list[Row] = connection.execute(sql.RETIRED, (assets, present)).fetchall()
    others = connection.execute("SELECT id FROM environments WHERE id != ?", (environment,)).fetchall()
    for (other,) in others:
        rows += connection.execute(sql.CURRENT_ELSEWHERE, (other, assets, present)).fetchall()
    if others:
        rows.sort(key=lambda row: (row[0], row[1], row[5]))
    retained = _retained([row for row in rows if not row[2]], named)
    return retained, _retained([row for row in rows if row[2]], named)


def _retained(rows: list[Row], named: dict[int, AssetKey]) -> dict[AssetKey, Retained]:
    found: dict[AssetKey, Retained] = {}
    for uid, part in _by_asset(rows):
        _, ordinals, _, keys, versions, derivations = zip(*part, strict=True)
        found[named[uid]] = Retained(
            np.array(ordinals, np.int64),
            to_lanes(b"".join(keys)),
            np.array(versions, np.int64),
            np.array(derivations, np.int64),
        )
    return found


def _checks(
    connection: sqlite3.Connection,
    remembered: Remembered,
    environment: int,
    uids: dict[AssetKey, int],
    codes: Codes,
    states: dict[AssetKey, AssetState],
    reusable: tuple[dict[AssetKey, Retained], ...],
) -> dict[tuple[AssetKey, str], CheckResults]:
    ids = _code_ids(connection, remembered, list(codes.checks.values())) if codes.checks else {}
    results: dict[tuple[AssetKey, str], CheckResults] = {}
    for (asset, name), version in codes.checks.items():
        rows: list[Row] = []
        if asset in states:
            rows = connection.execute(sql.CURRENT_CHECKS, (name, environment, uids[asset])).fetchall()
        others = [int(number) for found in reusable if asset in found for number in found[asset].version]
        if others:
            rows += connection.execute(sql.VERSION_CHECKS, (to_json(others), name)).fetchall()
        if rows:
            results[asset, name] = _check_results(rows, ids.get(version, 0))
    return results


def _check_results(rows: list[Row], code: int) -> CheckResults:
    passed = {version for version, seen, result in rows if seen == code and result}
    failed = {version for version, seen, result in rows if seen == code and not result}
    earlier = {version for version, _, _ in rows} - passed - failed
    return CheckResults(*(np.array(sorted(found), np.int64) for found in (passed, failed, earlier)))


def _verified(
    connection: sqlite3.Connection,
    environment: int,
    uids: dict[AssetKey, int],
    asked: Collection[AssetKey],
    states: dict[AssetKey, AssetState],
    sources: Collection[AssetKey],
) -> dict[AssetKey, Integers]:
    """When the data of each pointer was last computed, or observed; 0 where that is not recorded."""
    named = {uids[key]: key for key in asked if key in states}
    if not named:
        return {}
    observed = dict(connection.execute(sql.OBSERVED_AT, (to_json(list(named)),)).fetchall())
    rows = connection.execute(sql.VERIFIED, (environment, to_json(list(named)))).fetchall()
    times = {uid: np.array([at or 0 for _, at in part], np.int64) for uid, part in _by_asset(rows)}
    for uid, key in named.items():
        if key in sources:
            times[uid] = np.full(len(states[key].ordinals), observed.get(uid) or 0, np.int64)
    return {key: times[uid] for uid, key in named.items()}


def _left_out(
    connection: sqlite3.Connection,
    environment: int,
    uids: dict[AssetKey, int],
    states: dict[AssetKey, AssetState],
    sources: Collection[AssetKey],
    tolerant: Mapping[AssetKey, Collection[str]],
) -> dict[AssetKey, Moves]:
    """What it takes to tell late data: as of when ``tolerant`` edges were read, which is noted in ``states``, and the
    moves of their upstreams. The same for partitions that left late data out, whatever their edges are now.
    """
    asked = [key for key, state in states.items() if tolerant.get(key) or state.tolerated.any()]
    if not asked:
        return {}
    keys = {uid: key for key, uid in uids.items()}
    rows: list[Row] = connection.execute(sql.RESOLVED, (environment, to_json([uids[key] for key in asked]))).fetchall()
    upstreams: set[AssetKey] = set()
    for uid, part in _by_asset(rows):
        state = states[keys[uid]]
        inputs = dict(state.inputs)
        for parameter, edge in groupby(part, key=lambda row: row[1]):
            _, _, read, ordinals, as_of = zip(*edge, strict=True)
            if parameter in tolerant.get(keys[uid], ()) or state.tolerated.any():
                upstreams.update(keys[each] for each in set(read) if each in keys)
            resolved = np.full(len(state.ordinals), -1, np.int64)
            resolved[np.searchsorted(state.ordinals, np.array(ordinals, np.int64))] = np.array(as_of, np.int64)
            inputs[parameter] = replace(inputs[parameter], as_of=resolved)
        states[keys[uid]] = replace(state, inputs=inputs)
    observed = {uids[key]: key for key in upstreams if key in sources}
    built = {uids[key]: key for key in upstreams if key not in sources}
    return _moves(connection, 0, observed) | _moves(connection, environment, built)


def _moves(connection: sqlite3.Connection, environment: int, named: dict[int, AssetKey]) -> dict[AssetKey, Moves]:
    rows: list[Row] = connection.execute(sql.MOVES, (environment, to_json(list(named)))).fetchall() if named else []
    moves: dict[AssetKey, Moves] = {}
    for uid, part in _by_asset(rows):
        _, ordinals, generation, present, at, hashes = zip(*part, strict=True)
        moves[named[uid]] = Moves(
            np.array(ordinals, np.int64),
            np.array(generation, np.int64),
            to_lanes(b"".join(each or bytes(16) for each in hashes)),
            np.array(present, np.bool_),
            np.array(at, np.int64),
        )
    return moves


def _by_asset(rows: list[Row]) -> Iterable[tuple[int, list[Row]]]:
    """Rows that begin with their asset's uid and stand in its order, one asset after the other."""
    first = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or rows[place][0] != rows[first][0]:
            yield rows[first][0], rows[first:place]
            first = place
