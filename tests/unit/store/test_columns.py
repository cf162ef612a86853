from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assetflow.store.columns import Growing, Runs

PAGES = st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=5)


@given(PAGES)
def test_a_growing_column_is_its_pages_one_after_the_other(pages: list[list[int]]) -> None:
    column = Growing(np.int64)
    for page in pages:
        column.add(np.array(page, np.int64))
    assert column.values.tolist() == [number for page in pages for number in page]


def test_a_column_of_pairs_grows() -> None:
    column = Growing(np.uint64, 2)
    for first in range(0, 10, 2):
        column.add(np.arange(first, first + 2, dtype=np.uint64).reshape(1, 2))
    assert column.values.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


@given(PAGES, st.data())
def test_runs_give_the_rows_back_however_they_are_cut(pages: list[list[int]], data: st.DataObject) -> None:
    rows = [number for page in pages for number in page]
    runs = Runs()
    for page in pages:
        runs.add(np.array(page, np.int64))
    assert runs.size == len(rows)
    assert all(one != other for one, other in zip(runs.values[1:], runs.values, strict=False))
    cuts = data.draw(st.sets(st.integers(1, len(rows) - 1))) if len(rows) > 1 else set[int]()
    bounds = np.array([0, *sorted(cuts), len(rows)]) if rows else np.zeros(1, np.int64)
    expected = [rows[first:last] for first, last in zip(bounds.tolist(), bounds.tolist()[1:], strict=False)]
    assert [part.tolist() for part in runs.parts(bounds)] == expected
    odd = [part.tolist() for part in runs.parts(bounds, runs.values % 2 == 1)]
    assert odd == [[number % 2 == 1 for number in part] for part in expected]


def test_a_column_that_is_cut_into_very_many_parts_is_made_whole() -> None:
    runs = Runs()
    runs.add(np.repeat([7, 8, 7], 200))
    parts = list(runs.parts(np.arange(601)))
    assert [int(part[0]) for part in parts] == [7] * 200 + [8] * 200 + [7] * 200


def test_one_number_takes_no_memory() -> None:
    runs = Runs()
    runs.add(np.full(1000, 7))
    (part,) = runs.parts(np.array([0, 1000]))
    assert part.strides == (0,)
    assert part.tolist() == [7] * 1000
