"""What freshness policies need, against the slow model, and what is left once that is done."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow import FreshnessPolicy
from assetflow.keys import AssetKey
from assetflow.planner.data_times import DataTimes
from assetflow.planner.due import due_of
from assetflow.planner.freshness import freshness_of
from assetflow.planner.plan import Plan
from tests.property.due_oracle import DueModel
from tests.property.pairs import NOW, Pair
from tests.property.test_planner import timelines
from tests.property.timelines import Timeline, holds

POLICIES = st.sampled_from(
    [
        None,
        FreshnessPolicy(max_lag="1d"),
        FreshnessPolicy(max_lag="60h"),
        FreshnessPolicy(max_lag="60h", warn_lag="20h"),
        FreshnessPolicy(cron="0 6 * * *"),
        FreshnessPolicy(cron="0 6 * * *", max_lag="30h", warn_lag="2h"),
    ]
)


def planned(pair: Pair, made: Plan) -> set[tuple[str, str | None]]:
    spaces = pair.world.spaces
    return {
        (step.computation, spaces[step.computation].key(n)) for step in made.steps for n in step.partitions.ordinals
    }


def expired(pair: Pair, made: Plan) -> set[tuple[str, str | None]]:
    spaces = pair.world.spaces
    return {(step.computation, spaces[step.computation].key(n)) for step in made.steps for n in step.expired}


def what_is_due(timeline: Timeline) -> None:
    pair = Pair.after(timeline)
    slow = DueModel(pair.model)
    slow.solve()
    made = pair.world.plan(due=True)
    assert planned(pair, made) == slow.taken
    assert expired(pair, made) == slow.expired
    assert all(step.causes or step.inherited for step in made.steps)
    assert made.next_deadline is None or made.next_deadline > NOW


def carried_out(pair: Pair, made: Plan, content: str | None) -> None:
    """Carry a plan out as a run does: what may change stays as it is where its inputs turn out equal."""
    pair.world.at = pair.model.at = NOW
    for name, certainty, key in pair.in_order(made):
        node = pair.world.graph.nodes[name]
        record = pair.model.current.get(name, {}).get(key)
        same = record and record.code == pair.model.codes[name]
        failed = pair.model.tries.get(name, {}).get(key) == pair.model.attempt(node, key)
        if certainty == "may" and same and not failed and record.inputs == pair.model.inputs(node, key):
            continue
        pair.carry_out(name, certainty, pair.ordinal(name, key), key, made, content)


def nothing_is_due_again(timeline: Timeline, content: str | None) -> None:
    pair = Pair.after(timeline)
    made = pair.world.plan(due=True)
    assessment = pair.world.assess()
    times = DataTimes(assessment)
    due = {key for key in pair.world.graph.owner if freshness_of(assessment, key, times).due}
    carried_out(pair, made, content)
    left = due_of(pair.world.assess(), {pair.world.graph.owner[key] for key in due})
    assert {name: rows for name, rows in left.rows.items() if rows.any()} == {}


def the_deadline(timeline: Timeline) -> None:
    pair = Pair.after(timeline)
    deadline = pair.world.plan(due=True).next_deadline
    assessment = pair.world.assess()
    times = DataTimes(assessment)
    before = {key: freshness_of(assessment, key, times) for key in pair.world.graph.owner}
    coming = [each.deadline for each in before.values() if each.deadline is not None]
    assert deadline == min(coming, default=None)
    for key, each in before.items():
        if each.deadline is None or read_windows(pair, key):
            continue
        assert state_at(pair, key, each.deadline - timedelta(microseconds=1)) == each.state
        assert RANKS.index(state_at(pair, key, each.deadline)) > RANKS.index(each.state)


RANKS = ["none", "pass", "warn", "fail"]


def state_at(pair: Pair, key: AssetKey, now: datetime) -> str:
    pair.world.now = now
    assessment = pair.world.assess()
    return freshness_of(assessment, key, DataTimes(assessment)).state


def read_windows(pair: Pair, key: AssetKey) -> bool:
    """Whether an asset that ages reads windows, of which there will be more by then."""
    graph = pair.world.graph
    name = graph.owner[key]
    timed = [each for each in (name, *graph.ancestors([name])) if pair.world.spaces[each].time_based]
    return bool(timed) and not pair.world.spaces[name].time_based


@given(timelines(POLICIES))
@settings(max_examples=150)
def test_what_is_due_is_what_the_slow_model_says(timeline: Timeline) -> None:
    holds(what_is_due, timeline)


@given(timelines(POLICIES), st.sampled_from([None, "one", "two"]))
@settings(max_examples=150)
def test_nothing_is_due_once_it_was_done(timeline: Timeline, content: str | None) -> None:
    holds(nothing_is_due_again, timeline, content=content)


@given(timelines(POLICIES))
@settings(max_examples=100)
def test_the_deadline_is_when_a_state_changes(timeline: Timeline) -> None:
    holds(the_deadline, timeline)
