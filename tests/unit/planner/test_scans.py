from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.partitions.spans import Spans
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
