"""What freshness policies need of assets with several dimensions, against the slow model."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, MonthlyPartitions, StaticPartitions
from assetflow.partitions.mappings import AllPartitions
from assetflow.partitions.multi_partitions import MultiPartitions
from assetflow.planner.data_times import DataTimes
from assetflow.planner.freshness import freshness_of
from tests.property.pairs import Pair
from tests.property.test_due import POLICIES, RANKS, nothing_is_due_again, read_windows, state_at, what_is_due
from tests.property.test_planner import CONTENTS
from tests.property.timelines import Declared, Operation, Read, Timeline, expression_of, holds

AREAS = StaticPartitions(["north", "south"])
CELLS = (
    MultiPartitions({"day": DailyPartitions("2024-01-29"), "area": AREAS}),
    MultiPartitions({"area": AREAS, "day": DailyPartitions("2024-01-29", end="2024-02-01")}),
    MultiPartitions({"area": AREAS, "month": MonthlyPartitions("2023-11"), "kind": StaticPartitions(["a", "b"])}),
    MultiPartitions({"area": AREAS, "kind": StaticPartitions(["b", "a"])}),
)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Assets over cells, what they read and what reads them, to which some things happened."""
    cells = draw(st.sampled_from(CELLS))
    up = draw(st.sampled_from([None, cells]))
    mapping = None if up is cells else AllPartitions()
    raw = Read("raw", expression_of(mapping if up else None), draw(st.sampled_from([None, "wait", "allow"])))

    def over_cells(name: str, kind: str, *reads: Read) -> Declared:
        return Declared(name, kind, repr(cells), reads, policy=expression_of(draw(POLICIES)))

    assets = (
        Declared("raw", draw(st.sampled_from(["source", "one"])), expression_of(up)),
        over_cells("sales_x", "one", raw) if draw(st.booleans()) else over_cells("sales", "two", raw),
        over_cells("same", "one", Read("sales_x")),
        Declared("total", "one", None, (Read("sales_x", "AllPartitions()"),), policy=expression_of(draw(POLICIES))),
    )
    now = Pair(assets)
    operations: list[Operation] = []
    for _ in range(draw(st.integers(0, 8))):
        operations.append(("ago", draw(st.integers(0, 100))))
        event = draw(st.sampled_from(["run", "observe", "publish", "publish", "fail", "edit"]))
        if event == "run":
            operations.append(("run", draw(CONTENTS)))
        elif event == "observe":
            places = [(name, key) for name in now.sources for key in now.model.existing(name)]
            operations += [("observe", *place, draw(CONTENTS)) for place in places if draw(st.booleans())]
        else:
            name = draw(st.sampled_from(now.computations))
            keys = draw(st.lists(st.sampled_from(now.model.existing(name)), min_size=1, max_size=6))
            if event == "edit":
                operations.append(("edit", name, draw(st.sampled_from("123"))))
            elif event == "publish":
                operations += [("publish", name, key, draw(CONTENTS)) for key in keys]
            else:
                operations += [("fail", name, key, False) for key in keys]
    return Timeline(assets, tuple(operations))


@given(timelines())
@settings(max_examples=60)
def test_what_is_due_is_what_the_slow_model_says(timeline: Timeline) -> None:
    holds(what_is_due, timeline)


@given(timelines(), st.sampled_from([None, "one", "two"]))
@settings(max_examples=40)
def test_nothing_is_due_once_it_was_done(timeline: Timeline, content: str | None) -> None:
    holds(nothing_is_due_again, timeline, content=content)


def the_deadline(timeline: Timeline) -> None:
    pair = Pair.after(timeline)
    assessment = pair.world.assess()
    times = DataTimes(assessment)
    before = {key: freshness_of(assessment, key, times) for key in pair.world.graph.owner}
    for key, each in before.items():
        # More windows than today's will be there by then for what is as old as what it reads.
        if each.deadline is None or read_windows(pair, key) or key == "total":
            continue
        assert state_at(pair, key, each.deadline - timedelta(microseconds=1)) == each.state
        assert RANKS.index(state_at(pair, key, each.deadline)) > RANKS.index(each.state)


@given(timelines())
@settings(max_examples=40)
def test_the_deadline_is_when_a_state_changes(timeline: Timeline) -> None:
    holds(the_deadline, timeline)


@given(timelines(), st.data())
@settings(max_examples=40)
def test_what_is_built_behind_a_gap_makes_nothing_fresh(timeline: Timeline, drawn: st.DataObject) -> None:
    pair = Pair.after(timeline)
    key = AssetKey("same")
    assessment = pair.world.assess()
    facts, times = assessment.facts["same"], DataTimes(assessment)
    windows = times.windows(facts)
    before = freshness_of(assessment, key, times)
    if windows is None or not before.due or (gap := windows.first_missing(facts, key)) == len(windows.ordinals):
        return
    behind = [pair.world.space("same").key(n) for n in facts.ordinals[~windows.before(gap + 1)].tolist()]
    for partition in drawn.draw(st.lists(st.sampled_from(behind), unique=True)) if behind else []:
        pair.publish("same", partition, "one")
    after = pair.world.assess()
    found = freshness_of(after, key, DataTimes(after))
    assert (found.state, found.as_of, found.lag, found.deadline) == (
        before.state,
        before.as_of,
        before.lag,
        before.deadline,
    )
