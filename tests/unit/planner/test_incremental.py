"""The long-lived planner: what it looks at again, and what it keeps of pointers and edges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assetflow.definitions.inputs import Input
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, HourlyPartitions, StaticPartitions
from assetflow.partitions.mappings import AllPartitions, LastN
from assetflow.partitions.spans import Spans
from assetflow.planner.changes import Changes
from assetflow.planner.decide import EdgeSignature
from assetflow.planner.facts import EdgeFacts
from assetflow.planner.incremental import LivePlanner
from assetflow.planner.kept import Column, KeptPointers
from assetflow.planner.planning import plan
from assetflow.planner.readers import KeptEdge
from assetflow.planner.spans import narrowed
from assetflow.planner.state import AssetState, Former, State
from tests.unit.planner.building import World, computed, lines, source
from tests.unit.planner.differences import changes_between

NOW = datetime(2024, 1, 11, 0, 30, tzinfo=UTC)
HOURS = HourlyPartitions("2024-01-01T00:00")


class Told:
    """A world of which everything is published, and a planner that is told of what happens in it."""

    def __init__(self, **keywords: Any) -> None:
        self.world = World(
            [
                source("raw", partitions=HOURS),
                computed("hourly", "raw", partitions=HOURS),
                computed("daily", "hourly", partitions=DailyPartitions("2024-01-01")),
                computed("total", Input("hourly", AllPartitions())),
                computed("latest", Input("daily", LastN(2))),
                computed("apart", partitions=StaticPartitions(["north", "south"])),
            ],
            now=NOW,
            **keywords,
        )
        self.world.observe("raw", {self.world.space("raw").key(each): "1" for each in self.world.ordinals("raw", ())})
        self.world.run(self.world.plan())
        self.state: State = self.world.state()
        self.live = LivePlanner(self.world.graph, self.state, self.world.codes(), NOW)

    def tell(self) -> dict[str, int]:
        """Tell it, and give how many partitions it then looks at, by computation."""
        before, self.state = self.state, self.world.state()
        self.live.apply(changes_between(before, self.state))
        assert self.live.plan().to_dict() == self.world.plan().to_dict()
        return {name: len(facts.ordinals) for name, facts in self.live.excerpt().facts.items()}


def test_nothing_is_looked_at_where_everything_is_up_to_date() -> None:
    assert Told().live.excerpt().facts == {}


def test_of_an_event_its_images_are_looked_at_and_no_more() -> None:
    told = Told()
    told.world.observe("raw", {"2024-01-03T05:00Z": "2"})
    assert told.tell() == {"raw": 1, "hourly": 1, "daily": 1, "total": 1}
    assert lines(told.live.plan()) == [
        "hourly will 2024-01-03T05:00Z: input_changed",
        "daily may 2024-01-03: upstream_stale",
        "total may all: upstream_stale",
    ]


def test_equal_data_stop_there() -> None:
    told = Told()
    told.world.observe("raw", {"2024-01-03T05:00Z": "2"})
    told.tell()
    told.world.build("hourly", "2024-01-03T05:00Z", data="as it was")
    looked_at = told.tell()
    told.world.build("hourly", "2024-01-03T05:00Z", data="as it was")
    assert told.tell() == looked_at
    told.world.run(told.world.plan())
    assert told.tell() == {}


def test_several_events_may_be_told_at_once() -> None:
    told = Told()
    for hour in ("2024-01-03T05:00Z", "2024-01-03T06:00Z", "2024-01-09T06:00Z"):
        told.world.observe("raw", {hour: "2"})
        told.world.build("hourly", hour)
    told.world.fail("apart", "north")
    assert told.tell() == {"hourly": 3, "daily": 2, "total": 1, "latest": 1, "apart": 1}


def test_what_ends_is_added_and_nothing_else_looked_at() -> None:
    told = Told()
    told.world.now += timedelta(hours=2)
    told.live.advance(told.world.now)
    assert told.tell() == {"raw": 2, "hourly": 2, "total": 1}
    told.world.now += timedelta(hours=22)
    told.live.advance(told.world.now)
    assert told.tell() == {"raw": 24, "hourly": 24, "daily": 1, "total": 1, "latest": 1}
    told.world.now -= timedelta(hours=24)
    told.live.advance(told.world.now)
    assert told.tell() == {}


def test_what_was_published_before_its_window_ended_counts_once_it_has() -> None:
    told = Told()
    told.world.observe("raw", {"2024-01-11T00:00Z": "1"})
    assert told.tell() == {}
    told.world.now += timedelta(hours=1)
    told.live.advance(told.world.now)
    told.tell()
    assert lines(told.live.plan())[0] == "hourly will 2024-01-11T00:00Z: missing"


def test_an_edit_is_judged_for_its_computation() -> None:
    told = Told()
    told.world.edit("daily", "shop.daily", "2")
    told.live.redefine(told.world.graph, told.world.codes(), Changes({}, told.world.state()))
    assert told.tell() == {"hourly": 0, "daily": 10, "latest": 1}
    told.world.edit("daily", "shop.daily", "1")
    told.live.redefine(told.world.graph, told.world.codes(), Changes({}, told.world.state()))
    assert told.tell() == {}


def test_how_an_upstream_was_partitioned_before_is_told_as_from_scratch() -> None:
    told = Told()
    former = {AssetKey("hourly"): Former("day@UTC", 3, 1_704_067_200_000_000)}
    hour = told.world.ordinals("hourly", ())[3]
    told.world.publish("hourly", hour, data="other")

    def state() -> State:
        return replace(told.world.state(), former=former)

    live = LivePlanner(told.world.graph, state(), told.world.codes(), NOW)
    expected = plan(told.world.graph, state(), told.world.codes(), NOW)
    assert live.plan().to_dict() == expected.to_dict()
    assert not any("was" in cause.detail.split() for step in expected.steps for cause in step.causes)

    live.apply(changes_between(state(), replace(state(), former={})))
    assert live.recorded.former == {}


def test_a_plan_is_made_once_until_something_happens() -> None:
    told = Told()
    assert told.live.plan() is told.live.plan()
    told.live.advance(NOW + timedelta(minutes=1))
    assert told.live.plan().as_of == NOW + timedelta(minutes=1)


def test_the_state_that_was_handed_in_stays_as_it_was() -> None:
    told = Told()
    before = told.state.assets[AssetKey("raw")].hashes.copy()
    told.world.observe("raw", {"2024-01-03T05:00Z": "2"})
    after = told.live.state()
    told.tell()
    assert (told.live.state().assets[AssetKey("raw")].hashes != before).any()
    assert (after.assets[AssetKey("raw")].hashes == before).all()


def test_a_column_grows_and_keeps_what_it_has() -> None:
    column = Column(np.arange(3))
    for each in range(3, 500):
        column.grow(np.array([each]))
    assert column.values.tolist() == list(range(500))


def test_what_is_newer_is_found_among_many() -> None:
    count = 20_000
    numbers, lanes, no = np.arange(count), np.zeros((count, 2), np.uint64), np.zeros(count, np.bool_)
    state = AssetState(numbers, numbers, numbers, numbers % 7, lanes, numbers, no, no, no, {})
    pointers = KeptPointers(state, None, numbers)
    for first, stop, generation in ((0, count, 5), (5_000, 19_000, 3), (10, 20, 2), (0, count, 6), (7, 7, 0)):
        expected = [each for each in range(first, stop) if each % 7 > generation]
        assert pointers.newer(first, stop, generation).tolist() == expected
    pointers.grow(5_000)
    assert pointers.newer(0, count + 5_000, 6).tolist() == []


@st.composite
def spans(draw: st.DrawFn) -> tuple[Spans, int]:
    """What rows read, in every shape, and of how many positions."""
    size, rows = draw(st.integers(1, 12)), draw(st.integers(0, 8))
    gather = draw(st.none() | st.lists(st.integers(0, size - 1), unique=True, max_size=size).map(sorted))
    most = size if gather is None else len(gather)
    bounds = [sorted(draw(st.tuples(st.integers(0, most), st.integers(0, most)))) for _ in range(rows)]
    if draw(st.booleans()):
        bounds = list(zip(sorted(lo for lo, _ in bounds), sorted(hi for _, hi in bounds), strict=True))
    lo, hi = (np.array([each[side] for each in bounds], np.int64) for side in (0, 1))
    listed = None if gather is None else np.array(gather, np.int64)
    return Spans(lo, hi, gather=listed, problems={row: "why" for row in range(rows) if draw(st.booleans())}), size


def reads(given_spans: Spans, row: int, size: int) -> list[int]:
    return np.arange(size)[given_spans.positions(row)].tolist()


@given(spans(), st.data())
def test_an_edge_knows_both_directions_and_its_sums(drawn: tuple[Spans, int], data: st.DataObject) -> None:
    given_spans, size = drawn
    count = len(given_spans.lo)
    summands = np.array(data.draw(st.lists(st.integers(0, 99), min_size=size, max_size=size)), np.uint64)
    before = np.array([[sum(int(summands[at]) for at in reads(given_spans, row, size))] * 2 for row in range(count)])
    sums = before.reshape(count, 2).astype(np.uint64)
    facts: Any = EdgeFacts(EDGE, "up", EdgeSignature(given_spans, given_spans, sums, None), sums[:, 0] > 50, None)
    edge = KeptEdge(facts, "down")

    positions = np.array(sorted(data.draw(st.sets(st.integers(0, size - 1)))), np.int64)
    chosen = set(positions.tolist())
    readers = [row for row in range(count) if chosen & set(reads(given_spans, row, size))]
    assert edge.readers(positions).tolist() == readers

    rows = np.array(sorted(data.draw(st.sets(st.integers(0, max(count - 1, 0))))), np.int64)
    rows = rows[rows < count]
    among = edge.among(rows, positions)
    for place, row in enumerate(rows.tolist()):
        expected = [at for at in reads(given_spans, row, size) if at in chosen]
        assert positions[among.positions(place)].tolist() == expected
    assert set(among.problems) == {place for place, row in enumerate(rows.tolist()) if row in given_spans.problems}

    more = np.array([[7 + at, 2**64 - 1 - at] for at in positions.tolist()], np.uint64).reshape(-1, 2)
    assert edge.shift(positions, more).tolist() == readers
    changed = summands.copy()
    changed[positions] += more[:, 0]
    assert edge.sums[:, 0].tolist() == [
        sum(int(changed[at]) for at in reads(given_spans, row, size)) for row in range(count)
    ]


EDGE: Any = World([source("up"), computed("down", "up")]).graph.nodes["down"].edges[0]


def test_rows_that_share_what_they_read_are_narrowed_all_the_same() -> None:
    shared = Spans(np.array([0, 0, 0]), np.array([3, 3, 2]), gather=np.array([1, 4, 6]))
    found = narrowed(shared, np.arange(3), np.array([4, 5, 6]))
    assert [found.positions(row).tolist() for row in range(3)] == [[0, 2], [0, 2], [0]]
