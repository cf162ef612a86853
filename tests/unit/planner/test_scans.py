from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.partitions.spans import Spans
from assetflow.planner import leaps
from assetflow.planner.leaps import leapt
from assetflow.planner.scans import OwnReads, carried, settled, traced


@st.composite
def reads(draw: st.DrawFn) -> tuple[OwnReads, list[list[set[int]]]]:
    """Some rows that read rows before them, and the same as sets, by edge and row."""
    size = draw(st.integers(1, 12))
    kind = draw(st.sampled_from(["previous", "windows", "lists"]))
    ranks = draw(st.permutations(range(size))) if kind == "lists" else list(range(size))
    order = sorted(range(size), key=ranks.__getitem__)
    spans: list[Spans] = []
    sets: list[list[set[int]]] = []
    for _ in range(1 if kind == "previous" else draw(st.integers(1, 2))):
        found: list[set[int]] = []
        for row in range(size):
            if kind == "previous":
                found.append({row - 1} if row and draw(st.booleans()) else set())
            elif kind == "windows":
                lo = draw(st.integers(0, row))
                found.append(set(range(lo, draw(st.integers(lo, row)))))
            else:
                before = order[: ranks[row]]
                found.append(draw(st.sets(st.sampled_from(before), max_size=3)) if before else set())
        sets.append(found)
        spans.append(_spans(found, listed=kind == "lists"))
    return OwnReads(tuple(spans), np.array(order) if kind == "lists" else None), sets


def _spans(read: list[set[int]], *, listed: bool) -> Spans:
    if listed:
        ends = np.cumsum([len(each) for each in read])
        starts = np.concatenate(([0], ends[:-1]))
        return Spans(starts, ends, gather=np.array([each for row in read for each in sorted(row)], np.int64))
    return Spans(np.array([min(row, default=0) for row in read]), np.array([max(row, default=-1) + 1 for row in read]))


def flags(draw: st.DrawFn, size: int) -> np.ndarray:
    return np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))


@given(st.data())
def test_rows_move_as_if_they_were_decided_one_after_the_other(data: st.DataObject) -> None:
    own, read = data.draw(reads())
    size = len(read[0])
    outcomes = np.array([[flags(data.draw, size) for _ in range(2)] for _ in range(2)])
    absent = [flags(data.draw, size) if data.draw(st.booleans()) else None for _ in read]
    order = list(range(size)) if own.order is None else own.order.tolist()
    moves: dict[int, bool] = {}
    for row in order:
        moving = any(moves[each] for edge in read for each in edge[row])
        lacking = any(
            gone is not None and gone[each] and not moves[each]
            for edge, gone in zip(read, absent, strict=True)
            for each in edge[row]
        )
        moves[row] = bool(outcomes[int(lacking), int(moving), row])
    assert settled(own, outcomes, absent).tolist() == [moves[row] for row in range(size)]


@given(st.data())
def test_what_is_passed_on_is_followed_along_the_rows_and_back(data: st.DataObject) -> None:
    own, read = data.draw(reads())
    size = len(read[0])
    begins, passes = flags(data.draw, size), flags(data.draw, size)
    pairs = {(row, each) for edge in read for row in range(size) for each in edge[row]}
    onward, back = set(np.flatnonzero(begins)), set(np.flatnonzero(begins))
    for _ in range(size):
        onward |= {row for row, each in pairs if each in onward and passes[row]}
        back |= {each for row, each in pairs if row in back and passes[each]}
    assert set(np.flatnonzero(carried(own, begins, passes))) == onward
    assert set(np.flatnonzero(traced(own, begins, passes))) == back


@pytest.mark.parametrize("size", [0, 1])
def test_few_rows_are_no_special_case(size: int) -> None:
    nothing = np.zeros(size, np.int64)
    own = OwnReads((Spans(nothing, nothing),), None)
    every = np.ones(size, np.bool_)
    assert settled(own, np.ones((2, 2, size), np.bool_), [None]).tolist() == every.tolist()
    assert traced(own, every, every).tolist() == every.tolist()


@st.composite
def windows(draw: st.DrawFn) -> tuple[OwnReads, np.ndarray, list[np.ndarray | None]]:
    """A few hundred rows that read windows before them, with runs of rows that are alike."""
    size = draw(st.integers(1, 300))
    rows = np.arange(size)
    spans: list[Spans] = []
    for _ in range(draw(st.integers(1, 2))):
        far = draw(st.integers(1, 40))
        near = draw(st.integers(1, far))
        lo, hi = np.maximum(rows - far, 0), np.maximum(rows - near + 1, 0)
        if draw(st.booleans()):
            lo = np.maximum(lo, rows - rows % draw(st.integers(1, 50)))  # begins anew
        spans.append(Spans(np.minimum(lo, hi), hi))
    alike = [_alike(draw, size) for _ in range(4)]
    outcomes = np.array([[alike[0], alike[1] | alike[0]], [alike[2] & alike[3], alike[3]]])
    return OwnReads(tuple(spans), None), outcomes, [_alike(draw, size) if draw(st.booleans()) else None for _ in spans]


def _alike(draw: st.DrawFn, size: int) -> np.ndarray:
    """Flags that are mostly the same, with some runs and some single rows of the other kind."""
    found = np.full(size, draw(st.booleans()))
    for first, length in draw(st.lists(st.tuples(st.integers(0, size), st.sampled_from([1, 1, 2, 7, 60])), max_size=6)):
        found[first : first + length] ^= True
    return found


@given(windows(), st.sampled_from([1, 4, 16, 256]))
def test_rows_that_are_guessed_in_blocks_move_as_if_they_were_decided_one_after_the_other(
    drawn: tuple[OwnReads, np.ndarray, list[np.ndarray | None]], shortest: int
) -> None:
    own, outcomes, absent = drawn
    moves: list[bool] = []
    for row in range(outcomes.shape[2]):
        runs = [slice(int(spans.lo[row]), int(spans.hi[row])) for spans in own.spans]
        moving = any(any(moves[run]) for run in runs)
        gone = zip(runs, absent, strict=True)
        lacks = any(flags is not None and any(~np.array(moves[run], bool) & flags[run]) for run, flags in gone)
        moves.append(bool(outcomes[int(lacks), int(moving), row]))
    assert leapt(own.spans, outcomes, absent, shortest=shortest).tolist() == moves
    assert settled(own, outcomes, absent).tolist() == moves


def test_a_million_rows_are_settled_at_once() -> None:
    size = 1_000_000
    rows = np.arange(size)
    begins, every = np.zeros(size, np.bool_), np.ones(size, np.bool_)
    begins[[3, 700_000]] = True
    passes = every.copy()
    passes[300_000:300_007] = False
    spans = Spans(np.maximum(rows - 5, 0), rows)
    expected = every.copy()
    expected[:3] = expected[300_000:700_000] = False
    with count_calls() as called:
        assert np.array_equal(carried(OwnReads((spans,), None), begins, passes), expected)
    assert called["loop"] <= 4
    assert called["guess"] <= 40


@contextmanager
def count_calls() -> Iterator[Counter[str]]:
    """How often blocks of rows were guessed and looped over."""
    called: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("guess", "loop"):
            real = getattr(leaps._Leaps, name)

            def counting(self: Any, row: int, stop: int, *, name: str = name, real: Any = real) -> Any:
                called[name] += 1
                return real(self, row, stop)

            patch.setattr(leaps._Leaps, name, counting)
        yield called
