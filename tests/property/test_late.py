"""Late data and self-dependencies, each in many histories of a small graph, against the slow model."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.definitions.inputs import Input
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, MonthlyPartitions, WeeklyPartitions
from assetflow.partitions.mappings import AllPartitions, LastN, TimeWindow
from tests.property.test_planner import CONTENTS, NOW, Pair, compare, own_mappings
from tests.unit.planner.building import computed, several, source

DAYS = DailyPartitions("2024-01-28")
MONTHS = MonthlyPartitions("2023-12")
WEEKS = WeeklyPartitions("2024-01-15")


@st.composite
def late_histories(draw: st.DrawFn) -> Pair:
    """A source and what is made from it by edges that mostly tolerate late data, and publications at any time."""
    tolerance = st.sampled_from([None, "0s", "1d", "1d", "2d"])
    allow = st.sampled_from(["allow", "allow", "wait"])
    down = draw(st.sampled_from([DAYS, DAYS, WEEKS, MONTHS, None]))
    mappings: list[Any] = [None, AllPartitions(), LastN(2)]
    mappings += [TimeWindow(-1, 0), TimeWindow(-2, -1)] if down is not None else []
    one = Input("raw", draw(st.sampled_from(mappings)), missing=draw(allow), late_tolerance=draw(tolerance))
    two = Input("other", draw(st.sampled_from(mappings)), missing="allow", late_tolerance=draw(tolerance))
    deps = [one, two] if draw(st.booleans()) else [one]
    if down is not None and draw(st.booleans()):
        deps.append(Input("made", draw(own_mappings(down)), missing=draw(st.sampled_from([None, "allow"]))))
    assets = [
        source("raw", partitions=DAYS),
        computed("other", Input("raw"), partitions=DAYS),
        several("pair", ["made", "spare"], *deps, partitions=down)
        if draw(st.integers(0, 3)) == 0
        else computed("made", *deps, partitions=down),
        computed("last", Input("made", late_tolerance=draw(tolerance) if down is not None else None), partitions=down),
    ]
    pair = Pair(assets, [])
    made = "pair" if "pair" in pair.computations else "made"
    pair.world.at = pair.model.at = NOW - timedelta(hours=120)
    for key in draw(st.lists(st.sampled_from(pair.model.existing("raw")), max_size=4, unique=True)):
        pair.observe("raw", key, "one")
    hours = 110
    for _ in range(draw(st.integers(1, 12))):
        hours = max(0, hours - draw(st.integers(0, 30)))
        pair.world.at = pair.model.at = NOW - timedelta(hours=hours)
        event = draw(st.sampled_from(["observe", "observe", "observe", "withdraw", "run", "run", "publish", "edit"]))
        if event in ("observe", "withdraw"):
            key = draw(st.sampled_from(pair.model.existing("raw")))
            pair.observe("raw", key, draw(CONTENTS)) if event == "observe" else pair.withdraw("raw", key)
        elif event == "run":
            pair.run(pair.world.plan(include_late=draw(st.integers(0, 3)) == 0), draw(CONTENTS))
            if draw(st.booleans()):
                pair.world.leave_out(pair.world.plan())
        elif event == "publish":
            name = draw(st.sampled_from(["other", made, made]))
            pair.publish(name, draw(st.sampled_from(pair.model.existing(name))), draw(CONTENTS))
        else:
            pair.edit(made, draw(st.sampled_from("112")))
    return pair


@given(late_histories(), st.booleans())
@settings(max_examples=150)
def test_late_data_is_told_from_other_changes(pair: Pair, stamped: bool) -> None:
    world, model = pair.world, pair.model
    everything = {name: set(model.existing(name)) for name in world.graph.nodes}
    if stamped:
        world.leave_out(world.plan())
    for asset in world.graph.owner:
        assert world.states(asset) == model.states(asset), asset
        assert world.assess().tolerated(AssetKey(asset)) == model.ignoring(asset), asset
    compare(pair, world.plan(), everything)
    compare(pair, world.plan(include_late=True), everything, include_late=True)
    compare(pair, world.plan(force=True), everything, force=True)
    compare(pair, world.plan("last"), {"last": everything["last"]})


@given(late_histories(), st.booleans())
@settings(max_examples=60)
def test_taking_late_data_in_leaves_nothing_out(pair: Pair, stamped: bool) -> None:
    if stamped:
        pair.world.leave_out(pair.world.plan())
    pair.run(pair.world.plan(include_late=True), "two")
    again = pair.world.plan(include_late=True)
    assert (again.steps, again.tolerated) == ((), ())
    assert (pair.world.plan().steps, pair.world.plan().tolerated) == ((), ())
