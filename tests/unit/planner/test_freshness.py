"""How fresh assets are, what is in the way of those that are late, and what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from assetflow import (
    AllPartitions,
    CronPartitions,
    DailyPartitions,
    DynamicPartitions,
    FreshnessPolicy,
    HourlyPartitions,
    Input,
    MultiPartitions,
    StaticMapping,
    StaticPartitions,
)
from assetflow.errors import InvalidSelection, UsageError
from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.data_times import DataTimes
from assetflow.planner.freshness import Freshness, freshness_of
from assetflow.planner.plan import Partitions
from tests.unit.planner.building import World, computed, lines, source

NOW = datetime(2024, 1, 11, 0, 30, tzinfo=UTC)
"""The first ten days of the month exist."""
DAYS = DailyPartitions("2024-01-01")
DAY = FreshnessPolicy(max_lag="24h")
HOUR = timedelta(hours=1)


def fresh(world: World, key: str) -> Freshness:
    assessment = world.assess()
    return freshness_of(assessment, AssetKey(key), DataTimes(assessment))


def late(world: World, key: str) -> list[str]:
    """The partitions that make an asset late, as ranges."""
    found = fresh(world, key).late
    return (
        [] if found is None else [first if first == last else f"{first}...{last}" for first, last in found.ranges or ()]
    )


def due(world: World, selection: str = "*") -> list[str]:
    return lines(world.plan(selection, due=True))


def hours(found: Freshness) -> float | None:
    return None if found.lag is None else found.lag / HOUR


@pytest.mark.parametrize(
    ("policy", "age", "state", "deadline"),
    [
        (FreshnessPolicy(max_lag="24h"), 23.9, "pass", 0.1),
        (FreshnessPolicy(max_lag="24h"), 24, "fail", None),
        (FreshnessPolicy(max_lag="24h", warn_lag="20h"), 19, "pass", 1),
        (FreshnessPolicy(max_lag="24h", warn_lag="20h"), 20, "warn", 4),
        (FreshnessPolicy(max_lag="24h", warn_lag="20h"), 30, "fail", None),
        (FreshnessPolicy(cron="0 0 * * *"), 0.5, "pass", 23.5),
        (FreshnessPolicy(cron="0 0 * * *"), 0.6, "fail", None),
        (FreshnessPolicy(cron="0 0 * * *", max_lag="1h"), 0.6, "pass", 0.5),
        (FreshnessPolicy(cron="0 0 * * *", max_lag="1h"), 25, "fail", None),
        (FreshnessPolicy(cron="0 0 * * *", max_lag="1h", warn_lag="30m"), 0.6, "warn", 0.5),
        (FreshnessPolicy(cron="0 0 * * *", timezone="Asia/Kolkata"), 3, "pass", 18),
    ],
)
def test_an_unpartitioned_asset_is_as_old_as_its_last_computation(
    policy: FreshnessPolicy, age: float, state: str, deadline: float | None
) -> None:
    world = World([computed("a", freshness_policy=policy)], now=NOW)
    world.at = NOW - age * HOUR
    world.build("a")
    found = fresh(world, "a")
    assert (found.state, hours(found)) == (state, age)
    assert found.deadline == (None if deadline is None else NOW + deadline * HOUR)
    assert due(world) == ([] if state == "pass" else ["a will all: expired"])
    assert world.plan().steps == ()
    assert world.states("a") == {None: "up_to_date"}


def test_what_was_never_built_is_late_without_a_lag() -> None:
    world = World([computed("a", freshness_policy=DAY), computed("b")], now=NOW)
    assert fresh(world, "a") == Freshness("fail", late=Partitions(PartitionSet.from_ordinals([0]), None))
    assert fresh(world, "a").to_dict() == {
        "state": "fail",
        "lag_seconds": None,
        "deadline": None,
        "late": None,
        "upstream": [],
    }
    assert fresh(world, "b") == Freshness("none")
    assert due(world) == ["a will all: missing"]


def test_a_rebuild_that_gives_the_same_is_as_good_as_one_that_does_not() -> None:
    world = World([computed("a", freshness_policy=DAY)], now=NOW)
    world.at = NOW - 30 * HOUR
    world.build("a", data="same")
    world.at = NOW - 2 * HOUR
    world.build("a", data="same")
    assert hours(fresh(world, "a")) == 2


@pytest.mark.parametrize(
    ("policy", "built", "state", "lag", "needed"),
    [
        (FreshnessPolicy(max_lag="24h"), 10, "pass", 0.5, None),
        (FreshnessPolicy(max_lag="24h"), 9, "fail", 24.5, "2024-01-10"),
        (FreshnessPolicy(max_lag="49h"), 7, "fail", 72.5, "2024-01-08"),
        (FreshnessPolicy(max_lag="49h", warn_lag="30h"), 8, "warn", 48.5, "2024-01-09"),
        (FreshnessPolicy(max_lag="24h"), 0, "fail", 240.5, "2024-01-01...2024-01-10"),
        (FreshnessPolicy(max_lag="11d"), 0, "pass", 240.5, None),
        (FreshnessPolicy(max_lag="10m"), 8, "fail", 48.5, "2024-01-09...2024-01-10"),
        (FreshnessPolicy(cron="0 6 * * *"), 9, "pass", 24.5, None),
        (FreshnessPolicy(cron="0 6 * * *"), 7, "fail", 72.5, "2024-01-08...2024-01-09"),
        (FreshnessPolicy(cron="15 0 * * *"), 9, "fail", 24.5, "2024-01-10"),
        (FreshnessPolicy(cron="15 0 * * *", max_lag="1h"), 9, "pass", 24.5, None),
        (FreshnessPolicy(cron="0 0 1 1 *"), 0, "pass", 240.5, None),
    ],
)
def test_time_partitions_are_as_old_as_their_watermark(
    policy: FreshnessPolicy, built: int, state: str, lag: float, needed: str | None
) -> None:
    world = World([computed("a", partitions=DAYS, freshness_policy=policy)], now=NOW)
    if built:
        world.build("a", *(f"2024-01-{day:02}" for day in range(1, built + 1)))
    found = fresh(world, "a")
    assert (found.state, hours(found)) == (state, lag)
    assert due(world) == ([f"a will {needed}: missing"] if needed else [])


def test_a_backfilled_partition_behind_a_gap_makes_nothing_fresh() -> None:
    world = World([computed("a", partitions=DAYS, freshness_policy=DAY)], now=NOW)
    world.build("a", "2024-01-01", "2024-01-02", "2024-01-09", "2024-01-10")
    before = fresh(world, "a")
    assert (before.state, before.as_of) == ("fail", datetime(2024, 1, 3, tzinfo=UTC))
    world.build("a", "2024-01-08")
    after = fresh(world, "a")
    assert (after.state, after.as_of, after.lag) == (before.state, before.as_of, before.lag)
    assert due(world) == ["a will 2024-01-03...2024-01-07: missing"]


def test_a_definition_that_has_ended_and_is_complete_is_never_late() -> None:
    days = DailyPartitions("2023-01-01", end="2023-01-04")
    world = World([computed("a", partitions=days, freshness_policy=DAY)], now=NOW)
    assert fresh(world, "a").state == "fail"
    world.build("a")
    assert (fresh(world, "a").state, hours(fresh(world, "a"))) == ("pass", 0)


def test_nothing_is_late_before_the_first_window_has_ended() -> None:
    later = DailyPartitions("2024-01-11")
    world = World([computed("a", partitions=later, freshness_policy=DAY), computed("b", "a")], now=NOW)
    assert fresh(world, "a") == Freshness("pass")
    assert due(world) == []


def test_stale_windows_are_not_due_and_what_a_missing_one_reads_is() -> None:
    assets = [
        computed("hours", partitions=HourlyPartitions("2024-01-09T00:00")),
        computed("days", "hours", partitions=DailyPartitions("2024-01-09"), freshness_policy=DAY),
        computed("other", "days"),
    ]
    world = World(assets, now=NOW)
    world.build("hours")
    world.build("days", "2024-01-09")
    world.edit("hours", "shop.hours", "2")
    assert due(world) == [
        "hours will 2024-01-10T00:00Z...2024-01-10T23:00Z: code_changed",
        "days will 2024-01-10: missing upstream_stale",
    ]


def test_windows_behind_one_that_cannot_be_built_are_not_due() -> None:
    assets = [source("files", partitions=DAYS), computed("a", "files", partitions=DAYS, freshness_policy=DAY)]
    world = World(assets, now=NOW)
    world.observe("files", {f"2024-01-{day:02}": "x" for day in (1, 2, 4, 5)})
    assert due(world) == ["a will 2024-01-01...2024-01-02: missing"]
    world.run(world.plan(due=True))
    made = world.plan(due=True)
    assert made.steps == ()
    assert fresh(world, "a").upstream == ("files",)
    assert made.notes == ("a is late because of what is upstream: files",)


def test_each_static_partition_ages_by_itself() -> None:
    shops = StaticPartitions(["north", "south", "west"])
    world = World([computed("a", partitions=shops, freshness_policy=DAY)], now=NOW)
    world.at = NOW - 30 * HOUR
    world.build("a", "north")
    world.at = NOW - HOUR
    world.build("a", "south")
    assert (fresh(world, "a").state, late(world, "a")) == ("fail", ["north", "west"])
    assert due(world) == ["a will north,west: missing expired"]
    world.build("a", "west")
    assert hours(fresh(world, "a")) == 30
    assert due(world) == ["a will north: expired"]


def test_each_window_is_late_by_itself() -> None:
    policy = FreshnessPolicy(max_lag="60h", warn_lag="30h")
    world = World([computed("a", partitions=DAYS, freshness_policy=policy)], now=NOW)
    world.build("a", "2024-01-01", "2024-01-02", "2024-01-05")
    assert late(world, "a") == ["2024-01-03...2024-01-04", "2024-01-06...2024-01-08"]
    assert due(world) == ["a will 2024-01-03...2024-01-04,2024-01-06...2024-01-09: missing"]
    world.build("a", "2024-01-03", "2024-01-04", "2024-01-06", "2024-01-07", "2024-01-08")
    assert (fresh(world, "a").state, late(world, "a")) == ("warn", [])


AREAS = StaticPartitions(["north", "south"])
CELLS = MultiPartitions({"area": AREAS, "day": DAYS})


def cells(last: int, *areas: str, first: int = 1) -> list[str]:
    return [f"{area}|2024-01-{day:02}" for area in areas for day in range(first, last + 1)]


@pytest.mark.parametrize("order", [("area", "day"), ("day", "area")])
def test_cells_are_as_old_as_the_windows_in_which_all_of_them_are_published(order: tuple[str, str]) -> None:
    both = MultiPartitions({name: {"area": AREAS, "day": DAYS}[name] for name in order})
    world = World([computed("a", partitions=both, freshness_policy=DAY)], now=NOW)
    keys = [*cells(10, "north"), *cells(8, "south")]
    world.build("a", *("|".join(key.split("|")[:: 1 if order[0] == "area" else -1]) for key in keys))
    found = fresh(world, "a")
    assert (found.state, found.as_of, hours(found)) == ("fail", datetime(2024, 1, 9, tzinfo=UTC), 48.5)
    assert found.late is not None
    assert len(found.late.ordinals) == 2
    assert sum(len(step.partitions.ordinals) for step in world.plan(due=True).steps) == 2


def test_cells_behind_a_window_that_cannot_be_completed_are_not_due() -> None:
    raw = source("raw", partitions=CELLS)
    world = World([raw, computed("a", "raw", partitions=CELLS, freshness_policy=DAY)], now=NOW)
    world.observe("raw", dict.fromkeys([*cells(10, "north"), *cells(3, "south")], "x"))
    assert due(world) == ["a will north|2024-01-01...south|2024-01-03: missing"]
    world.run(world.plan(due=True))
    found = fresh(world, "a")
    assert (found.as_of, found.upstream) == (datetime(2024, 1, 4, tzinfo=UTC), ("raw",))
    assert due(world) == []
    world.build("a", *cells(10, "north", first=4))
    assert (fresh(world, "a").as_of, fresh(world, "a").state) == (found.as_of, "fail")


def test_the_deadline_of_cells_is_that_of_their_first_incomplete_window() -> None:
    policy = FreshnessPolicy(cron="0 6 * * *", max_lag="30h", warn_lag="2h")
    world = World([computed("a", partitions=CELLS, freshness_policy=policy)], now=NOW)
    world.build("a", *cells(10, "north"), *cells(9, "south"))
    assert (fresh(world, "a").state, fresh(world, "a").deadline) == ("pass", datetime(2024, 1, 11, 8, tzinfo=UTC))
    world.now = datetime(2024, 1, 11, 8, tzinfo=UTC)
    assert (fresh(world, "a").state, fresh(world, "a").deadline) == ("warn", datetime(2024, 1, 12, 12, tzinfo=UTC))
    assert due(world) == ["a will south|2024-01-10: missing"]


def test_what_reads_cells_is_as_of_their_complete_windows() -> None:
    total = computed("total", Input("a", AllPartitions()), freshness_policy=FreshnessPolicy(max_lag="60h"))
    world = World([computed("a", partitions=CELLS), total], now=NOW)
    world.at = NOW - 90 * HOUR
    world.build("a", *cells(10, "north"), *cells(8, "south"))
    world.build("total")
    assert (fresh(world, "total").state, hours(fresh(world, "total"))) == ("fail", 90)
    world.build("a")
    assert due(world) == ["total will all: input_changed"]


def test_cells_without_a_dimension_of_time_age_one_by_one() -> None:
    kinds = MultiPartitions({"area": AREAS, "kind": StaticPartitions(["a", "b"])})
    world = World([computed("a", partitions=kinds, freshness_policy=DAY)], now=NOW)
    world.at = NOW - 30 * HOUR
    world.build("a", "north|a", "north|b", "south|a", "south|b")
    world.at = NOW
    world.build("a", "north|a", "south|b")
    assert (hours(fresh(world, "a")), late(world, "a")) == (30, ["north|b", "south|a"])
    assert due(world) == ["a will north|b,south|a: expired"]


def test_windows_between_ticks_age_until_the_next_one_is_published() -> None:
    ticks = CronPartitions("0 */6 * * *", "2024-01-10")
    world = World([computed("a", partitions=ticks, freshness_policy=FreshnessPolicy(max_lag="9h"))], now=NOW)
    world.build("a")
    found = fresh(world, "a")
    assert (found.state, hours(found), found.deadline) == ("pass", 0.5, datetime(2024, 1, 11, 9, tzinfo=UTC))
    world.now = datetime(2024, 1, 11, 9, tzinfo=UTC)
    assert (fresh(world, "a").state, late(world, "a")) == ("fail", ["2024-01-11T00:00Z"])


def chain() -> World:
    world = World([computed("raw"), computed("mid", "raw"), computed("top", "mid", freshness_policy=DAY)], now=NOW)
    world.at = NOW - 30 * HOUR
    for key in ("raw", "mid", "top"):
        world.build(key)
    world.at = NOW
    return world


def test_lateness_that_lies_upstream_names_the_root_and_builds_that() -> None:
    world = chain()
    assert fresh(world, "top").upstream == ("raw",)
    assert due(world) == ["raw will all: expired", "mid may all: upstream_stale", "top may all: upstream_stale"]
    assert due(world, "top") == []
    assert due(world, "raw or mid") == []
    world.build("raw")
    assert world.plan().steps == ()
    assert (fresh(world, "top").state, hours(fresh(world, "top"))) == ("pass", 0)
    assert due(world) == []


def test_what_is_sure_to_be_computed_does_not_need_what_is_old_upstream() -> None:
    world = chain()
    world.edit("top", "shop.top", "2")
    assert due(world) == ["top will all: code_changed"]


def test_what_is_old_is_computed_and_no_earlier_version_published_again() -> None:
    world = World([computed("a", freshness_policy=DAY)], now=NOW)
    world.at = NOW - 30 * HOUR
    world.build("a")
    world.edit("a", "shop.a", "2")
    world.at = NOW
    world.build("a")
    world.edit("a", "shop.a", "1")
    assert lines(world.plan()) == ["a reuse all: code_changed"]
    assert due(world) == []
    world.run(world.plan())
    assert hours(fresh(world, "a")) == 30
    world.edit("a", "shop.a", "2")
    assert due(world) == ["a will all: code_changed expired"]


def test_an_asset_that_reads_a_source_is_as_of_its_last_observation() -> None:
    world = World([source("page"), computed("a", "page", freshness_policy=DAY)], now=NOW)
    world.at = NOW - 50 * HOUR
    world.observe("page", {None: "x"})
    world.build("a")
    assert (fresh(world, "a").state, fresh(world, "a").upstream) == ("fail", ("page",))
    assert due(world) == []
    world.at = NOW - 3 * HOUR
    world.observe("page", {None: "x"})
    assert (fresh(world, "a").state, hours(fresh(world, "a"))) == ("pass", 3)


def test_what_reads_all_windows_is_as_of_their_watermark_and_due_when_there_is_more() -> None:
    assets = [
        computed("days", partitions=DAYS),
        computed("total", Input("days", AllPartitions(), missing="wait"), freshness_policy=DAY),
    ]
    world = World(assets, now=NOW)
    world.build("days")
    world.at = NOW - 40 * HOUR
    world.build("total")
    assert (fresh(world, "total").state, hours(fresh(world, "total"))) == ("pass", 0.5)
    world.now = NOW + 24 * HOUR
    assert fresh(world, "total").upstream == ("days",)
    assert due(world) == ["days will 2024-01-11: missing", "total may all: upstream_stale"]


def test_the_next_deadline_is_the_first_of_all_policies() -> None:
    soon = FreshnessPolicy(max_lag="24h", warn_lag="6h")
    world = World([computed("a", freshness_policy=DAY), computed("b", freshness_policy=soon)], now=NOW)
    assert world.plan(due=True).next_deadline is None
    for key in "ab":
        world.build(key)
    made = world.plan(due=True)
    assert made.to_dict()["next_deadline"] == (NOW + 6 * HOUR).isoformat()
    assert world.plan("a", due=True).next_deadline == NOW + 24 * HOUR
    assert "next_deadline" not in world.plan().to_dict()


def test_late_assets_can_be_selected() -> None:
    world = chain()
    world.edit("raw", "shop.raw", "2")
    assert lines(world.plan("+status:late")) == lines(world.plan())
    assert lines(world.plan("status:late")) == []
    assert [step.computation for step in world.plan("not status:late").steps] == ["raw", "mid"]


def test_force_and_due_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="force computes everything, due only what is needed"):
        chain().plan(due=True, force=True)


def test_a_misspelt_status_is_told_about_late() -> None:
    with pytest.raises(InvalidSelection) as caught:
        chain().plan("status:laet")
    assert "late" in (caught.value.hint or "")


def test_a_failed_try_is_left_alone_where_that_is_asked_for() -> None:
    world = World([computed("a", freshness_policy=DAY)], now=NOW)
    world.fail("a")
    assert due(world) == ["a will all: missing failed"]
    assert lines(world.plan(due=True, retry_failed=False)) == []


def test_the_notes_name_a_few_of_those_in_the_way_and_say_what_is_only_near() -> None:
    policy = FreshnessPolicy(max_lag="24h", warn_lag="12h")
    pages = [f"page{n}" for n in range(5)]
    world = World([*(source(page) for page in pages), computed("a", *pages, freshness_policy=policy)], now=NOW)
    world.at = NOW - 13 * HOUR
    for page in pages:
        world.observe(page, {None: "x"})
    world.build("a")
    assert world.plan(due=True).notes == (
        "a is about to be late because of what is upstream: page0, page1, page2 and 2 more",
    )


@pytest.mark.parametrize(("offset", "built", "state"), [(1, 10, "fail"), (1, 11, "pass"), (-1, 9, "pass")])
def test_windows_that_exist_by_a_tick_follow_the_end_offset(offset: int, built: int, state: str) -> None:
    days = DailyPartitions("2024-01-01", end_offset=offset)
    world = World([computed("a", partitions=days, freshness_policy=FreshnessPolicy(cron="20 0 * * *"))], now=NOW)
    world.build("a", *(f"2024-01-{day:02}" for day in range(1, built + 1)))
    found = fresh(world, "a")
    assert found.state == state
    if state == "pass":
        assert found.deadline == datetime(2024, 1, 12, 0, 20, tzinfo=UTC)


def test_only_what_a_static_mapping_leads_to_is_computed_anew() -> None:
    shops, countries = StaticPartitions(["berlin", "bonn", "paris"]), StaticPartitions(["de", "fr"])
    mapping = StaticMapping({"berlin": ["de"], "bonn": ["de"], "paris": ["fr"]})
    sold = computed("sold", partitions=shops)
    total = computed("total", Input("sold", mapping), partitions=countries, freshness_policy=DAY)
    world = World([sold, total], now=NOW)
    world.at = NOW - 30 * HOUR
    world.build("sold")
    world.build("total")
    world.at = NOW - HOUR
    world.build("sold", "paris", "bonn")
    assert due(world) == ["sold will berlin: expired", "total may de: upstream_stale"]


def test_an_asset_without_any_partition_yet_is_not_late() -> None:
    world = World([computed("a", partitions=DynamicPartitions("k"), freshness_policy=FreshnessPolicy(max_lag="1h"))])
    assert fresh(world, "a") == Freshness("pass")
    world.add("k", "north")
    assert fresh(world, "a").state == "fail"
