from __future__ import annotations

from assetflow.definitions.freshness import FreshnessPolicy
from assetflow.definitions.inputs import Input
from assetflow.partitions.definitions import DailyPartitions, StaticPartitions
from tests.unit.planner.building import World, computed, lines, source

REGIONS = StaticPartitions(["north", "south"])


def books(**keywords: object) -> World:
    return World(
        [
            source("sales", partitions=REGIONS),
            source("stock", partitions=REGIONS),
            computed("orders", "sales", partitions=REGIONS, publish_group="books", **keywords),
            computed("items", "stock", partitions=REGIONS, publish_group="books"),
            computed("report", "orders", partitions=REGIONS),
        ]
    )


def built() -> World:
    world = books()
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1", "south": "1"})
    world.run(world.plan())
    return world


def test_all_members_get_their_steps_together() -> None:
    world = books()
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1", "south": "1"})
    plan = world.plan()
    assert [(step.computation, step.publish_group) for step in plan.steps] == [
        ("orders", "books"),
        ("items", "books"),
        ("report", None),
    ]
    assert plan.to_dict()["steps"][0]["publish_group"] == "books"
    assert "publish_group" not in plan.to_dict()["steps"][2]
    world.run(plan)
    assert world.plan().steps == ()


def test_a_member_that_is_up_to_date_gets_no_step() -> None:
    world = built()
    world.observe("stock", {"north": "2"})
    assert lines(world.plan()) == ["items will north: input_changed"]


def test_where_one_member_waits_the_others_wait_with_it() -> None:
    world = books()
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1"})
    plan = world.plan()
    assert lines(plan) == [
        "orders will north: missing",
        "items will north: missing",
        "report will north: missing upstream_stale",
    ]
    assert [(each.computation, each.lacking) for each in plan.waiting] == [
        ("orders", ("stock@south",)),
        ("items", ("stock@south",)),
        ("report", ("orders@south",)),
    ]
    assert world.states("orders") == {"north": "missing", "south": "waiting"}
    explanation = world.why("orders", "south")
    assert [(cause.detail, cause.root) for cause in explanation.causes if cause.kind == "waiting"] == [
        ("waits, with its publish group 'books', for stock@south", ("stock",))
    ]


def test_a_member_that_has_nothing_to_do_does_not_wait() -> None:
    world = built()
    world.withdraw("stock", "south")
    assert world.states("items") == {"north": "up_to_date", "south": "waiting"}
    assert world.states("orders") == {"north": "up_to_date", "south": "up_to_date"}
    world.observe("sales", {"south": "2"})
    assert world.states("orders")["south"] == "waiting"
    assert world.plan().steps == ()


def test_selecting_one_member_selects_all() -> None:
    world = books()
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1", "south": "1"})
    assert [step.computation for step in world.plan("items").steps] == ["orders", "items"]
    assert [step.computation for step in world.plan("+report").steps] == ["orders", "items", "report"]
    assert [step.computation for step in world.plan("* and not items").steps] == []
    assert lines(world.plan("orders", partitions="north")) == [
        "orders will north: missing",
        "items will north: missing",
    ]


def test_partitions_mapped_upwards_are_those_of_the_whole_group() -> None:
    world = books()
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1", "south": "1"})
    assert lines(world.plan("+report", partitions="south")) == [
        "orders will south: missing",
        "items will south: missing",
        "report will south: missing upstream_stale",
    ]


def test_without_retrying_a_failed_member_the_others_stay_as_they_are() -> None:
    world = books()
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1", "south": "1"})
    world.fail("items", "south")
    assert lines(world.plan(retry_failed=False)) == [
        "orders will north: missing",
        "items will north: missing",
        "report will north: missing upstream_stale",
    ]
    assert [step.computation for step in world.plan().steps] == ["orders", "items", "report"]


def test_a_member_inside_reads_the_other() -> None:
    world = World(
        [source("sales"), computed("orders", "sales", publish_group="g"), computed("sums", "orders", publish_group="g")]
    )
    world.observe("sales", {None: "1"})
    world.run(world.plan())
    world.observe("sales", {None: "2"})
    assert lines(world.plan()) == ["orders will all: input_changed", "sums may all: upstream_stale"]


def test_what_freshness_needs_of_one_member_takes_the_others_along() -> None:
    days = DailyPartitions("2024-01-01", end="2024-01-03")
    world = World(
        [
            source("sales", partitions=days),
            source("stock", partitions=days),
            computed("cleaned", "stock", partitions=days),
            computed(
                "orders", "sales", partitions=days, publish_group="g", freshness_policy=FreshnessPolicy(max_lag="1h")
            ),
            computed("items", Input("cleaned"), partitions=days, publish_group="g"),
        ]
    )
    for name in ("sales", "stock"):
        world.observe(name, {"2024-01-01": "1", "2024-01-02": "1"})
    assert lines(world.plan(due=True)) == [
        "cleaned will 2024-01-01...2024-01-02: missing",
        "orders will 2024-01-01...2024-01-02: missing",
        "items will 2024-01-01...2024-01-02: missing upstream_stale",
    ]


def test_one_asset_is_judged_with_those_that_it_is_published_with() -> None:
    from assetflow.keys import AssetKey
    from assetflow.planner.explain import explain
    from assetflow.planner.staleness import assess

    world = books()
    world.observe("sales", {"north": "1", "south": "1"})
    world.observe("stock", {"north": "1"})
    assessment = assess(world.graph, world.state(), world.codes(), world.now, only=["orders"])
    assert explain(assessment, AssetKey("orders"), "south").state == "waiting"
