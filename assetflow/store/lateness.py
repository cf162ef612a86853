"""What it takes to tell late data, added to a state: as of when edges were read, and how their upstreams moved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.state import AssetState, Moves, State
from assetflow.store import statements as sql
from assetflow.store.connection import Connection
from assetflow.store.encoding import to_json, to_lanes
from assetflow.store.state import Question

Row = tuple[Any, ...]
Tolerant = Mapping[AssetKey, Collection[str]]
"""By asset, the parameters of its edges with a late tolerance."""


@dataclass(slots=True)
class Lateness:
    """Remembers the last state that it told more of."""

    _last: tuple[State, Tolerant, State] | None = None

    def told(self, connection: Connection, question: Question, state: State, tolerant: Tolerant) -> State:
        """The state with what is known of edges with a tolerance, and of partitions that left late data out.

        To be called inside the read transaction that the state comes from.
        """
        if self._last is not None and self._last[0] is state and self._last[1] == tolerant:
            return self._last[2]
        asked = [key for key, each in state.assets.items() if tolerant.get(key) or each.tolerated.any()]
        told = _with_moves(connection, question, state, tolerant, asked) if asked else state
        self._last = (state, tolerant, told)
        return told


def _with_moves(
    connection: Connection, question: Question, state: State, tolerant: Tolerant, asked: Collection[AssetKey]
) -> State:
    keys = {uid: key for key, uid in state.uids.items()}
    uids = [state.uids[key] for key in asked if key in state.uids]
    rows: list[Row] = connection.execute(sql.RESOLVED, (question.environment, to_json(uids))).fetchall()
    assets = dict(state.assets)
    upstreams: set[AssetKey] = set()
    for uid, part in _by_asset(rows):
        key = keys[uid]
        assets[key], read = _resolved(state.assets[key], part, tolerant.get(key, ()))
        upstreams.update(keys[each] for each in read if each in keys)
    observed = {state.uids[key]: key for key in upstreams if key in question.sources}
    built = {state.uids[key]: key for key in upstreams if key not in question.sources}
    moves = _moves(connection, 0, observed) | _moves(connection, question.environment, built)
    return replace(state, assets=assets, moves=moves)


def _resolved(state: AssetState, rows: Iterable[Row], tolerant: Collection[str]) -> tuple[AssetState, set[int]]:
    """The pointers with the generations that their edges were read in, and the uids of what late data may be of."""
    inputs = dict(state.inputs)
    upstreams: set[int] = set()
    for parameter, edge in groupby(rows, key=lambda row: row[1]):
        _, _, read, ordinals, as_of = zip(*edge, strict=True)
        if parameter in tolerant or state.tolerated.any():
            upstreams.update(read)
        resolved = np.full(len(state.ordinals), -1, np.int64)
        resolved[np.searchsorted(state.ordinals, np.array(ordinals, np.int64))] = np.array(as_of, np.int64)
        inputs[parameter] = replace(inputs[parameter], as_of=resolved)
    return replace(state, inputs=inputs), upstreams


def _moves(connection: Connection, environment: int, named: Mapping[int, AssetKey]) -> dict[AssetKey, Moves]:
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


def _by_asset(rows: Iterable[Row]) -> Iterable[tuple[int, list[Row]]]:
    for uid, part in groupby(rows, key=lambda row: row[0]):
        yield uid, list(part)
