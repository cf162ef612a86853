"""Answers of a reader: given again while nothing is written, and otherwise brought up to date instead of read anew."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from assetflow.planner.changes import applied
from assetflow.planner.state import Mark, State
from assetflow.store import snapshot
from assetflow.store import statements as sql
from assetflow.store.connection import Connection, Database
from assetflow.store.state import Question, Remembered, read_state, read_uids
from assetflow.store.tail import read_changes

LARGE = 20_000
"""Pointers from which on a state is saved beside the store; fewer are read as fast from the tables."""

MOST_CHANGED = 0.25
"""Of a state's pointers: if more were recorded since, all is read anew."""

UNSAVED = 0.02
"""Of a state's pointers: when so many were recorded since it was saved, it is saved again."""

KEPT = 2
"""Answers that are kept: that of a plan, and that of the observation before it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A state, what it is the answer to, and the stamp of the database when it was given."""

    stamp: object
    question: Question
    state: State


@dataclass(slots=True)
class Answers:
    """The last answers, and the one that is saved in a file whose name begins as ``beside`` does (None: nowhere)."""

    database: Database
    beside: Path | None
    _kept: dict[object, Answer] = field(default_factory=dict[object, Answer])
    _saved: dict[int, Mark] = field(default_factory=dict[int, Mark])
    """By environment: the mark of the saved answer."""

    def answer(self, connection: Connection, remembered: Remembered, question: Question) -> State:
        """What the planner needs; to be called inside a read transaction."""
        stamp = self.database.stamp(connection)
        shape = (question.environment, question.assets, question.sources, question.verified, question.uids)
        kept = self._kept.pop(shape, None)
        if kept is None or kept.stamp != stamp or kept.question.codes is not question.codes:
            earlier = None if kept is None else (kept.question, kept.state)
            kept = Answer(stamp, question, self._answer(connection, remembered, question, earlier))
        self._kept[shape] = kept
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)))
        return kept.state

    def _answer(
        self,
        connection: Connection,
        remembered: Remembered,
        question: Question,
        earlier: tuple[Question, State] | None,
    ) -> State:
        environment = question.environment
        built = any(asset not in question.sources for asset in question.assets)
        file = self._file(environment) if built else None
        if earlier is None and file is not None:
            earlier = _loaded(connection, question, file)
            if earlier is not None:
                self._saved[environment] = earlier[1].mark
        if earlier is None or _recorded_since(connection, earlier[1].mark) > MOST_CHANGED * _size(earlier[1]):
            earlier = None
            self._saved.pop(environment, None)
            state = read_state(connection, remembered, question)
        else:
            before, known = earlier
            changes = read_changes(connection, remembered, question, known, before.codes)
            if _size(changes.state) > UNSAVED * _size(known):
                self._saved.pop(environment, None)
            state = applied(known, changes)
        size = _size(state)
        last = self._saved.get(environment)
        if file is not None and size >= LARGE and (last is None or _recorded_since(connection, last) > UNSAVED * size):
            snapshot.save(file, _schema(connection), witness(connection, state.mark), question, state)
            # Where it could not be written, it is not tried again before there is more to write.
            self._saved[environment] = state.mark
        return state

    def _file(self, environment: int) -> Path | None:
        return self.beside and self.beside.with_name(f"{self.beside.name}-snapshot-{environment}")


def witness(connection: Connection, mark: Mark) -> str:
    """What was recorded last at a mark: tells a store from a copy of it that went another way."""
    rows = [
        connection.execute(sql.LAST_DERIVATION, (mark.derivation,)).fetchone(),
        connection.execute(sql.LAST_CHANGE, (mark.change,)).fetchone(),
    ]
    return json.dumps(rows)


def _loaded(connection: Connection, question: Question, file: Path) -> tuple[Question, State] | None:
    """The saved answer, without assets that are called, observed or timed otherwise now."""
    if not file.exists():
        return None
    saved = snapshot.load(file, _schema(connection), lambda mark: witness(connection, mark), question.environment)
    if saved is None:
        return None
    uids = read_uids(connection, question)
    before, state = saved.question, saved.state
    alike = {
        key: each
        for key, each in state.assets.items()
        if state.uids[key] == uids.get(key)
        and (key in before.sources) == (key in question.sources)
        and (key in before.verified) == (key in question.verified)
    }
    return before, replace(state, assets=alike)


def _recorded_since(connection: Connection, mark: Mark) -> int:
    _, derivation, change = connection.execute(sql.MARK).fetchone()
    return derivation - mark.derivation + change - mark.change


def _size(state: State) -> int:
    return sum(len(each.ordinals) for each in state.assets.values())


def _schema(connection: Connection) -> int:
    return int(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
