from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assetflow.publish.resolving import integers, resolve
from assetflow.store.records import Pointers

moves = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12), st.integers(0, 40)), max_size=25)
reads = st.lists(st.tuples(st.integers(-1, 7), st.integers(-1, 7), st.integers(0, 13)), max_size=8)


def log_of(rows: list[tuple[int, int, int]]) -> Pointers:
    unique = sorted({(ordinal, generation): version for ordinal, generation, version in rows}.items())
    ordinals, generations, versions = ([], [], [])
    for (ordinal, generation), version in unique:
        ordinals.append(ordinal)
        generations.append(generation)
        versions.append(version)
    zeros = np.zeros(len(ordinals), np.int64)
    return Pointers(integers(ordinals), integers(versions), zeros, integers(generations))


@given(moves, reads)
def test_each_range_finds_what_was_current_at_its_moment(
    rows: list[tuple[int, int, int]], asked: list[tuple[int, int, int]]
):
    log = log_of(rows)
    expected = [
        (position, ordinal, version)
        for position, (first, last, as_of) in enumerate(asked)
        for ordinal in range(first, last + 1)
        for version in [_at(log, ordinal, as_of)]
        if version
    ]
    first, last, as_of = (integers(column) for column in zip(*asked, strict=True)) if asked else (integers([]),) * 3
    found = resolve(log, first, last, as_of)
    assert list(zip(found.row.tolist(), found.ordinals.tolist(), found.version.tolist(), strict=True)) == expected


def _at(log: Pointers, ordinal: int, generation: int) -> int:
    version = 0
    for each, made, moved in zip(log.ordinals, log.version, log.generation, strict=True):
        if each == ordinal and moved <= generation:
            version = int(made)
    return version
