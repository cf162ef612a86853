from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from assetflow.definitions.batch import Batch
from assetflow.definitions.inputs import Input
from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.definitions import DailyPartitions, StaticPartitions
from assetflow.partitions.mappings import AllPartitions
from assetflow.planner.estimates import estimated
from assetflow.planner.history import MOST_SAMPLED, RECENT, asked_of
from assetflow.planner.plan import Plan
from assetflow.planner.state import Attempt, Attempts
from tests.unit.planner.building import World, check, computed, several, source

days = DailyPartitions("2024-01-01")
Tried = Mapping[str | None, Sequence[float | tuple[float, int | None, int | None]]]


def attempts(world: World, past: Mapping[str, Tried], *, code: str | None = None) -> Attempts:
    """Past attempts by asset and partition key: seconds, or seconds with rows and bytes; the newest last."""
    found: dict[int, dict[int, list[Attempt]]] = {}
    for key, tried in past.items():
        by = CodeVersion(code) if code else world.code(world.graph.owner[AssetKey(key)])
        for partition, tries in tried.items():
            ordinal = 0 if partition is None else world.space(key).ordinal(partition)
            made = [Attempt(*each, by) if isinstance(each, tuple) else Attempt(each, None, None, by) for each in tries]
            found.setdefault(world.uids()[AssetKey(key)], {})[ordinal] = made
    return Attempts(found)


def judged(world: World, past: Mapping[str, Tried] | Attempts, *, workers: int = 1, **options: Any) -> Plan:
    """The plan of a world with estimates."""
    known = past if isinstance(past, Attempts) else attempts(world, past)
    return estimated(world.plan(**options), world.assess(), known, workers=workers)


def estimates(made: Plan) -> dict[str, tuple[float, int | None, int | None] | None]:
    """Seconds, rows and bytes by computation."""
    return {
        step.computation: step.estimate and (round(step.estimate.seconds, 6), step.estimate.rows, step.estimate.bytes)
        for step in made.steps
    }


def january(first: int, last: int) -> list[str]:
    return [f"2024-01-{day:02}" for day in range(first, last + 1)]


def test_without_a_past_nothing_is_known() -> None:
    world = World([computed("a"), computed("b", "a")])
    made = judged(world, {})
    assert estimates(made) == {"a": None, "b": None}
    assert made.totals == {"steps": 2, "partitions": 2, "seconds": None, "workers": 1, "without_history": 2}
    assert made.steps[0].to_dict()["estimate"] is None


def test_the_median_of_the_attempts_counts_with_the_last_rows_and_bytes() -> None:
    world = World([computed("a")])
    world.build("a")
    made = judged(world, {"a": {None: [(2.0, 5, 50), (3600.0, 7, 70), (3.0, 9, 90)]}}, force=True)
    assert estimates(made) == {"a": (3.0, 9, 90)}
    assert made.steps[0].to_dict()["estimate"] == {"seconds": 3.0, "rows": 9, "bytes": 90}
    assert made.totals["seconds"] == 3.0


def test_an_empty_plan_takes_no_time() -> None:
    world = World([computed("a")])
    world.build("a")
    assert judged(world, {}).totals["seconds"] == 0


def test_a_new_partition_takes_what_is_usual_lately() -> None:
    world = World([computed("a", partitions=days)])
    world.build("a", *january(1, 9))
    past = {day: [(float(number), 10 * number, None)] for number, day in enumerate(january(1, 9), start=1)}
    assert estimates(judged(world, {"a": past})) == {"a": (5.0, 50, None)}


def test_only_the_partitions_made_last_tell_what_is_usual() -> None:
    keys = [f"k{number:02}" for number in range(2 * RECENT)]
    world = World([computed("a", partitions=StaticPartitions([*keys, "new"]))])
    world.build("a", *keys)
    past = {key: [8.0] if number < RECENT else [1.0] for number, key in enumerate(keys)}
    assert estimates(judged(world, {"a": past})) == {"a": (1.0, None, None)}


def test_a_partition_that_was_made_before_takes_its_own_time() -> None:
    world = World([computed("a", partitions=StaticPartitions(["big", "small", "tiny"]))])
    world.build("a", "big", "small")
    past = {"big": [(90.0, 900, 9000)], "small": [(1.0, 10, 100)]}
    made = judged(world, {"a": past}, force=True)
    # tiny is new: halfway between the two that are known.
    assert estimates(made) == {"a": (90.0 + 1.0 + 45.5, 900 + 10 + 455, 9000 + 100 + 4550)}


def test_an_accident_is_replaced_by_what_the_size_suggests() -> None:
    world = World([computed("a", partitions=days)])
    world.build("a", *january(1, 10))
    past: dict[str | None, Any] = {day: [(1.0, None, 100)] for day in january(1, 10)}
    past["2024-01-04"] = [(3600.0, None, 100)]
    past["2024-01-05"] = [(3600.0, None, 300)]
    past["2024-01-06"] = [(40.0, None, 4000)]
    past["2024-01-07"] = [(50.0, None, 100)] * 3
    made = judged(world, {"a": past}, force=True, partitions="2024-01-04...2024-01-07")
    # One that is as large as its time, and one that took so long three times, are believed.
    assert estimates(made)["a"] == (1.0 + 3.0 + 40.0 + 50.0, None, 100 + 300 + 4000 + 100)


def test_attempts_by_todays_code_count_alone_where_there_are_any() -> None:
    world = World([computed("a", partitions=StaticPartitions(["x", "y"]))])
    world.build("a")
    now = attempts(world, {"a": {"x": [1.0], "y": []}}).computed[1]
    before = attempts(world, {"a": {"x": [9.0, 9.0], "y": [7.0]}}, code="c1:before").computed[1]
    both = Attempts({1: {ordinal: [*before[ordinal], *now[ordinal]] for ordinal in before}})
    assert estimates(judged(world, both, force=True)) == {"a": (1.0 + 7.0, None, None)}


def test_the_time_of_several_outputs_counts_once_and_what_they_write_together() -> None:
    world = World([several("m", ["x", "y"])])
    world.build("x")
    made = judged(world, {"x": {None: [(4.0, 10, 100)]}, "y": {None: [(4.0, 1, None)]}}, force=True)
    assert estimates(made) == {"m": (4.0, 11, 100)}


def test_reuse_costs_nothing_and_a_check_takes_what_checking_took() -> None:
    world = World([computed("a"), computed("b")], [check("look", "b")])
    world.build("a")
    world.edit("a", "shop.a", "2")
    world.build("a")
    world.edit("a", "shop.a", "1")
    world.build("b")
    world.check_versions["b", "look"] = 2
    past = attempts(world, {"a": {None: [5.0]}, "b": {None: [5.0]}})
    made = judged(world, past)
    assert [(step.computation, step.certainty) for step in made.steps] == [("a", "reuse"), ("b", "check")]
    assert estimates(made) == {"a": (0.0, 0, 0), "b": None}
    assert asked_of(made, world.graph, world.state()).checked == ((2, 0, 1),)
    checked = Attempts(past.computed, {2: {0: [0.5, 0.25, 9.0]}})
    assert estimates(judged(world, checked)) == {"a": (0.0, 0, 0), "b": (0.5, 0, 0)}


def test_a_step_that_may_run_is_counted_as_if_it_ran() -> None:
    world = World([source("raw"), computed("a", "raw"), computed("b", "a")])
    world.observe("raw", {None: "1"})
    world.run(world.plan())
    world.observe("raw", {None: "2"})
    made = judged(world, {"a": {None: [1.0]}, "b": {None: [2.0]}})
    assert [step.certainty for step in made.steps] == ["will", "may"]
    assert made.totals["seconds"] == 3.0


def test_of_very_many_partitions_an_even_sample_stands_for_all() -> None:
    keys = [f"k{number:04}" for number in range(4 * MOST_SAMPLED)]
    world = World([computed("a", partitions=StaticPartitions(keys))])
    world.build("a")
    asked = asked_of(world.plan(force=True), world.graph, world.state())
    assert len(asked.computed) <= MOST_SAMPLED + RECENT
    # Half of them take twice as long: the median of all would tell another time than their sum.
    past = {key: [(2.0 if number % 2 else 4.0, 1, 1)] for number, key in enumerate(keys)}
    made = judged(
        world, {"a": {keys[ordinal - 1]: past[keys[ordinal - 1]] for _, ordinal, _ in asked.computed}}, force=True
    )
    (found,) = estimates(made).values()
    assert found is not None
    assert found[0] == pytest.approx(3.0 * len(keys), rel=0.1)
    assert found[1:] == (len(keys), len(keys))


def test_what_is_asked_for() -> None:
    world = World(
        [computed("a", partitions=days, batch=Batch(max_partitions=7)), several("m", ["x", "y"]), computed("new")]
    )
    world.build("a", *january(1, 2))
    world.build("x")
    world.edit("m", "shop.m", "2")
    uids = world.uids()
    first = world.space("a").ordinal("2024-01-01")
    asked = asked_of(world.plan(), world.graph, world.state())
    assert set(asked.computed) == {
        (uids[AssetKey("a")], first, 7),
        (uids[AssetKey("a")], first + 1, 7),
        (uids[AssetKey("x")], 0, 1),
        (uids[AssetKey("y")], 0, 1),
    }
    assert asked.checked == ()


def test_workers_share_what_does_not_wait_for_each_other() -> None:
    keys = StaticPartitions(["n", "s", "w"])
    total = computed("total", Input("a", AllPartitions()))
    world = World([computed("a", partitions=keys), total])
    world.build("a")
    world.build("total")
    past: dict[str, Tried] = {"a": {"n": [6.0], "s": [2.0], "w": [4.0]}, "total": {None: [1.0]}}
    seconds = [judged(world, past, workers=number, force=True).totals["seconds"] for number in (1, 2, 3, 99)]
    # One worker takes the work of 13; from two on the chain of 6 and 1 decides.
    assert seconds == [13.0, 7.0, 7.0, 7.0]


def test_work_that_nothing_keeps_back_is_spread_over_the_workers() -> None:
    world = World([computed("a", partitions=days)])
    world.build("a")
    past: dict[str, Tried] = {"a": {day: [3.0] for day in january(1, 10)}}
    seconds = [judged(world, past, workers=number, force=True).totals["seconds"] for number in (1, 4, 10, 11)]
    assert seconds == [30.0, 7.5, 3.0, 3.0]


def test_partitions_that_read_partition_by_partition_need_not_wait_for_the_step() -> None:
    world = World([computed("a", partitions=days), computed("b", "a", partitions=days)])
    world.build("a")
    world.build("b")
    a: Tried = {day: [1.0 + number] for number, day in enumerate(january(1, 10))}
    b: Tried = {day: [10.0 - number] for number, day in enumerate(january(1, 10))}
    assert judged(world, {"a": a, "b": b}, workers=100, force=True).totals["seconds"] == 11.0


def test_partitions_of_one_call_begin_and_end_together() -> None:
    slow = computed("a", partitions=days, batch=Batch(max_partitions=4))
    world = World([slow, computed("b", "a", partitions=days)])
    world.build("a")
    world.build("b")
    past: dict[str, Tried] = {name: {day: [1.0] for day in january(1, 10)} for name in ("a", "b")}
    assert judged(world, past, workers=100, force=True).totals["seconds"] == 5.0


def test_the_total_says_how_many_steps_it_leaves_out() -> None:
    world = World([computed("a"), computed("b", "a"), computed("c", "b")])
    world.build("a")
    world.edit("a", "shop.a", "2")
    world.pointers.pop("b", None)
    made = judged(world, {"a": {None: [2.0]}}, workers=2)
    assert made.totals == {"steps": 3, "partitions": 3, "seconds": 2.0, "workers": 2, "without_history": 2}


def test_a_chain_goes_on_through_steps_that_take_no_time() -> None:
    world = World([computed("a"), computed("b", "a"), computed("c", "b")])
    for name in ("a", "b", "c"):
        world.build(name)
    made = judged(world, {"a": {None: [2.0]}, "b": {None: [0.0]}, "c": {None: [3.0]}}, workers=9, force=True)
    assert made.totals["seconds"] == 5.0
