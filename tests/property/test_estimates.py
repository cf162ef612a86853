"""How long plans take with a number of workers, against chains found by recursion and schedules that are simulated."""

from __future__ import annotations

import heapq
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.planner.estimates import NOT_PLANNED, longest_chain
from tests.property.oracle import Key
from tests.property.pairs import Pair
from tests.property.test_planner import timelines
from tests.property.timelines import Timeline

Row = tuple[str, Key]


def rows_read(pair: Pair, row: Row, times: dict[Row, int]) -> set[Row]:
    """The planned rows that a row reads."""
    node, owner = pair.world.graph.nodes[row[0]], pair.world.graph.owner
    read = {(owner[edge.upstream], key) for edge in node.edges for key in pair.model.asked(edge, row[1])[0]}
    return read & times.keys()


def simulated(times: dict[Row, int], read: dict[Row, set[Row]], workers: int) -> int:
    """When the last row ends, if whoever is free takes the first row that is ready."""
    waiting, running, done, now = list(times), list[tuple[int, int, Row]](), set[Row](), 0
    while waiting or running:
        for row in [row for row in waiting if read[row] <= done][: workers - len(running)]:
            waiting.remove(row)
            heapq.heappush(running, (now + times[row], len(waiting), row))
        now, _, ended = heapq.heappop(running)
        done.add(ended)
    return now


@given(timelines(), st.data())
@settings(max_examples=100)
def test_no_schedule_beats_the_bounds_and_a_greedy_one_keeps_to_their_sum(
    timeline: Timeline, drawn: st.DataObject
) -> None:
    pair = Pair.after(timeline)
    world, assessment = pair.world, pair.world.assess()
    times: dict[Row, int] = {}
    columns = {}
    for step in world.plan(force=drawn.draw(st.booleans())).steps:
        facts, space = assessment.facts[step.computation], world.spaces[step.computation]
        column = columns.setdefault(step.computation, np.full(len(facts.ordinals), NOT_PLANNED, np.int64))
        for ordinal in step.partitions.ordinals:
            time = times[step.computation, space.key(ordinal)] = drawn.draw(st.integers(0, 9))
            column[facts.ordinals.searchsorted(ordinal)] = time
    read = {row: rows_read(pair, row, times) for row in times}

    @cache
    def ends(row: Row) -> int:
        return times[row] + max((ends(each) for each in read[row]), default=0)

    chain, work = max(map(ends, times), default=0), sum(times.values())
    assert longest_chain(assessment.facts, columns) == chain
    assert simulated(times, read, 1) == work
    for workers in (2, 3, 1000):
        found = simulated(times, read, workers)
        assert max(chain, work / workers) <= found <= chain + work / workers
