from __future__ import annotations

import dataclasses

import pytest

from assetflow.definitions.inputs import Input
from assetflow.errors import InvalidPartition, UsageError
from assetflow.partitions.definitions import DailyPartitions, HourlyPartitions, MonthlyPartitions, StaticPartitions
from assetflow.partitions.mappings import AllPartitions
from tests.unit.planner.building import World, check, computed, lines, several, source

HOURS = HourlyPartitions("2024-01-01", end="2024-01-04")
DAYS = DailyPartitions("2024-01-01", end="2024-01-04")


def weather() -> World:
    world = World(
        [
            source("raw", partitions=HOURS),
            computed("hourly", "raw", partitions=HOURS),
            computed("daily", "hourly", partitions=DAYS),
            computed("summary", "daily"),
        ]
    )
    world.observe("raw", {f"2024-01-0{day}T{hour:02}:00Z": "1" for day in (1, 2, 3) for hour in range(24)})
    return world


def built_weather() -> World:
    world = weather()
    world.run(world.plan())
    return world


def test_everything_is_built_once_in_order() -> None:
    world = weather()
    plan = world.plan()
    assert lines(plan) == [
        "hourly will 2024-01-01T00:00Z...2024-01-03T23:00Z: missing",
        "daily will 2024-01-01...2024-01-03: missing upstream_stale",
        "summary will all: missing upstream_stale",
    ]
    assert plan.totals == {"steps": 3, "partitions": 72 + 3 + 1, "seconds": None}
    world.run(plan)
    assert world.plan().to_dict()["steps"] == []


def test_a_correction_is_certain_where_it_is_and_possible_further_down() -> None:
    world = built_weather()
    world.observe("raw", {"2024-01-02T05:00Z": "2", "2024-01-02T06:00Z": "2"})
    assert lines(world.plan()) == [
        "hourly will 2024-01-02T05:00Z...2024-01-02T06:00Z: input_changed",
        "daily may 2024-01-02: upstream_stale",
        "summary may all: upstream_stale",
    ]


def test_a_changed_input_is_only_possible_while_it_may_change_again() -> None:
    world = World([source("raw"), computed("a", "raw"), computed("b", "a", "raw")])
    world.observe("raw", {None: "1"})
    world.run(world.plan())
    world.observe("raw", {None: "2"})
    assert lines(world.plan()) == ["a will all: input_changed", "b may all: input_changed upstream_stale"]


def test_the_document_has_the_shape_that_programs_read() -> None:
    world = built_weather()
    world.observe("raw", {"2024-01-02T05:00Z": "2"})
    world.withdraw("raw", "2024-01-03T00:00Z")
    document = world.plan("hourly or daily").to_dict()
    assert document["steps"][1] == {  # type: ignore[index]
        "asset": "daily",
        "outputs": ["daily"],
        "certainty": "may",
        "partitions": {"count": 1, "ranges": [["2024-01-02", "2024-01-02"]]},
        "causes": [
            {
                "kind": "upstream_stale",
                "count": 1,
                "detail": "hourly 2024-01-02T05:00Z is stale, which began at raw",
                "root": ["raw"],
                "parameter": "deps:hourly",
                "components": [],
                "partitions": ["2024-01-02T05:00Z"],
            }
        ],
        "estimate": None,
    }
    assert document["waiting"] == [
        {
            "asset": "hourly",
            "partitions": {"count": 1, "ranges": [["2024-01-03T00:00Z", "2024-01-03T00:00Z"]]},
            "for": ["raw@2024-01-03T00:00Z"],
        }
    ]
    assert document["as_of"] == "2024-01-11T00:30:00+00:00"


def test_the_id_follows_the_content_and_not_the_clock() -> None:
    world = weather()
    first = world.plan()
    world.now = world.now.replace(hour=5)
    assert first.plan_id.startswith("p-")
    assert len(first.plan_id) == 18
    assert world.plan().plan_id == first.plan_id
    assert world.plan(force=True).plan_id != first.plan_id
    assert world.plan("hourly").plan_id != first.plan_id
    world.observe("raw", {"2024-01-02T05:00Z": "2"})
    assert world.plan().plan_id != first.plan_id


def test_a_plan_is_the_same_twice() -> None:
    world = weather()
    assert world.plan().to_dict() == world.plan().to_dict()


def test_stale_upstreams_outside_the_selection_are_listed_and_give_no_step() -> None:
    world = built_weather()
    world.observe("raw", {"2024-01-02T05:00Z": "2"})
    plan = world.plan("summary")
    assert (plan.steps, plan.outside) == ((), ("hourly", "daily"))
    plan = world.plan("daily")
    assert (plan.steps, plan.outside) == ((), ("hourly",))
    assert world.plan("hourly").outside == ()
    assert world.plan("daily", partitions="2024-01-03").outside == ()


def test_own_causes_do_not_wait_for_a_stale_upstream_outside() -> None:
    world = built_weather()
    world.observe("raw", {"2024-01-02T05:00Z": "2"})
    world.edit("daily", "h", "2")
    plan = world.plan("daily")
    assert lines(plan) == ["daily will 2024-01-01...2024-01-03: code_changed"]
    assert plan.outside == ("hourly",)


def test_what_lacks_an_upstream_outside_the_selection_is_listed_as_waiting_and_stays_missing() -> None:
    world = weather()
    plan = world.plan("daily")
    assert plan.steps == ()
    assert [(entry.computation, entry.lacking) for entry in plan.waiting] == [
        ("daily", ("hourly@2024-01-01T00:00Z...2024-01-03T23:00Z",))
    ]
    assert plan.outside == ("hourly",)
    assert set(world.states("daily").values()) == {"missing"}


def test_an_allowed_upstream_outside_the_selection_is_not_waited_for() -> None:
    world = weather()
    plan = world.plan("summary")
    assert lines(plan) == ["summary will all: missing"]
    assert plan.outside == ("hourly", "daily")


def test_code_changed_back_is_reuse_and_then_everything_is_as_before() -> None:
    world = built_weather()
    world.edit("hourly", "h", "2")
    assert world.run(world.plan()) == ["hourly will 72", "daily may 3", "summary may 1"]
    world.edit("hourly", "h", None)
    plan = world.plan()
    assert lines(plan)[0] == "hourly reuse 2024-01-01T00:00Z...2024-01-03T23:00Z: code_changed"
    again = plan.steps[0].reuse[plan.steps[0].outputs[0]]
    assert again.ordinals.tolist() == list(plan.steps[0].partitions.ordinals)
    first_versions = again.version.tolist()
    world.run(plan)
    assert [each.version for _, each in sorted(world.pointers["hourly"].items())] == first_versions
    assert world.plan().steps == ()


def test_what_is_pending_or_forced_is_not_reused() -> None:
    world = World([computed("a"), computed("b", "a")])
    world.run(world.plan())
    for component in ("h", "g"):
        world.edit("b", component, "1")
        world.build("b")
    world.edit("b", "g", None)
    assert lines(world.plan()) == ["b reuse all: code_changed"]
    assert lines(world.plan("b", force=True)) == ["b will all: code_changed forced"]
    world.edit("a", "h", "1")
    assert lines(world.plan()) == ["a will all: code_changed", "b will all: code_changed upstream_stale"]


def test_the_newest_fitting_version_is_reused() -> None:
    world = World([computed("a")])
    for data in ("one", "two"):
        world.build("a", data=data)
    newest = world.pointers["a"][0].version
    world.edit("a", "h", "1")
    world.build("a")
    world.edit("a", "h", None)
    (step,) = world.plan().steps
    assert step.certainty == "reuse"
    assert step.reuse[step.outputs[0]].version.tolist() == [newest]


def test_every_output_must_have_something_to_reuse() -> None:
    world = World([several("split", ["x", "y"])])
    world.build("x")
    world.edit("split", "h", "1")
    world.build("x")
    world.edit("split", "h", None)
    (step,) = world.plan().steps
    assert (step.certainty, set(step.reuse)) == ("reuse", {"x", "y"})
    world.derived["y"] = []
    assert lines(world.plan()) == ["split will all: code_changed"]


def test_a_new_check_runs_on_the_current_version_and_moves_nothing() -> None:
    world = World([computed("a"), computed("b", "a")], checks=[check("ok", "a")])
    world.build("a")
    world.build("b")
    world.results.clear()
    plan = world.plan()
    assert lines(plan) == ["a check all: missing"]
    assert plan.steps[0].causes[0].detail == "check ok has not run on this version"
    assert plan.steps[0].reuse == {}
    world.run(plan)
    assert world.plan().steps == ()


def test_an_empty_version_is_not_checked() -> None:
    world = World([computed("a")], checks=[check("ok", "a")])
    world.build("a", empty=True)
    assert world.plan().steps == ()
    assert world.assess().counts(world.graph.require("a"))["empty"] == 1


def test_a_mended_check_runs_on_the_candidate_that_it_refused() -> None:
    world = World([computed("a"), computed("b", "a")], checks=[check("ok", "a")])
    world.run(world.plan())
    world.edit("a", "h", "2")
    world.fail("a", error="check ok failed", candidate=True)
    assert world.why("a").state == "failed"
    assert lines(world.plan(retry_failed=False)) == []
    assert lines(world.plan()) == ["a will all: code_changed failed", "b may all: upstream_stale"]

    world.check_versions["a", "ok"] = 2
    for retry_failed in (True, False):
        plan = world.plan(retry_failed=retry_failed)
        assert lines(plan) == ["a check all: code_changed code_changed", "b may all: upstream_stale"]
    assert [cause.detail for cause in plan.steps[0].causes] == ["h added", "check ok changed"]
    candidate = world.quarantined["a"][-1].version
    assert plan.steps[0].reuse[plan.steps[0].outputs[0]].version.tolist() == [candidate]
    world.run(plan)
    assert world.pointers["a"][0].version == candidate
    assert lines(world.plan("a")) == []


def test_a_candidate_of_other_inputs_is_of_no_use() -> None:
    world = World([source("raw"), computed("a", "raw")], checks=[check("ok", "a")])
    world.observe("raw", {None: "1"})
    world.fail("a", candidate=True)
    world.check_versions["a", "ok"] = 2
    world.observe("raw", {None: "2"})
    assert lines(world.plan()) == ["a will all: missing"]


def test_automation_leaves_a_failed_key_alone_and_what_needs_it_waits() -> None:
    world = weather()
    world.build("hourly")
    world.fail("daily", "2024-01-02")
    plan = world.plan(retry_failed=False)
    assert lines(plan) == [
        "daily will 2024-01-01, 2024-01-03: missing".replace(", ", ","),
        "summary will all: missing upstream_stale",
    ]
    strict = World([computed("a"), computed("b", "a")])
    strict.fail("a")
    plan = strict.plan(retry_failed=False)
    assert (plan.steps, [(entry.computation, entry.lacking) for entry in plan.waiting]) == ((), [("b", ("a",))])
    assert strict.why("b").state == "missing"
    assert lines(strict.plan()) == ["a will all: missing failed", "b will all: missing upstream_stale"]


def test_a_check_that_fails_on_the_current_version_runs_again_only_when_asked() -> None:
    world = World([computed("a"), computed("b", "a")], checks=[check("ok", "a")])
    world.run(world.plan())
    world.passed("a", world.pointers["a"][0].version, failed=["ok"])
    assert lines(world.plan()) == ["a check all: check_failed"]
    assert world.plan(retry_failed=False).steps == ()
    world.edit("a", "h", "2")
    for retry_failed in (True, False):
        assert lines(world.plan(retry_failed=retry_failed))[0] == "a will all: code_changed check_failed"


def test_a_forced_try_that_failed_is_tried_again() -> None:
    world = World([computed("a")])
    world.build("a")
    world.fail("a")
    assert world.why("a").state == "failed"
    assert lines(world.plan()) == ["a will all: failed"]
    assert world.plan(retry_failed=False).steps == ()


def test_force_computes_all_that_does_not_wait() -> None:
    world = built_weather()
    assert lines(world.plan("hourly or daily", partitions="2024-01-02", force=True)) == [
        "hourly will 2024-01-02T00:00Z...2024-01-02T23:00Z: forced",
        "daily will 2024-01-02: forced upstream_stale",
    ]
    world.withdraw("raw", "2024-01-02T00:00Z")
    plan = world.plan("hourly", partitions="2024-01-02", force=True)
    assert lines(plan) == ["hourly will 2024-01-02T01:00Z...2024-01-02T23:00Z: forced"]
    assert [entry.lacking for entry in plan.waiting] == [("raw@2024-01-02T00:00Z",)]


def test_a_day_selects_the_hours_inside_it_and_plus_what_it_maps_to() -> None:
    world = weather()
    world.build("hourly")
    assert lines(world.plan("daily", partitions="2024-01-02")) == ["daily will 2024-01-02: missing"]
    world = weather()
    hours = "2024-01-02T00:00Z...2024-01-02T23:00Z"
    assert lines(world.plan("+daily", partitions="2024-01-02")) == [
        f"hourly will {hours}: missing",
        "daily will 2024-01-02: missing upstream_stale",
    ]
    assert lines(world.plan("hourly", partitions="2024-01-02")) == [f"hourly will {hours}: missing"]
    assert lines(world.plan("hourly+", partitions=["2024-01-02", "2024-01-03"]))[1:] == [
        "daily will 2024-01-02...2024-01-03: missing upstream_stale",
        "summary will all: missing upstream_stale",
    ]
    assert lines(world.plan("hourly or daily", partitions=[("2024-01-02", "2024-01-03")]))[1:] == [
        "daily will 2024-01-02...2024-01-03: missing upstream_stale"
    ]


def test_unpartitioned_targets_stay_and_those_without_the_key_drop_out() -> None:
    regions = StaticPartitions(["north", "south"])
    world = World([computed("daily", partitions=DAYS), computed("region", partitions=regions), computed("total")])
    assert lines(world.plan(partitions="2024-01-02")) == ["daily will 2024-01-02: missing", "total will all: missing"]
    assert lines(world.plan(partitions="north")) == ["region will north: missing", "total will all: missing"]


def test_what_plus_adds_is_mapped_even_without_partitions() -> None:
    world = World(
        [
            computed("daily", partitions=DailyPartitions("2023-12-01")),
            computed("monthly", "daily", partitions=MonthlyPartitions("2023-12")),
        ]
    )
    assert lines(world.plan("+monthly")) == [
        "daily will 2023-12-01...2023-12-31: missing",
        "monthly will 2023-12: missing upstream_stale",
    ]
    assert lines(world.plan())[0] == "daily will 2023-12-01...2024-01-10: missing"


@pytest.mark.parametrize(
    ("selection", "partitions", "message", "hint"),
    [
        (
            "daily",
            "2023-05-05",
            "nothing that is selected has the partition 2023-05-05",
            "daily is daily from 2024-01-01",
        ),
        ("total", "2024-01-02", "nothing that is selected has the partition 2024-01-02", "leave the partition out"),
        ("open", "2024-02-01", "partition 2024-02-01 does not exist yet", "once its window has ended"),
        ("*", "north...south", "nothing that is selected has the partition north...south", "daily is daily"),
    ],
)
def test_partitions_that_nothing_has_are_refused(selection: str, partitions: str, message: str, hint: str) -> None:
    world = World(
        [
            computed("daily", partitions=DAYS),
            computed("open", partitions=DailyPartitions("2024-01-01")),
            computed("total"),
        ]
    )
    with pytest.raises(InvalidPartition) as caught:
        world.plan(selection, partitions=partitions)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


def test_a_malformed_range_is_refused() -> None:
    world = World([computed("daily", partitions=DAYS)])
    with pytest.raises(UsageError, match="is no partition or range"):
        world.plan(partitions="2024-01-01...")
    with pytest.raises(InvalidPartition):
        world.plan(partitions="2024-01-03...2024-01-01")


def test_the_start_moved_back_one_day_adds_exactly_one_partition() -> None:
    world = World([computed("daily", partitions=DailyPartitions("2024-01-02"))])
    world.run(world.plan())
    earlier = World([computed("daily", partitions=DailyPartitions("2024-01-01"))])
    earlier.pointers, earlier.code_ids, earlier.code_records = world.pointers, world.code_ids, world.code_records
    assert lines(earlier.plan()) == ["daily will 2024-01-01: missing"]


def test_outputs_are_counted_one_by_one() -> None:
    world = World([several("split", ["x", "y"], partitions=DAYS), computed("z", "y", partitions=DAYS)])
    plan = world.plan()
    assert plan.totals["partitions"] == 2 * 3 + 3
    assert (plan.steps[0].computation, plan.steps[0].outputs) == ("split", ("x", "y"))
    assert lines(world.plan("x")) == lines(plan)[:1]
    world.run(plan)
    assert world.plan().steps == ()


def test_several_parameters_may_read_one_asset() -> None:
    world = World([computed("a", partitions=DAYS), computed("b", Input("a", AllPartitions()), partitions=DAYS)])
    world.run(world.plan())
    world.build("a", "2024-01-01", data="other")
    plan = world.plan()
    assert lines(plan) == ["b will 2024-01-01...2024-01-03: input_changed"]
    assert plan.steps[0].causes[0].count == 3


def test_a_deep_chain_is_planned_without_recursion_and_names_the_root() -> None:
    depth = 3000
    world = World([computed("a0"), *(computed(f"a{n}", f"a{n - 1}") for n in range(1, depth))])
    plan = world.plan()
    assert len(plan.steps) == depth
    world.run(plan)
    world.edit("a0", "h", "2")
    last = world.plan().steps[-1]
    assert (last.certainty, last.inherited[0].root) == ("may", ("a0",))


def test_the_roots_of_many_are_bounded_but_named() -> None:
    count = 40
    world = World([*(computed(f"a{n}") for n in range(count)), computed("z", *(f"a{n}" for n in range(count)))])
    world.run(world.plan())
    for n in range(count):
        world.edit(f"a{n}", "h", "2")
    last = world.plan().steps[-1]
    assert last.computation == "z"
    assert len({root for cause in last.inherited for root in cause.root}) == count


def test_a_plan_is_frozen() -> None:
    plan = weather().plan()
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.forced = True  # type: ignore[misc]


def test_edges_of_unchanged_assets_are_made_when_they_are_looked_at() -> None:
    world = World([computed("a"), computed("b", "a"), computed("c", "a", "b")])
    for name in ("a", "b", "c"):
        world.build(name)
    facts = world.assess().facts["c"]
    assert facts.settled == ("a", "b")
    assert [edge.upstream for edge in facts.edges] == ["a", "b"]
    assert facts.edges[1].edge.parameter == "deps:b"
    assert facts.edges[0] is next(iter(facts.edges))
    assert [edge.changed.tolist() for edge in facts.edges] == [[False], [False]]
    world.edit("b", "body", "other")
    assert world.assess().facts["b"].settled is None
    assert world.plan().steps[-1].inherited[0].detail == "b is stale"
