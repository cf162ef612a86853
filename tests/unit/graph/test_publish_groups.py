from __future__ import annotations

from collections.abc import Callable

import pytest

from assetflow.definitions.collect import Definitions
from assetflow.definitions.inputs import Input
from assetflow.errors import DefinitionErrors
from assetflow.graph import AssetGraph, build_graph
from assetflow.partitions.definitions import DailyPartitions, MonthlyPartitions, StaticPartitions
from assetflow.partitions.keyed import StaticMapping
from tests.unit.planner.building import computed

DAYS = DailyPartitions("2024-01-01")
Asset = Callable[..., object]


def graph(*assets: Asset) -> AssetGraph:
    return build_graph(Definitions(assets=list(assets)))


def mistakes(*assets: Asset) -> list[tuple[str, str | None]]:
    with pytest.raises(DefinitionErrors) as raised:
        graph(*assets)
    return [(error.message, error.hint) for error in raised.value.errors]


def test_the_members_of_a_group_stand_together_in_the_order() -> None:
    found = graph(
        computed("raw"),
        computed("orders", "raw", publish_group="books"),
        computed("other", "raw"),
        computed("report", "orders"),
        computed("items", "raw", publish_group="books"),
    )
    assert list(found.nodes) == ["raw", "orders", "items", "other", "report"]
    assert found.groups == {"books": ("orders", "items")}
    assert found.mates("orders") == ("orders", "items")
    assert found.mates("other") == ("other",)
    assert found.with_mates(["items", "raw"]) == {"raw", "orders", "items"}


def test_a_member_that_reads_another_comes_behind_it() -> None:
    found = graph(computed("items", "orders", publish_group="books"), computed("orders", publish_group="books"))
    assert found.groups == {"books": ("orders", "items")}


def test_groups_that_read_each_other_in_one_direction_are_fine() -> None:
    found = graph(
        computed("a", publish_group="first"),
        computed("b", "a", publish_group="second"),
        computed("c", publish_group="first"),
        computed("d", "c", publish_group="second"),
    )
    assert list(found.nodes) == ["a", "c", "b", "d"]


def test_members_need_the_same_partitions() -> None:
    said = mistakes(
        computed("orders", publish_group="books", partitions=DAYS),
        computed("items", publish_group="books", partitions=MonthlyPartitions("2024-01")),
        computed("prices", publish_group="books"),
    )
    hint = "give all assets of a publish group the same partitions"
    assert said == [
        ("items: publish_group 'books': its partitions are not those of orders", hint),
        ("prices: publish_group 'books': its partitions are not those of orders", hint),
    ]


def test_members_read_each_other_partition_by_partition() -> None:
    regions = StaticPartitions(["north", "south"])
    mapping = StaticMapping({"north": ["south"]})
    said = mistakes(
        computed("orders", publish_group="books", partitions=regions),
        computed("items", Input("orders", mapping), publish_group="books", partitions=regions),
    )
    assert said == [
        (
            "items: publish_group 'books': it reads orders of the same group by StaticMapping",
            "assets of a publish group read each other partition by partition; take one of them out of the group",
        )
    ]


def test_nothing_lies_between_the_members() -> None:
    said = mistakes(
        computed("orders", publish_group="books"),
        computed("cleaned", "orders"),
        computed("items", "cleaned", publish_group="books"),
    )
    assert said == [
        (
            (
                "orders: publish_group 'books': cleaned reads an asset of the group, "
                "and another asset of the group needs cleaned"
            ),
            "give cleaned the same publish_group, or take one of the assets out of it",
        )
    ]


def test_two_groups_that_need_each_other_are_one_mistake() -> None:
    said = mistakes(
        computed("a", publish_group="first"),
        computed("b", "a", publish_group="second"),
        computed("c", publish_group="second"),
        computed("d", "c", publish_group="first"),
    )
    assert [message for message, _ in said] == [
        "a: publish_group 'first': b reads an asset of the group, and another asset of the group needs b"
    ]


def test_the_name_of_a_group_is_a_text() -> None:
    assert mistakes(computed("orders", publish_group=3)) == [
        ("orders: publish_group=3 is not a text", 'write publish_group="..."')
    ]


def test_the_group_is_no_part_of_what_is_computed() -> None:
    from assetflow.graph.options import semantic_options

    alone = graph(computed("orders")).nodes["orders"]
    grouped = graph(computed("orders", publish_group="books")).nodes["orders"]
    assert semantic_options(alone) == semantic_options(grouped)
