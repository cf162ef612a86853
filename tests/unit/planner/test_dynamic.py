"""Plans over dynamic partitions: keys come and go as values in the state, and the planner asks nobody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from assetflow.definitions.inputs import Input
from assetflow.errors import InvalidPartition
from assetflow.partitions import (
    AllPartitions,
    DailyPartitions,
    DynamicPartitions,
    MultiPartitions,
    PartitionMapping,
    StaticMapping,
    StaticPartitions,
)
from assetflow.partitions.definitions import PartitionsDefinition
from tests.unit.planner.building import World, computed, lines, source

CUSTOMERS = DynamicPartitions("customers")
REGIONS = StaticPartitions(["north", "south"])
BY_REGION = StaticMapping({"acme": ["north"], "bert": ["north", "south"], "zoe": ["south"]})


def shop(*keys: str) -> World:
    world = World(
        [
            computed("orders", partitions=CUSTOMERS),
            computed("invoices", "orders", partitions=DynamicPartitions("customers")),
            computed("total", "invoices"),
        ]
    )
    world.add("customers", *keys)
    return world


def test_an_added_key_is_missing_and_what_reads_all_of_them_is_stale() -> None:
    world = shop("zoe", "acme")
    assert lines(world.plan()) == [
        "orders will zoe...acme: missing",
        "invoices will zoe...acme: missing upstream_stale",
        "total will all: missing upstream_stale",
    ]
    world.run(world.plan())
    assert world.plan().steps == ()
    world.add("customers", "bert")
    assert lines(world.plan()) == [
        "orders will bert: missing",
        "invoices will bert: missing upstream_stale",
        "total may all: upstream_stale",
    ]
    assert world.states("invoices") == {"zoe": "up_to_date", "acme": "up_to_date", "bert": "missing"}


def test_a_removed_key_is_forgotten_and_comes_back_as_it_was() -> None:
    world = shop("zoe", "acme")
    world.run(world.plan())
    world.remove("customers", "zoe")
    assert world.states("orders") == {"acme": "up_to_date"}
    assert lines(world.plan()) == ["total will all: input_changed"]
    world.run(world.plan())
    world.add("customers", "zoe")
    assert world.states("orders") == {"acme": "up_to_date", "zoe": "up_to_date"}
    assert lines(world.plan()) == ["total reuse all: input_changed"]


def test_without_keys_there_is_nothing_to_do_and_the_plan_says_so() -> None:
    world = shop()
    plan = world.plan("orders or invoices")
    assert plan.steps == ()
    assert plan.notes == (
        (
            "orders, invoices: the dynamic partitions 'customers' have no keys yet: "
            "assetflow partitions add 'customers' KEY"
        ),
    )
    assert world.why("orders").state == "up_to_date"
    assert world.why("orders").counts == dict.fromkeys(world.why("orders").counts or (), 0)
    world.run(world.plan())
    assert world.plan("total").notes == ()
    assert shop("acme").plan().notes == ()


@pytest.mark.parametrize("partition", ["acne", "acme...berd"])
def test_an_unknown_key_is_refused_with_the_nearest(partition: str) -> None:
    world = shop("acme", "bert")
    with pytest.raises(InvalidPartition, match="nothing that is selected has the partition") as caught:
        world.plan("orders", partitions=partition)
    assert caught.value.hint == f"orders: did you mean {'acme' if partition == 'acne' else 'bert'}?"
    with pytest.raises(InvalidPartition, match="orders: there is no partition 'acne'") as caught:
        world.why("orders", "acne")
    assert caught.value.hint == "did you mean acme?"


def test_ranges_follow_the_order_of_addition() -> None:
    world = shop("zoe", "acme", "bert", "carl")
    assert lines(world.plan("orders", partitions="zoe...bert")) == ["orders will zoe...bert: missing"]
    with pytest.raises(InvalidPartition, match="'zoe' was added before 'acme'"):
        world.plan("orders", partitions="acme...zoe")


def test_dimensions_grow_with_their_keys() -> None:
    cells = MultiPartitions({"day": DailyPartitions("2024-01-09"), "customer": CUSTOMERS})
    world = World([computed("cells", partitions=cells), computed("copies", "cells", partitions=cells)])
    assert world.plan().steps == ()
    assert len(world.plan().notes) == 1
    world.add("customers", "zoe")
    world.run(world.plan())
    world.add("customers", "acme")
    assert lines(world.plan()) == [
        "cells will 2024-01-09|acme...2024-01-10|acme: missing",
        "copies will 2024-01-09|acme...2024-01-10|acme: missing upstream_stale",
    ]


def mapped(missing: str = "wait") -> World:
    world = World(
        [
            source("sales", partitions=CUSTOMERS),
            computed("regions", Input("sales", BY_REGION, missing=missing), partitions=REGIONS),  # type: ignore[arg-type]
        ],
        met=["zoe", "acme", "bert"],
    )
    world.add("customers", "acme", "bert")
    world.observe("sales", {"acme": "1", "bert": "1"})
    return world


def test_a_table_that_names_a_key_which_is_not_there_waits_for_it() -> None:
    world = mapped()
    plan = world.plan()
    assert lines(plan) == ["regions will north: missing"]
    assert [(each.computation, each.partitions.ranges, each.lacking) for each in plan.waiting] == [
        ("regions", (("south", "south"),), ("sales@zoe",))
    ]
    assert plan.notes == ("regions: the StaticMapping to sales names the key 'zoe', which sales does not have now",)
    assert world.why("regions", "south").causes[0].detail == "waits for sales@zoe"
    world.add("customers", "zoe")
    world.observe("sales", {"zoe": "1"})
    assert lines(world.plan()) == ["regions will north...south: missing"]
    assert world.plan().notes == ()
    world.run(world.plan())
    world.remove("customers", "zoe")
    assert world.states("regions") == {"north": "up_to_date", "south": "waiting"}


def test_what_is_stale_above_a_partition_that_waits_is_not_outside() -> None:
    """Building it would bring what was selected no further."""
    world = World(
        [
            source("raw", partitions=CUSTOMERS),
            computed("top", partitions=CUSTOMERS),
            computed("middle", "raw", "top", partitions=CUSTOMERS),
            computed("down", "middle"),
        ]
    )
    world.add("customers", "acme", "zoe")
    world.observe("raw", {"acme": "1"})
    world.build("top", "acme")
    assert lines(world.plan("middle")) == ["middle will acme: missing"]
    assert world.states("middle") == {"acme": "missing", "zoe": "waiting"}
    assert world.plan("down").outside == ("middle",)


def test_where_missing_is_allowed_it_reads_the_others() -> None:
    assert lines(mapped("allow").plan()) == ["regions will north...south: missing"]


def test_a_table_may_name_keys_of_the_asset_that_are_to_come() -> None:
    up = computed("regions", partitions=REGIONS)
    down = computed("local", Input("regions", StaticMapping({"north": ["acme", "new"]})), partitions=CUSTOMERS)
    world = World([up, down])
    world.add("customers", "acme")
    assert lines(world.plan()) == ["regions will north...south: missing", "local will acme: missing upstream_stale"]
    assert world.plan().notes == (
        "local: the StaticMapping to regions names the key 'new', which local does not have now",
    )


class Namesake(PartitionMapping):
    """A region reads the customers with its first letter, and one that is gone."""

    def upstream_keys(self, partition_keys: Sequence[str], upstream: PartitionsDefinition) -> list[list[str]]:
        assert isinstance(upstream, DynamicPartitions)
        return [[key for key in upstream.keys if key[0] == region[0]] or ["gone"] for region in partition_keys]


def test_a_mapping_of_your_own_sees_the_keys_and_may_not_invent_any() -> None:
    world = World(
        [
            computed("orders", partitions=CUSTOMERS),
            computed("regions", Input("orders", Namesake()), partitions=REGIONS),
            computed("all", Input("orders", AllPartitions()), partitions=REGIONS),
        ]
    )
    world.add("customers", "nora")
    assert lines(world.plan("regions or orders")) == [
        "orders will nora: missing",
        "regions will north: missing upstream_stale",
    ]
    (note,) = world.plan("regions").notes
    assert "gave a key that the upstream does not have: there is no partition 'gone'" in note
    assert "test_dynamic.py" in note
    world.add("customers", "sara")
    assert world.plan("regions or orders").waiting == ()
