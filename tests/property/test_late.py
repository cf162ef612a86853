"""Late data and self-dependencies, each in many histories of a small graph, against the slow model."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, MonthlyPartitions, WeeklyPartitions
from assetflow.partitions.mappings import AllPartitions, LastN, TimeWindow
from tests.property.pairs import Pair
from tests.property.test_planner import CONTENTS, compare, own_mappings
from tests.property.timelines import Declared, Operation, Read, Timeline, expression_of, holds

DAYS = DailyPartitions("2024-01-28")
MONTHS = MonthlyPartitions("2023-12")
WEEKS = WeeklyPartitions("2024-01-15")


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Declared, ...]:
    """A source and what is made from it by edges that mostly tolerate late data."""
    tolerance = st.sampled_from([None, "0s", "1d", "1d", "2d"])
    allow = st.sampled_from(["allow", "allow", "wait"])
    down = draw(st.sampled_from([DAYS, DAYS, WEEKS, MONTHS, None]))
    mappings: list[Any] = [None, AllPartitions(), LastN(2)]
    mappings += [TimeWindow(-1, 0), TimeWindow(-2, -1)] if down is not None else []
    stated = st.sampled_from(mappings).map(expression_of)
    reads = [Read("raw", draw(stated), draw(allow), late_tolerance=draw(tolerance))]
    if draw(st.booleans()):
        reads.append(Read("other", draw(stated), "allow", late_tolerance=draw(tolerance)))
    made = Declared("made", "two" if draw(st.integers(0, 3)) == 0 else "one", expression_of(down))
    output = made.outputs[0]
    if down is not None and draw(st.booleans()):
        own = expression_of(draw(own_mappings(down)))
        reads.append(Read(output, own, draw(st.sampled_from([None, "allow"]))))
    last = Read(output, late_tolerance=draw(tolerance) if down is not None else None)
    return (
        Declared("raw", "source", repr(DAYS)),
        Declared("other", "one", repr(DAYS), (Read("raw"),)),
        Declared("made", made.kind, made.partitions, tuple(reads)),
        Declared("last", "one", made.partitions, (last,)),
    )


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Publications at any time, late ones too."""
    assets = draw(graphs())
    model = Pair(assets).model
    first = draw(st.lists(st.sampled_from(model.existing("raw")), max_size=4, unique=True))
    operations: list[Operation] = [("ago", 120), *(("observe", "raw", key, "one") for key in first)]
    hours = 110
    for _ in range(draw(st.integers(1, 12))):
        hours = max(0, hours - draw(st.integers(0, 30)))
        operations.append(("ago", hours))
        event = draw(st.sampled_from(["observe", "observe", "observe", "withdraw", "run", "run", "publish", "edit"]))
        if event == "observe":
            operations.append((event, "raw", draw(st.sampled_from(model.existing("raw"))), draw(CONTENTS)))
        elif event == "withdraw":
            operations.append((event, "raw", draw(st.sampled_from(model.existing("raw")))))
        elif event == "run":
            operations.append((event, draw(CONTENTS), draw(st.integers(0, 3)) == 0))
            if draw(st.booleans()):
                operations.append(("leave_out",))
        elif event == "publish":
            name = draw(st.sampled_from(["other", "made", "made"]))
            operations.append((event, name, draw(st.sampled_from(model.existing(name))), draw(CONTENTS)))
        else:
            operations.append((event, "made", draw(st.sampled_from("112"))))
    if draw(st.booleans()):
        operations.append(("leave_out",))
    return Timeline(assets, tuple(operations))


def told_from_other_changes(timeline: Timeline) -> None:
    pair = Pair.after(timeline)
    world, model = pair.world, pair.model
    everything = {name: set(model.existing(name)) for name in world.graph.nodes}
    for asset in world.graph.owner:
        assert world.states(asset) == model.states(asset), asset
        assert world.assess().tolerated(AssetKey(asset)) == model.ignoring(asset), asset
    compare(pair, world.plan(), everything)
    compare(pair, world.plan(include_late=True), everything, include_late=True)
    compare(pair, world.plan(force=True), everything, force=True)
    compare(pair, world.plan("last"), {"last": everything["last"]})


def nothing_left_out(timeline: Timeline) -> None:
    pair = Pair.after(timeline)
    pair.run(pair.world.plan(include_late=True), "two")
    again = pair.world.plan(include_late=True)
    assert (again.steps, again.tolerated) == ((), ())
    assert (pair.world.plan().steps, pair.world.plan().tolerated) == ((), ())


@given(timelines())
@settings(max_examples=150)
def test_late_data_is_told_from_other_changes(timeline: Timeline) -> None:
    holds(told_from_other_changes, timeline)


@given(timelines())
@settings(max_examples=60)
def test_taking_late_data_in_leaves_nothing_out(timeline: Timeline) -> None:
    holds(nothing_left_out, timeline)
