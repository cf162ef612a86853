from __future__ import annotations

import pytest

from assetflow.definitions.decorators import asset
from assetflow.definitions.inputs import Input
from assetflow.errors import InvalidPartition, UnknownAsset
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, HourlyPartitions, MonthlyPartitions, WeeklyPartitions
from assetflow.partitions.mappings import LastN, TimeWindow
from tests.unit.planner.building import World, check, computed, lines, several, source

DAYS = DailyPartitions("2024-01-01", end="2024-01-05")


def chain(**keywords: object) -> World:
    world = World([computed("a"), computed("b", "a"), computed("c", "b")], **keywords)  # type: ignore[arg-type]
    for name in "abc":
        world.build(name)
    return world


def causes(world: World, key: str, partition: str | None = None) -> list[tuple[str, str]]:
    return [(cause.kind, cause.detail) for cause in world.why(key, partition).causes]


def test_everything_built_is_up_to_date_and_has_no_cause() -> None:
    world = chain()
    explanation = world.why("c")
    assert (explanation.state, explanation.causes, explanation.held) == ("up_to_date", (), False)
    assert explanation.version == world.pointers["c"][0].version


def test_never_built_is_missing() -> None:
    world = World([computed("a"), computed("b", "a")])
    assert world.why("a").state == "missing"
    assert causes(world, "a") == [("missing", "never built")]
    assert causes(world, "b") == [("missing", "never built"), ("upstream_stale", "a is missing")]
    assert world.why("b").version is None


def test_a_changed_helper_makes_stale_and_is_named_downstream_too() -> None:
    world = chain()
    world.edit("a", "shop.helpers.clean", "2")
    assert world.why("a").state == "stale"
    assert causes(world, "a") == [("code_changed", "shop.helpers.clean added")]
    (inherited,) = world.why("c").causes
    assert (inherited.kind, inherited.root, inherited.detail) == (
        "upstream_stale",
        ("a",),
        "b is stale, which began at a",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"h1": "2"}, "h1 changed"),
        ({"h1": None}, "h1 removed"),
        ({"option:missing:orders": "allow"}, "missing of orders added"),
        ({"option:batch": "yes"}, "batch added"),
        ({"option:mapping:b": "Near", "mapping:b": "1"}, "mapping of b added"),
        ({"option:mapping:b": "Near", "h1": "2"}, "h1 changed, mapping of b added"),
        ({f"x{n}": "1" for n in range(5)}, "x0 added, x1 added, x2 added and 2 more"),
    ],
)
def test_changed_components_are_told_as_people_call_them(changes: dict[str, str | None], sentence: str) -> None:
    world = World([computed("a")], components={"a": {"h1": "1"}})
    world.build("a")
    for component, value in changes.items():
        world.edit("a", component, value)
    assert causes(world, "a") == [("code_changed", sentence)]


def test_a_mapping_of_a_user_that_is_replaced_is_one_change() -> None:
    world = World([computed("a")], components={"a": {"option:mapping:a": "Near", "mapping:a": "source"}})
    world.build("a")
    world.edit("a", "mapping:a", None)
    world.edit("a", "option:mapping:a", "TimeWindow(-1, -1)")
    assert causes(world, "a") == [("code_changed", "mapping of a changed")]
    (step,) = world.plan().steps
    assert step.causes[0].components == ("mapping:a", "option:mapping:a")


def test_only_a_schema_that_changed_is_a_cause_of_its_own() -> None:
    world = World([computed("a")], components={"a": {"h": "1", "schema:a": "1"}})
    world.build("a")
    world.edit("a", "schema:a", "2")
    assert causes(world, "a") == [("schema_changed", "schema of a changed")]
    world.edit("a", "h", "2")
    assert causes(world, "a") == [("code_changed", "h changed, schema of a changed")]


def test_code_whose_record_is_gone_is_still_a_change() -> None:
    world = chain()
    world.edit("a", "h", "2")
    world.code_records.clear()
    assert causes(world, "a") == [("code_changed", "the code changed")]


def test_a_changed_input_names_the_upstream_and_its_partitions() -> None:
    world = World([source("raw", partitions=DAYS), computed("a", "raw", partitions=DAYS), computed("total", "a")])
    world.observe("raw", {f"2024-01-0{n}": "1" for n in range(1, 5)})
    world.build("a")
    world.build("total")
    world.observe("raw", {"2024-01-02": "2", "2024-01-04": "2"})
    assert causes(world, "a", "2024-01-02") == [("input_changed", "raw 2024-01-02 changed")]
    assert world.why("a", "2024-01-02").causes[0].root == ("raw",)
    assert world.why("a", "2024-01-03").state == "up_to_date"
    (cause,) = world.why("total").causes
    assert cause.detail == "a 2024-01-02, 2024-01-04 is stale, which began at raw"
    assert (cause.root, cause.partitions) == (("raw",), ("2024-01-02", "2024-01-04"))


def test_each_partition_counts_changes_since_it_was_built_itself() -> None:
    hours = HourlyPartitions("2024-01-01", end="2024-01-03")
    days = DailyPartitions("2024-01-01", end="2024-01-03")
    world = World([source("raw", partitions=hours), computed("a", "raw", partitions=days)])
    world.observe("raw", {f"2024-01-01T{hour:02}:00Z": "1" for hour in range(24)})
    world.build("a", "2024-01-01")
    world.observe("raw", {f"2024-01-02T{hour:02}:00Z": "1" for hour in range(24)})
    world.build("a", "2024-01-02")
    world.observe("raw", {f"2024-01-0{day}T05:00Z": "2" for day in (1, 2)})
    (cause,) = world.why("a").causes
    assert (cause.count, cause.detail) == (
        2,
        "raw changed (2024-01-01T05:00Z, 2024-01-02T05:00Z published since)",
    )


def test_many_ranges_are_counted() -> None:
    hours = HourlyPartitions("2024-01-01", end="2024-01-02")
    world = World([source("raw", partitions=hours), computed("a", "raw")])
    world.observe("raw", {f"2024-01-01T{hour:02}:00Z": "1" for hour in range(24)})
    world.build("a")
    world.observe("raw", {f"2024-01-01T{hour:02}:00Z": "2" for hour in range(0, 24, 4)})
    (cause,) = world.why("a").causes
    assert cause.partitions == ("2024-01-01T00:00Z", "2024-01-01T04:00Z", "2024-01-01T08:00Z", "+3 more")


def test_a_withdrawn_partition_changes_what_allows_it() -> None:
    world = World([source("raw", partitions=DAYS), computed("a", "raw")])
    world.observe("raw", {f"2024-01-0{n}": "1" for n in range(1, 5)})
    world.build("a")
    world.withdraw("raw", "2024-01-02")
    assert causes(world, "a") == [("input_changed", "raw changed")]


def test_a_cause_of_its_own_hides_those_further_up_from_what_comes_below() -> None:
    world = World(
        [source("raw"), source("other"), computed("a", "raw"), computed("b", "a", "other"), computed("c", "b")]
    )
    world.observe("raw", {None: "1"})
    world.observe("other", {None: "1"})
    world.run(world.plan())
    world.observe("raw", {None: "2"})
    assert world.why("c").causes[0].root == ("raw",)
    world.observe("other", {None: "2"})
    assert [cause.root for cause in world.why("b").causes] == [("other",), ("raw",)]
    assert world.why("c").causes[0].root == ("other",)


def test_one_upstream_read_twice_is_one_cause() -> None:
    def build(now: int, before: int) -> int:
        return now + before

    inputs = {"now": Input("a", TimeWindow()), "before": Input("a", TimeWindow(-1, -1), missing="allow")}
    world = World([computed("a", partitions=DAYS), asset(name="b", inputs=inputs, partitions=DAYS)(build)])
    world.run(world.plan())
    world.edit("a", "h", "2")
    (cause,) = world.why("b", "2024-01-03").causes
    assert (cause.count, cause.partitions) == (1, ("2024-01-02...2024-01-03",))


def test_code_and_input_are_both_reported() -> None:
    world = World([source("raw"), computed("a", "raw")])
    world.observe("raw", {None: "1"})
    world.build("a")
    world.observe("raw", {None: "2"})
    world.edit("a", "h", "2")
    assert causes(world, "a") == [("code_changed", "h added"), ("input_changed", "raw changed")]


def test_a_partition_waits_for_what_no_step_can_make() -> None:
    world = World(
        [source("raw", partitions=DAYS), computed("a", "raw", partitions=DAYS), computed("b", "a", partitions=DAYS)]
    )
    world.observe("raw", {f"2024-01-0{n}": "1" for n in (1, 3, 4)})
    assert world.states("a") == {
        "2024-01-01": "missing",
        "2024-01-02": "waiting",
        "2024-01-03": "missing",
        "2024-01-04": "missing",
    }
    assert causes(world, "a", "2024-01-02") == [
        ("waiting", "waits for raw@2024-01-02"),
        ("missing", "never built"),
    ]
    assert causes(world, "b", "2024-01-02")[0] == ("waiting", "waits for a@2024-01-02")
    assert world.why("b", "2024-01-02").causes[0].root == ("raw",), "where the waiting began"
    assert world.states("raw")["2024-01-02"] == "missing"
    assert causes(world, "raw", "2024-01-02") == [("missing", "not observed")]
    plan = world.plan()
    assert [(entry.computation, entry.lacking) for entry in plan.waiting] == [
        ("a", ("raw@2024-01-02",)),
        ("b", ("a@2024-01-02",)),
    ]
    assert plan.totals["partitions"] == 6


def test_known_to_be_empty_is_present() -> None:
    world = World([source("raw", partitions=DAYS), computed("a", "raw", partitions=DAYS)])
    world.observe("raw", {"2024-01-01": "1", "2024-01-02": None, "2024-01-03": "1", "2024-01-04": "1"})
    assert set(world.states("a").values()) == {"missing"}
    assessment = world.assess()
    assert assessment.counts(AssetKey("raw")) == {
        "total": 4,
        "up_to_date": 4,
        "stale": 0,
        "missing": 0,
        "waiting": 0,
        "failed": 0,
        "empty": 1,
    }
    assert str(assessment.watermark(AssetKey("raw"))) == "2024-01-05 00:00:00+00:00"


def test_an_absent_upstream_that_is_allowed_is_no_reason_to_wait_and_its_arrival_a_change() -> None:
    world = World(
        [
            source("raw", partitions=HourlyPartitions("2024-01-01", end="2024-01-03")),
            computed("a", Input("raw", missing="allow"), partitions=DailyPartitions("2024-01-01", end="2024-01-03")),
        ]
    )
    hours = {f"2024-01-0{day}T{hour:02}:00Z": "1" for day in (1, 2) for hour in range(24)}
    del hours["2024-01-01T07:00Z"]
    world.observe("raw", dict(hours))
    assert world.run(world.plan()) == ["a will 2"]
    world.observe("raw", {"2024-01-01T07:00Z": "1"})
    assert lines(world.plan()) == ["a will 2024-01-01: input_changed"]
    assert causes(world, "a", "2024-01-01") == [("input_changed", "raw changed (2024-01-01T07:00Z published since)")]


def test_an_upstream_that_waits_but_has_a_version_is_no_reason_to_wait() -> None:
    world = World([source("raw"), computed("a", "raw"), computed("b", "a")])
    world.observe("raw", {None: "1"})
    world.build("a")
    world.build("b")
    del world.pointers["raw"][0]
    assert world.why("a").state == "waiting"
    assert world.why("b").state == "up_to_date"
    assert lines(world.plan()) == []


def test_a_month_waits_for_the_week_that_is_not_over() -> None:
    weeks = WeeklyPartitions("2023-12-25")
    world = World(
        [computed("week", partitions=weeks), computed("month", "week", partitions=MonthlyPartitions("2024-01"))]
    )
    world.now = world.now.replace(month=2, day=2)
    assert causes(world, "month", "2024-01") == [
        ("waiting", "waits for week@2024-01-29"),
        ("missing", "never built"),
        ("upstream_stale", "week 2024-01-01...2024-01-22 is missing"),
    ]


def test_windows_before_the_upstream_begins_are_noted_or_awaited() -> None:
    days = DailyPartitions("2024-01-01", end="2024-01-04")
    world = World([computed("a", partitions=days), computed("b", Input("a", TimeWindow(-1, 0)), partitions=days)])
    plan = world.plan()
    (note,) = plan.notes
    assert note == (
        "b 2024-01-01: asks for partitions that a (daily from 2024-01-01 until 2024-01-04, UTC) cannot have; "
        "it is built from those that it can"
    )
    assert world.run(plan) == ["a will 3", "b will 3"]
    assert world.plan().notes == ()

    mapping = TimeWindow(-1, 0, allow_nonexistent=False)
    strict = World([computed("a", partitions=days), computed("b", Input("a", mapping), partitions=days)])
    impossible = "a (daily from 2024-01-01 until 2024-01-04, UTC) cannot have all that it asks for"
    assert causes(strict, "b", "2024-01-01")[0] == ("waiting", f"waits for a; {impossible}")
    assert strict.run(strict.plan()) == ["a will 3", "b will 2"]


def test_an_upstream_window_outside_the_existing_ones_is_no_part_of_the_last_n() -> None:
    world = World([computed("a", partitions=DAYS), computed("latest", Input("a", LastN(2)))])
    world.run(world.plan())
    world.edit("a", "h", "2")
    world.build("a", "2024-01-01", data="other")
    assert world.why("latest").causes[0].partitions == ("2024-01-03...2024-01-04",)


def test_a_failed_try_under_the_present_key_is_failed_beside_what_made_it_due() -> None:
    world = World([computed("a"), computed("b", "a")])
    world.build("a")
    world.fail("b", error="ValueError: boom")
    assert world.why("b").state == "failed"
    assert causes(world, "b") == [("missing", "never built"), ("failed", "failed in run r1: ValueError: boom")]
    world.edit("b", "h", "2")
    assert world.why("b").state == "missing"


def test_a_failed_try_counts_until_its_inputs_change() -> None:
    world = chain()
    world.edit("b", "h", "2")
    world.fail("b")
    assert world.why("b").state == "failed"
    world.build("a", data="other")
    assert world.why("b").state == "stale"


def test_failures_of_many_partitions_are_summed_up() -> None:
    world = World([computed("a", partitions=DAYS)])
    world.fail("a", "2024-01-01", error="one")
    world.fail("a", "2024-01-02", error="two")
    world.fail("a", "2024-01-03", error="two")
    (_, failed) = world.why("a").causes
    assert (failed.count, failed.detail) == (3, "failed in run r1: one, and 1 other error")


def test_failures_that_differ_in_nothing_but_the_partition_are_one() -> None:
    world = World([computed("a", partitions=DAYS)])
    for day in range(1, 4):
        world.fail("a", f"2024-01-0{day}", error=f"a@2024-01-0{day} raised KeyError: 'x'")
    (_, failed) = world.why("a").causes
    assert (failed.count, failed.detail) == (3, "failed in run r1: a@2024-01-01 raised KeyError: 'x'")
    world.fail("a", "2024-01-03", error="a@2024-01-03 raised KeyError: 'y'")
    assert world.why("a").causes[1].detail == "failed in run r1: a@2024-01-01 raised KeyError: 'x', and 1 other error"


def test_a_blocking_check_that_fails_on_the_current_version_is_failed() -> None:
    world = World([computed("a"), computed("b", "a")], checks=[check("ok", "a"), check("hm", "a", blocking=False)])
    world.run(world.plan())
    version = world.pointers["a"][0].version
    world.passed("a", version, failed=["hm"])
    assert world.why("a").state == "up_to_date"
    world.passed("a", version, failed=["ok"])
    assert (world.why("a").state, world.why("b").state) == ("failed", "up_to_date")
    assert causes(world, "a") == [("check_failed", "check ok failed")]


def test_checks_never_make_stale() -> None:
    world = World([computed("a"), computed("b", "a")], checks=[check("ok", "a")])
    world.run(world.plan())
    world.check_versions["a", "ok"] = 2
    assert world.why("a").state == "up_to_date"
    assert causes(world, "a") == [("code_changed", "check ok changed")]
    assert world.why("b").state == "up_to_date"


def test_failed_comes_before_waiting_before_missing() -> None:
    world = World([source("raw"), computed("a", "raw")])
    assert world.why("a").state == "waiting"
    world.fail("a")
    assert world.why("a").state == "failed"
    assert lines(world.plan()) == []
    assert [entry.computation for entry in world.plan().waiting] == ["a"]


def test_a_rollback_is_held_until_code_changes() -> None:
    world = chain()
    world.build("a", data="old", held=True)
    explanation = world.why("a")
    assert (explanation.state, explanation.held) == ("up_to_date", True)
    world.edit("a", "h", "2")
    explanation = world.why("a")
    assert (explanation.state, explanation.held) == ("stale", False)


def test_outputs_of_one_computation_have_states_of_their_own() -> None:
    world = World([several("split", ["x", "y"]), computed("z", "y")], checks=[check("ok", "x")])
    world.run(world.plan())
    del world.pointers["y"][0]
    assert (world.why("x").state, world.why("y").state) == ("stale", "missing")
    assert causes(world, "x") == [("missing", "y was never built")]
    world.run(world.plan())
    world.passed("x", world.pointers["x"][0].version, failed=["ok"])
    assert (world.why("x").state, world.why("y").state) == ("failed", "up_to_date")


def test_a_whole_asset_has_the_first_state_of_any_partition() -> None:
    world = World([computed("a", partitions=DAYS)])
    world.build("a", "2024-01-01", "2024-01-03")
    explanation = world.why("a")
    assert (explanation.state, explanation.partition, explanation.version) == ("missing", None, None)
    assert explanation.to_dict()["partitions"] == {
        "total": 4,
        "up_to_date": 2,
        "stale": 0,
        "missing": 2,
        "waiting": 0,
        "failed": 0,
        "empty": 0,
    }
    assert [(cause.kind, cause.count) for cause in explanation.causes] == [("missing", 2)]
    assessment = world.assess()
    assert str(assessment.watermark(AssetKey("a"))) == "2024-01-02 00:00:00+00:00"
    assert world.space("a").describe(assessment.gaps(AssetKey("a"))) == ["2024-01-02"]


def test_pointers_of_partitions_that_exist_no_longer_count_for_nothing() -> None:
    world = World([computed("a", partitions=DailyPartitions("2024-01-01")), computed("total", "a")])
    world.run(world.plan())
    later = World([computed("a", partitions=DailyPartitions("2024-01-03")), computed("total", "a")])
    later.pointers, later.code_ids, later.code_records = world.pointers, world.code_ids, world.code_records
    assert len(later.states("a")) == 8
    assert set(later.states("a").values()) == {"up_to_date"}
    assert later.why("total").state == "stale"
    later.run(later.plan())
    assert later.plan().steps == ()


def test_why_needs_an_existing_asset_and_partition() -> None:
    world = World([computed("orders", partitions=DailyPartitions("2024-01-01"))])
    with pytest.raises(UnknownAsset) as unknown:
        world.why("ordrs")
    assert (unknown.value.message, unknown.value.hint) == ("there is no asset 'ordrs'", "did you mean orders?")
    with pytest.raises(InvalidPartition) as caught:
        world.why("orders", "2024-01-11")
    assert caught.value.message == "orders@2024-01-11 does not exist yet: its window ends at 2024-01-12T00:00:00+00:00"
    assert caught.value.hint == "a time partition exists once its window has ended"
