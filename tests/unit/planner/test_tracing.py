"""The way from a partition to the roots: through the plan, then through what was published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from assetflow.definitions.inputs import Input
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, StaticPartitions
from assetflow.partitions.mappings import TimeWindow
from assetflow.planner.evidence import Era
from assetflow.planner.trace import CodeChange, VersionChange, few
from tests.unit.planner.building import World, check, computed, several, source
from tests.unit.planner.recollection import Recollection, told, traced

DAYS = DailyPartitions("2024-01-08")
AREAS = StaticPartitions(["north", "south"])


def chain() -> World:
    """Files, orders of a day, totals of a day, and a report; all of it built."""
    world = World(
        [
            source("files", partitions=DAYS),
            computed("orders", "files", partitions=DAYS),
            computed("totals", "orders", partitions=DAYS),
            computed("report", "totals"),
        ]
    )
    world.observe("files", {"2024-01-08": "a", "2024-01-09": "b", "2024-01-10": "c"})
    world.run(world.plan())
    return world


def test_a_change_is_followed_through_the_plan_and_through_what_was_published_to_the_source() -> None:
    world = chain()
    world.observe("files", {"2024-01-09": "B"})
    assert told(traced(world, "totals", "2024-01-09")) == [
        "totals 2024-01-09 / upstream_stale: orders 2024-01-09 is stale, which began at files",
        "orders 2024-01-09 / input_changed: files 2024-01-09 changed 2024-01-09:2>18",
        "was: files 2024-01-09 / observed: observed anew",
    ]
    ordinal = world.space("orders").ordinal("2024-01-09")
    before = world.pointers["orders"][ordinal].version
    world.run(world.plan("orders"))
    after = world.pointers["orders"][ordinal].version
    assert told(traced(world, "report")) == [
        "report / upstream_stale: totals 2024-01-09 is stale, which began at orders",
        f"totals 2024-01-09 / input_changed: orders 2024-01-09 changed 2024-01-09:{before}>{after}",
        "was: orders 2024-01-09 / input_changed: files 2024-01-09 changed 2024-01-09:2>18",
        "was: files 2024-01-09 / observed: observed anew",
    ]


def test_the_roots_are_what_nothing_further_on_explains() -> None:
    world = chain()
    world.observe("files", {"2024-01-09": "B"})
    world.run(world.plan("orders"))
    found = traced(world, "report")
    assert [(asset, reason.kind) for asset, reason in found.roots()] == [("files", "observed")]


def test_changed_code_is_told_with_its_difference() -> None:
    world = chain()
    world.edit("orders", "shop.clean", "new")
    world.edit("orders", "shop.orders", "2")
    (link, orders) = traced(world, "totals", "2024-01-09").links
    assert [reason.kind for reason in link.reasons] == ["upstream_stale"]
    (reason,) = orders.reasons
    assert reason.detail == "shop.clean added, shop.orders changed"
    assert reason.code == (
        CodeChange("shop.clean", "added", ("+new",)),
        CodeChange("shop.orders", "changed", ("-1", "+2")),
    )


def test_code_that_changed_before_what_is_published_was_built_is_told_too() -> None:
    world = chain()
    world.edit("orders", "shop.orders", "2")
    world.run(world.plan("orders"))
    found = traced(world, "totals", "2024-01-10")
    assert [(link.asset, link.planned) for link in found.links] == [("totals", True), ("orders", False)]
    (reason,) = found.links[1].reasons
    assert (reason.kind, reason.detail) == ("code_changed", "shop.orders changed")
    assert reason.code == (CodeChange("shop.orders", "changed", ("-1", "+2")),)
    assert found.links[1].runs == ("r1",)


def test_what_went_away_and_what_came_are_told() -> None:
    world = World([source("files", partitions=AREAS), computed("all", Input("files", missing="allow"))])
    world.observe("files", {"north": "n"})
    world.build("all")
    world.withdraw("files", "north")
    assert told(traced(world, "all")) == [
        "all / input_changed: files north went away north:1>None",
        "was: files north / withdrawn: is not there any more",
    ]
    world.observe("files", {"south": "s"})
    assert told(traced(world, "all")) == [
        "all / input_changed: files north...south changed north:1>None south:None>4",
        "was: files north...south / withdrawn: is not there any more",
        "was: files north...south / observed: observed for the first time",
    ]


def test_data_that_is_equal_again_is_no_change() -> None:
    world = World([source("files", partitions=AREAS), computed("all", "files")])
    world.observe("files", {"north": "n", "south": "s"})
    world.build("all")
    world.observe("files", {"north": "N", "south": "S"})
    world.observe("files", {"north": "n"})
    (reason,) = traced(world, "all").links[0].reasons
    assert [each.partition for each in reason.versions] == ["south"]
    assert reason.changed == 1


def test_many_changes_are_told_by_the_first_few() -> None:
    areas = StaticPartitions([f"k{n:02}" for n in range(20)])
    world = World([source("files", partitions=areas), computed("all", "files")])
    world.observe("files", dict.fromkeys(areas.keys, "one"))
    world.build("all")
    world.observe("files", dict.fromkeys(areas.keys[::2], "two"))
    (reason,) = traced(world, "all").links[0].reasons
    assert reason.detail == "files k00, k02, k04, +7 more changed"
    assert reason.versions == (
        VersionChange("k00", 1, 23),
        VersionChange("k02", 3, 24),
        VersionChange("k04", 5, 25),
    )
    assert reason.changed == 10


def test_more_rows_than_are_examined_are_counted() -> None:
    areas = StaticPartitions([f"k{n:03}" for n in range(300)])
    world = World([source("files", partitions=areas), computed("copies", "files", partitions=areas)])
    world.observe("files", dict.fromkeys(areas.keys, "one"))
    world.build("copies")
    world.observe("files", dict.fromkeys(areas.keys, "two"))
    link = traced(world, "copies").links[0]
    assert (link.count, link.unexamined) == (300, 100)
    (reason,) = link.reasons
    assert (reason.detail, reason.count, reason.changed) == ("files k000...k299 changed", 300, 200)


def test_waiting_is_followed_to_what_is_lacking() -> None:
    world = World(
        [
            source("files", partitions=AREAS),
            computed("orders", "files", partitions=AREAS),
            computed("totals", "orders", partitions=AREAS),
        ]
    )
    world.observe("files", {"north": "n"})
    assert told(traced(world, "totals", "south")) == [
        "totals south / waiting: waits for orders@south",
        "totals south / missing: never built",
        "orders south / waiting: waits for files@south",
        "orders south / missing: never built",
    ]
    assert [asset for asset, _ in traced(world, "totals", "south").roots()] == ["totals", "orders", "orders"]


def test_failures_and_checks_are_roots() -> None:
    world = World([computed("orders"), computed("totals", "orders")], [check("sane", "orders")])
    world.fail("orders", error="boom")
    assert told(traced(world, "totals")) == [
        "totals / missing: never built",
        "totals / upstream_stale: orders is missing",
        "orders / missing: never built",
        "orders / failed: failed in run r1: boom",
    ]
    world.build("orders")
    world.passed("orders", world.pointers["orders"][0].version, failed=["sane"])
    assert told(traced(world, "orders")) == ["orders / check_failed: check sane failed"]


def test_a_computation_of_several_assets_is_one_link_by_whichever_asset_it_is_met() -> None:
    world = World(
        [several("both", ["x", "y"]), computed("of_x", "x"), computed("of_y", "y"), computed("end", "of_x", "of_y")]
    )
    world.run(world.plan())
    world.edit("both", "shop.both", "2")
    found = traced(world, "end")
    assert [link.asset for link in found.links] == ["end", "of_y", "of_x", "y"]
    assert [asset for asset, _ in found.roots()] == ["y"]


def test_what_was_computed_again_from_the_same_is_called_that() -> None:
    world = World([computed("dice"), computed("sum", "dice")])
    world.run(world.plan())
    world.build("dice", data="six")
    assert told(traced(world, "sum"))[1:] == [
        "was: dice / computed_again: computed again, from the same code and inputs"
    ]


def test_a_chain_of_thousands_is_followed_to_its_root() -> None:
    names = [f"a{n}" for n in range(3000)]
    world = World([computed(names[0]), *(computed(name, above) for above, name in pairwise(names))])
    world.run(world.plan())
    world.edit("a0", "shop.a0", "2")
    found = traced(world, "a2999")
    assert len(found.links) == 3000
    assert [(asset, reason.detail) for asset, reason in found.roots()] == [("a0", "shop.a0 changed")]


def test_a_diamond_is_told_once() -> None:
    world = World(
        [computed("top"), computed("left", "top"), computed("right", "top"), computed("end", "left", "right")]
    )
    world.run(world.plan())
    world.edit("top", "shop.top", "2")
    assert [link.asset for link in traced(world, "end").links] == ["end", "right", "left", "top"]


def test_equal_keys_of_evidence_and_world() -> None:
    world = chain()
    evidence = Recollection(world)
    derivations = [pointer.derivation for pointer in world.pointers["orders"].values()]
    assert set(evidence.made(derivations)) == set(derivations)
    assert evidence.code(world.code("orders")) is not None
    assert (
        evidence.moves(Era(AssetKey("nothing"), "day"), world.space("orders").existing(world.now).array()).ordinals.size
        == 0
    )


def test_few() -> None:
    assert few(["a", "b"]) == ("a", "b")
    assert few([str(n) for n in range(2000)]) == ("0", "1", "2", "+1,997 more")


def balances(days: int) -> World:
    """A balance of each day that continues that of the day before, and a report of the last; all of it built."""
    start = datetime(2024, 1, 11, 0, 30, tzinfo=UTC) - timedelta(days=days)
    every = DailyPartitions(f"{start:%Y-%m-%d}")
    before = Input("balance", TimeWindow(-1, -1))
    world = World(
        [
            source("files", partitions=every),
            computed("balance", before, "files", partitions=every),
            computed("report", "balance", partitions=every),
        ]
    )
    world.observe("files", dict.fromkeys(world.space("files").keys(np.array(world.ordinals("files", []))), "a"))
    world.run(world.plan())
    return world


def test_an_asset_that_reads_itself_is_followed_to_where_it_began_in_the_plan() -> None:
    world = balances(200)
    world.observe("files", {"2023-08-01": "b"})
    found = traced(world, "balance", "2024-01-10")
    assert [(link.asset, link.partitions) for link in found.links] == [
        ("balance", ("2023-08-01...2024-01-10",)),
        ("files", ("2023-08-01",)),
    ]
    changed, inherited = found.links[0].reasons
    assert (changed.detail, changed.partitions) == ("files 2023-08-01 changed", ("2023-08-01",))
    assert (inherited.detail, inherited.partitions) == (
        "balance 2023-08-01...2024-01-09 is stale, which began at files",
        ("2023-08-02...2024-01-10",),
    )
    assert [asset for asset, _ in found.roots()] == ["files"]
    assert traced(world, "balance", "2023-08-05").links[0].partitions == ("2023-08-01...2023-08-05",)
    assert traced(world, "report", "2023-08-05").links[1].partitions == ("2023-08-01...2023-08-05",)


def test_an_asset_that_waits_for_itself_is_followed_to_what_is_lacking() -> None:
    every = DailyPartitions("2024-01-01")
    own = Input("balance", TimeWindow(-1, -1))
    world = World([source("files", partitions=every), computed("balance", own, "files", partitions=every)])
    world.observe("files", {f"2024-01-{day:02}": "a" for day in range(1, 11) if day != 3})
    world.run(world.plan())
    (link,) = traced(world, "balance", "2024-01-10").links
    assert (link.partitions, link.reasons[0].kind) == (("2024-01-03...2024-01-10",), "waiting")
    assert "files@2024-01-03" in link.reasons[0].detail


def test_an_asset_that_reads_itself_is_followed_to_where_it_began_in_what_was_published() -> None:
    world = balances(200)
    world.observe("files", {"2023-08-01": "b"})
    world.run(world.plan("balance"))
    found = traced(world, "report", "2024-01-10")
    report, balance, files = found.links
    assert (report.asset, report.reasons[0].detail) == ("report", "balance 2024-01-10 changed")
    assert (balance.partitions, balance.count, balance.unexamined) == (("2023-08-01...2024-01-10",), 163, 0)
    own, began = balance.reasons
    assert (own.detail, own.count, own.partitions) == (
        "balance 2023-08-01...2024-01-09 changed",
        162,
        ("2023-08-02...2024-01-10",),
    )
    assert (began.detail, began.count, began.partitions) == ("files 2023-08-01 changed", 1, ("2023-08-01",))
    assert (files.partitions, files.reasons[0].kind) == (("2023-08-01",), "observed")
    assert [asset for asset, _ in found.roots()] == ["files"]


def test_a_chain_that_is_too_long_says_how_much_was_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetflow.planner.recounting._MOST_STEPS", 10)
    world = balances(30)
    first = world.space("files").keys(np.array(world.ordinals("files", [])[:1]))[0]
    world.observe("files", {first: "b"})
    world.run(world.plan("balance"))
    _, balance = traced(world, "report", "2024-01-10").links
    assert (balance.count, balance.unexamined) == (10, 1)


def test_what_waits_with_its_publish_group_only_leads_to_the_member_that_lacks() -> None:
    world = World(
        [
            source("sales", partitions=AREAS),
            source("stock", partitions=AREAS),
            computed("counted", "stock", partitions=AREAS),
            computed("orders", "sales", partitions=AREAS, publish_group="books"),
            computed("items", "counted", partitions=AREAS, publish_group="books"),
        ]
    )
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1"})
    assert told(traced(world, "orders", "south")) == [
        "orders south / waiting: waits, with its publish group 'books', for counted@south",
        "orders south / missing: never built",
        "items south / waiting: waits for counted@south",
        "items south / missing: never built",
        "counted south / waiting: waits for stock@south",
        "counted south / missing: never built",
    ]
    orders, items, counted = traced(world, "orders", "south").links
    assert [each.reasons[0].upstream for each in (orders, items, counted)] == ["items", "counted", None]
    assert [link.asset for link in traced(world, "items", "south").links] == ["items", "counted"]


def test_a_member_of_a_publish_group_that_lacks_something_itself_is_told_apart() -> None:
    world = World(
        [
            source("sales", partitions=AREAS),
            source("stock", partitions=AREAS),
            computed("orders", "sales", partitions=AREAS, publish_group="books"),
            computed("items", "stock", partitions=AREAS, publish_group="books"),
        ]
    )
    world.observe("sales", {"north": "1"})
    world.observe("stock", {"south": "1"})
    orders, items = traced(world, "orders").links
    assert [(reason.detail, reason.count, reason.upstream) for reason in orders.reasons[:2]] == [
        ("waits for sales@south", 1, None),
        ("waits, with its publish group 'books', for stock@north", 1, "items"),
    ]
    assert (items.partitions, items.reasons[0].detail) == (("north",), "waits for stock@north")
