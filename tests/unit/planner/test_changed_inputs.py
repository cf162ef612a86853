"""What of an input changed: exactly where the past can be looked up, and else what may have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assetflow import AllPartitions, DailyPartitions, Input, StaticPartitions, TimeWindow
from tests.unit.planner.building import World, computed, source
from tests.unit.planner.recollection import recalled

DAYS = DailyPartitions("2024-01-01", end="2024-01-11")


def details(world: World, asset: str, partition: str | None = None) -> list[str]:
    """What changed, as the records say."""
    return [each.detail for each in recalled(world, asset, partition).causes]


def guessed(world: World, asset: str, partition: str | None = None) -> list[str]:
    """What changed, without the records."""
    return [each.detail for each in world.why(asset, partition).causes]


@pytest.fixture
def summed() -> World:
    """Days of which a total is made."""
    world = World([computed("days", partitions=DAYS), computed("total", Input("days", AllPartitions()))])
    world.build("days", data="first")
    world.build("total")
    return world


def test_partitions_that_were_built_again_and_are_equal_are_no_cause(summed: World) -> None:
    summed.build("days", "2024-01-03", "2024-01-04", "2024-01-08", data="first")
    assert details(summed, "total") == []
    summed.build("days", "2024-01-05", data="second")
    assert details(summed, "total") == ["days 2024-01-05 changed"]
    assert recalled(summed, "total").causes[0].partitions == ("2024-01-05",)
    assert guessed(summed, "total") == [
        "days changed (2024-01-03...2024-01-05, 2024-01-08 published since)",
    ]


def test_what_changed_and_changed_back_is_no_cause(summed: World) -> None:
    summed.build("days", "2024-01-03", data="second")
    summed.build("days", "2024-01-05", data="second")
    summed.build("days", "2024-01-03", data="first")
    assert details(summed, "total") == ["days 2024-01-05 changed"]


def test_what_was_published_between_reading_and_publishing_is_a_cause(summed: World) -> None:
    summed.build("days", "2024-01-05", data="second")
    summed.generation += 1
    summed.pointers["total"][0] = replace(summed.pointers["total"][0], generation=summed.generation)
    assert details(summed, "total") == ["days 2024-01-05 changed"]
    assert guessed(summed, "total") == ["days changed"]


def test_a_partition_that_went_away_is_named() -> None:
    world = World(
        [
            source("files", partitions=StaticPartitions(["a", "b", "c"])),
            computed("all", Input("files", missing="allow")),
        ]
    )
    world.observe("files", dict.fromkeys("abc", "1"))
    world.build("all")
    world.withdraw("files", "b")
    assert details(world, "all") == ["files b went away"]
    assert guessed(world, "all") == ["files changed"]


def test_partitions_that_were_not_there_before_are_said_to_have_come() -> None:
    files = source("files", partitions=StaticPartitions(["a", "b", "c"]))
    world = World([files, computed("all", Input("files", missing="allow"))])
    world.observe("files", {"a": "1"})
    world.build("all")
    world.observe("files", {"b": "1"})
    assert details(world, "all") == ["files b came"]
    world.observe("files", {"a": "2"})
    assert details(world, "all") == ["files a...b changed"]


def test_each_row_of_an_asset_is_told_by_what_it_read_itself() -> None:
    world = World(
        [computed("days", partitions=DAYS), computed("two", Input("days", TimeWindow(-1, 0)), partitions=DAYS)]
    )
    world.build("days", data="first")
    world.build("two")
    world.build("days", "2024-01-02", "2024-01-06", data="first")
    world.build("days", "2024-01-07", data="second")
    (cause,) = recalled(world, "two").causes
    assert (cause.count, cause.detail) == (2, "days 2024-01-07 changed")
    (cause,) = world.why("two").causes
    assert (cause.count, cause.detail) == (2, "days changed (2024-01-06...2024-01-07 published since)")


def test_the_partition_of_the_same_key_is_known_without_records() -> None:
    world = World([computed("days", partitions=DAYS), computed("copy", "days", partitions=DAYS)])
    world.build("days", data="first")
    world.build("copy")
    world.build("days", "2024-01-02", "2024-01-03", data="first")
    world.build("days", "2024-01-03", "2024-01-07", data="second")
    assert guessed(world, "copy") == details(world, "copy") == ["days 2024-01-03, 2024-01-07 changed"]
    (step,) = world.plan().steps
    assert [each.detail for each in step.causes] == ["days 2024-01-03, 2024-01-07 changed"]


def test_of_very_many_partitions_it_is_said_what_may_have_changed() -> None:
    days = DailyPartitions("2023-01-01", end="2023-12-31")
    world = World(
        [computed("days", partitions=days), computed("two", Input("days", TimeWindow(-1, 0)), partitions=days)]
    )
    world.build("days", data="first")
    world.build("two")
    world.build("days", data="second")
    (cause,) = recalled(world, "two").causes
    assert (cause.count, cause.detail) == (364, "days changed (2023-01-01...2023-12-30 published since)")


def test_the_step_of_a_plan_says_what_may_have_changed(summed: World) -> None:
    summed.build("days", "2024-01-03", data="first")
    summed.build("days", "2024-01-05", data="second")
    (step,) = summed.plan().steps
    assert [each.detail for each in step.causes] == ["days changed (2024-01-03, 2024-01-05 published since)"]
    assert step.causes[0].partitions == ("2024-01-03", "2024-01-05")
