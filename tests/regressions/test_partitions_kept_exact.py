"""Situations between partitioned assets that orchestrators are known to get wrong, each with what is right here."""

from __future__ import annotations

from typing import Any

SHOP = """
    from pathlib import Path

    from assetflow import (
        AllPartitions, AssetContext, DailyPartitions, HourlyPartitions, Input, LastN, StaticPartitions, TimeWindow,
        asset, observable_source,
    )

    days = DailyPartitions("2024-01-01", end="2024-01-05")
    regions = StaticPartitions(["east", "north", "south", "west"])

    def told(name: str) -> str:
        return Path(name).read_text() if Path(name).exists() else ""

    def called(context: AssetContext) -> None:
        with Path("calls").open("a") as calls:
            calls.write(f"{context.asset}@{context.partition_key}\\n")
"""


def ranges(folder: Any, **options: Any) -> dict[str, list[tuple[str, str]] | None]:
    """The partitions of each step of a plan."""
    with folder.open() as project:
        steps = project.plan(**options).steps
    return {
        f"{step.computation} {step.certainty}": step.partitions.ranges and list(step.partitions.ranges)
        for step in steps
    }


def test_another_code_version_makes_every_partition_stale(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @asset(partitions=regions, code_version="1")
    def stock() -> int:
        return 1

    @asset(partitions=regions)
    def value(stock: int) -> int:
        return stock * 3
    """
    )
    folder.run()
    folder.edit('code_version="1"', 'code_version="2"')
    assert ranges(folder) == {"stock will": [("east", "west")], "value may": [("east", "west")]}
    with folder.open() as project:
        (cause,) = project.why("stock", "north").causes
    assert (cause.kind, cause.components) == ("code_changed", ("code_version",))


def test_every_partition_is_stale_once_an_unpartitioned_upstream_changes(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @observable_source
    def prices() -> str:
        return told("prices")

    @asset(deps=[prices])
    def price() -> str:
        return told("prices")

    @asset(partitions=regions)
    def label(context: AssetContext, price: str) -> str:
        return f"{context.partition_key} {price}"
    """
    )
    folder.write("prices", "3")
    folder.run()
    assert folder.steps() == {}
    folder.write("prices", "4")
    assert ranges(folder) == {"price will": None, "label may": [("east", "west")]}
    assert folder.run().counts["materialized"] == 5
    assert folder.steps() == {}


def test_a_day_that_two_starts_gain_reaches_what_lies_between_and_below(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    late = DailyPartitions("2024-01-02", end="2024-01-04")

    @asset(partitions=late)
    def first(context: AssetContext) -> str:
        called(context)
        return context.partition_key

    @asset(partitions=days)
    def middle(context: AssetContext, first: dict[str, str]) -> list[str]:
        called(context)
        return list(first)

    @asset(partitions=late)
    def last(context: AssetContext, middle: list[str]) -> list[str]:
        called(context)
        return middle
    """
    )
    folder.run()
    folder.calls()
    folder.edit('late = DailyPartitions("2024-01-02"', 'late = DailyPartitions("2024-01-01"')
    folder.run()
    assert folder.calls() == ["first@2024-01-01", "middle@2024-01-01", "last@2024-01-01"]
    assert folder.value("last", "2024-01-01") == ["2024-01-01"]
    assert folder.steps() == {}


def test_what_looks_back_is_not_built_again_by_the_same_plan(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @asset(partitions=days)
    def sales(context: AssetContext) -> str:
        return context.partition_key

    @asset(partitions=days, inputs={"sales": Input("sales", TimeWindow(start_offset=-2))})
    def trend(sales: dict[str, str]) -> int:
        return len(sales)
    """
    )
    folder.run()
    assert [folder.value("trend", f"2024-01-0{day}") for day in (1, 2, 3, 4)] == [1, 2, 3, 3]
    assert folder.steps() == {}


def test_partitions_built_out_of_order_end_as_those_built_in_order(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @asset(partitions=days)
    def sales(context: AssetContext) -> str:
        return context.partition_key

    @asset(partitions=days, inputs={"sales": Input("sales", LastN(2))})
    def two(context: AssetContext, sales: dict[str, str]) -> list[str]:
        called(context)
        return list(sales)
    """
    )
    for day in (4, 2, 3, 1):
        folder.run(partitions=f"2024-01-0{day}")
    folder.calls()
    # Each was built with what was there: the second day before the first, the fourth before the third.
    assert ranges(folder) == {"two will": [("2024-01-02", "2024-01-02"), ("2024-01-04", "2024-01-04")]}
    folder.run()
    assert folder.calls() == ["two@2024-01-02", "two@2024-01-04"]
    assert folder.value("two", "2024-01-04") == ["2024-01-03", "2024-01-04"]
    assert folder.steps() == {}


def test_only_what_failed_is_tried_again(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @asset(partitions=regions)
    def stock(context: AssetContext) -> int:
        called(context)
        return 1

    @asset(partitions=regions)
    def checked(context: AssetContext, stock: int) -> int:
        called(context)
        if context.partition_key in told("broken"):
            raise ValueError("broken")
        return stock

    @asset(partitions=regions)
    def listed(context: AssetContext, checked: int) -> int:
        called(context)
        return checked
    """
    )
    folder.write("broken", "north south")
    counts = folder.run().counts
    assert (counts["materialized"], counts["failed"], counts["blocked"]) == (8, 2, 2)
    folder.calls()
    folder.write("broken", "south")
    counts = folder.run().counts
    assert (counts["materialized"], counts["failed"], counts["blocked"]) == (2, 1, 1)
    assert folder.calls() == ["checked@north", "checked@south", "listed@north"]


def test_two_partitions_that_swap_their_contents_are_a_change(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @observable_source(partitions=regions)
    def counted() -> dict[str, str]:
        return {key: told(key) for key in regions.keys}

    @asset(partitions=regions, deps=[counted])
    def stock(context: AssetContext) -> str:
        return told(context.partition_key)

    @asset
    def report(stock: dict[str, str]) -> str:
        return " ".join(f"{key}={number}" for key, number in stock.items())
    """
    )
    for region, number in {"east": "1", "north": "2", "south": "2", "west": "3"}.items():
        folder.write(region, number)
    folder.run()
    assert folder.value("report") == "east=1 north=2 south=2 west=3"
    folder.write("east", "3")
    folder.write("west", "1")
    folder.run()
    assert folder.value("report") == "east=3 north=2 south=2 west=1"


def test_the_last_of_several_changes_is_built_and_all_at_once(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @observable_source(partitions=regions)
    def counted() -> dict[str, str]:
        return {key: told(key) for key in regions.keys}

    @asset(partitions=regions, deps=[counted])
    def stock(context: AssetContext) -> str:
        called(context)
        return told(context.partition_key)
    """
    )
    folder.run()
    folder.calls()
    for number in ("1", "2", "3"):
        folder.write("north", number)
        folder.steps()  # every plan observes
    folder.run()
    assert folder.calls() == ["stock@north"]
    assert folder.value("stock", "north") == "3"


def test_an_hour_after_the_one_that_occurs_twice_reads_the_second(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    night = HourlyPartitions("2023-11-05T00:00", end="2023-11-05T04:00", timezone="America/Los_Angeles")

    @asset(partitions=night)
    def load(context: AssetContext) -> str:
        return context.partition_key

    @asset(partitions=night, inputs={"load": Input("load", TimeWindow(-1, -1))})
    def before(load: dict[str, str]) -> list[str]:
        return list(load)
    """
    )
    assert folder.run().counts["materialized"] == 10
    read = {
        "2023-11-05T01:00-07:00": ["2023-11-05T00:00-07:00"],
        "2023-11-05T01:00-08:00": ["2023-11-05T01:00-07:00"],
        "2023-11-05T02:00-08:00": ["2023-11-05T01:00-08:00"],
    }
    assert {key: folder.value("before", key) for key in read} == read


def test_a_window_that_needs_a_later_one_waits_for_it(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    from datetime import datetime, timedelta, UTC

    today = DailyPartitions((datetime.now(UTC) - timedelta(days=3)).date())

    @asset(partitions=today)
    def sales(context: AssetContext) -> str:
        return context.partition_key

    @asset(partitions=today, inputs={"sales": Input("sales", TimeWindow(0, 1))})
    def smoothed(sales: dict[str, str]) -> int:
        return len(sales)
    """
    )
    result = folder.run()
    assert (result.status, result.counts["materialized"], result.counts["waiting"]) == ("success", 5, 1)
    with folder.open() as project:
        (entry,) = project.plan().waiting
        status = project.why("smoothed")
    assert (entry.computation, len(entry.partitions.ordinals)) == ("smoothed", 1)
    assert status.counts is not None
    assert (status.counts["up_to_date"], status.counts["waiting"]) == (2, 1)


def test_an_upstream_that_begins_later_is_not_asked_for_what_it_cannot_have(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @asset(partitions=days)
    def sales() -> int:
        return 1

    @asset(partitions=DailyPartitions("2024-01-03", end="2024-01-05"))
    def weather() -> int:
        return 2

    @asset(partitions=days)
    def report(sales: int, weather: dict[str, int]) -> int:
        return sales + len(weather)
    """
    )
    result = folder.run()
    assert (result.status, result.counts["materialized"], result.counts["waiting"]) == ("success", 10, 0)
    assert [folder.value("report", f"2024-01-0{day}") for day in (2, 3)] == [1, 2]
    assert folder.steps() == {}


def test_a_range_takes_of_every_grain_the_windows_inside(folder: Any) -> None:
    folder.code(
        SHOP
        + """
    @asset(partitions=HourlyPartitions("2024-01-01", end="2024-01-05"))
    def reading() -> int:
        return 1

    @asset(partitions=days)
    def total(reading: dict[str, int]) -> int:
        return len(reading)

    @asset(partitions=regions)
    def stock() -> int:
        return 1
    """
    )
    assert ranges(folder, select="reading or total or stock", partitions="2024-01-02") == {
        "reading will": [("2024-01-02T00:00Z", "2024-01-02T23:00Z")],
        "total will": [("2024-01-02", "2024-01-02")],
    }
