"""What freshness policies need of assets with several dimensions, against the slow model."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.definitions.inputs import Input
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, MonthlyPartitions, StaticPartitions
from assetflow.partitions.mappings import AllPartitions
from assetflow.partitions.multi_partitions import MultiPartitions
from assetflow.planner.data_times import DataTimes
from assetflow.planner.due import due_of
from assetflow.planner.freshness import freshness_of
from tests.property.due_oracle import DueModel
from tests.property.test_due import POLICIES, RANKS, carried_out, expired, planned, read_windows, state_at
from tests.property.test_planner import CONTENTS, NOW, Pair
from tests.unit.planner.building import computed, several, source

AREAS = StaticPartitions(["north", "south"])
CELLS = (
    MultiPartitions({"day": DailyPartitions("2024-01-29"), "area": AREAS}),
    MultiPartitions({"area": AREAS, "day": DailyPartitions("2024-01-29", end="2024-02-01")}),
    MultiPartitions({"area": AREAS, "month": MonthlyPartitions("2023-11"), "kind": StaticPartitions(["a", "b"])}),
    MultiPartitions({"area": AREAS, "kind": StaticPartitions(["b", "a"])}),
)


@st.composite
def histories(draw: st.DrawFn) -> Pair:
    """Assets over cells, what they read and what reads them, to which some things happened."""
    cells = draw(st.sampled_from(CELLS))
    up = draw(st.sampled_from([None, cells]))
    mapping = None if up is cells else AllPartitions()
    deps = [Input("raw", mapping if up else None, missing=draw(st.sampled_from([None, "wait", "allow"])))]
    asset = several("sales", ["sales_x", "sales_y"], *deps, partitions=cells, freshness_policy=draw(POLICIES))
    if draw(st.booleans()):
        asset = computed("sales_x", *deps, partitions=cells, freshness_policy=draw(POLICIES))
    made = source("raw", partitions=up) if draw(st.booleans()) else computed("raw", partitions=up)
    same = computed("same", "sales_x", partitions=cells, freshness_policy=draw(POLICIES))
    total = computed("total", Input("sales_x", AllPartitions()), freshness_policy=draw(POLICIES))
    pair = Pair([made, asset, same, total], [])
    for _ in range(draw(st.integers(0, 8))):
        pair.world.at = pair.model.at = NOW - timedelta(hours=draw(st.integers(0, 100)))
        event = draw(st.sampled_from(["run", "observe", "publish", "publish", "fail", "edit"]))
        if event == "run":
            pair.run(pair.world.plan(), draw(CONTENTS))
        elif event == "observe":
            for name in pair.sources:
                for key in pair.model.existing(name):
                    if draw(st.booleans()):
                        pair.observe(name, key, draw(CONTENTS))
        else:
            name = draw(st.sampled_from(pair.computations))
            keys = draw(st.lists(st.sampled_from(pair.model.existing(name)), min_size=1, max_size=6))
            for key in keys:
                if event == "edit":
                    pair.edit(name, draw(st.sampled_from("123")))
                elif event == "publish":
                    pair.publish(name, key, draw(CONTENTS))
                else:
                    pair.fail(name, key, candidate=False)
    return pair


@given(histories())
@settings(max_examples=60)
def test_what_is_due_is_what_the_slow_model_says(pair: Pair) -> None:
    slow = DueModel(pair.model)
    slow.solve()
    made = pair.world.plan(due=True)
    assert planned(pair, made) == slow.taken
    assert expired(pair, made) == slow.expired
    assert all(step.causes or step.inherited for step in made.steps)


@given(histories(), st.sampled_from([None, "one", "two"]))
@settings(max_examples=40)
def test_nothing_is_due_once_it_was_done(pair: Pair, content: str | None) -> None:
    made = pair.world.plan(due=True)
    assessment = pair.world.assess()
    times = DataTimes(assessment)
    due = {key for key in pair.world.graph.owner if freshness_of(assessment, key, times).due}
    carried_out(pair, made, content)
    left = due_of(pair.world.assess(), {pair.world.graph.owner[key] for key in due})
    assert {name: rows for name, rows in left.rows.items() if rows.any()} == {}


@given(histories())
@settings(max_examples=40)
def test_the_deadline_is_when_a_state_changes(pair: Pair) -> None:
    assessment = pair.world.assess()
    times = DataTimes(assessment)
    before = {key: freshness_of(assessment, key, times) for key in pair.world.graph.owner}
    for key, each in before.items():
        # More windows than today's will be there by then for what is as old as what it reads.
        if each.deadline is None or read_windows(pair, key) or key == "total":
            continue
        assert state_at(pair, key, each.deadline - timedelta(microseconds=1)) == each.state
        assert RANKS.index(state_at(pair, key, each.deadline)) > RANKS.index(each.state)


@given(histories(), st.data())
@settings(max_examples=40)
def test_what_is_built_behind_a_gap_makes_nothing_fresh(pair: Pair, drawn: st.DataObject) -> None:
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
