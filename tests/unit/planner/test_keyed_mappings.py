"""Plans over mappings by key: exactly the images move, and what a user's mapping cannot say stops only its own."""

from __future__ import annotations

from collections.abc import Sequence

from assetflow.definitions.inputs import Input
from assetflow.partitions import DailyPartitions, PartitionMapping, StaticMapping, StaticPartitions
from assetflow.partitions.definitions import PartitionsDefinition
from tests.unit.planner.building import World, computed, lines, source

CITIES = StaticPartitions(["berlin", "oslo", "paris", "rome"])
REGIONS = StaticPartitions(["north", "south", "europe", "nowhere"])
MAPPING = StaticMapping(
    {"berlin": ["north", "europe"], "oslo": ["north", "europe"], "paris": ["europe"], "rome": ["south", "europe"]}
)


class ByLetters(PartitionMapping):
    """A region reads the cities that share a letter with it; nobody knows of nowhere."""

    def upstream_keys(self, partition_keys: Sequence[str], upstream: PartitionsDefinition) -> list[list[str]]:
        assert isinstance(upstream, StaticPartitions)
        return [self.of(key, upstream.keys) for key in partition_keys]

    def of(self, region: str, cities: Sequence[str]) -> list[str]:
        if region == "nowhere":
            raise LookupError("no letters there")
        return [city for city in cities if city[0] in region]


def shop(mapping: StaticMapping | PartitionMapping, missing: str = "wait") -> World:
    world = World(
        [
            source("sales", partitions=CITIES),
            computed("city", "sales", partitions=CITIES),
            computed("region", Input("city", mapping, missing=missing), partitions=REGIONS),  # type: ignore[arg-type]
        ]
    )
    world.observe("sales", dict.fromkeys(CITIES.keys, "1"))
    return world


def test_the_effect_of_one_partition_is_exactly_its_images() -> None:
    world = shop(MAPPING)
    world.run(world.plan())
    assert world.plan().steps == ()
    world.observe("sales", {"rome": "2"})
    assert lines(world.plan()) == ["city will rome: input_changed", "region may south...europe: upstream_stale"]
    world.observe("sales", {"rome": "1", "oslo": "2"})
    assert lines(world.plan()) == [
        "city will oslo: input_changed",
        "region may north,europe: upstream_stale",
    ]


def test_what_changed_is_named_by_its_keys_though_they_are_no_range() -> None:
    world = shop(MAPPING)
    world.run(world.plan())
    world.observe("sales", {"oslo": "2", "rome": "2"})
    world.run(world.plan("city"))
    [step] = world.plan().steps
    assert [(cause.kind, cause.partitions) for cause in step.causes] == [("input_changed", ("oslo", "rome"))]
    assert step.partitions.ranges == (("north", "europe"),)


def test_only_the_upstream_partitions_that_are_there_are_read() -> None:
    world = shop(MAPPING, "allow")
    world.withdraw("sales", "rome")
    assert world.states("region") == {"north": "missing", "south": "missing", "europe": "missing", "nowhere": "missing"}
    world.run(world.plan())
    world.observe("sales", {"rome": "1"})
    assert lines(world.plan())[1:] == ["region may south...europe: upstream_stale"]


def test_a_partition_waits_for_the_keys_that_lead_to_it_only() -> None:
    world = shop(MAPPING)
    world.withdraw("sales", "rome")
    assert world.states("region") == {"north": "missing", "south": "waiting", "europe": "waiting", "nowhere": "missing"}
    assert world.why("region", "south").causes[0].detail == "waits for city@rome"


def test_the_plan_says_what_reads_nothing() -> None:
    world = shop(MAPPING)
    assert world.plan().notes == ("region nowhere: reads nothing of city, for the StaticMapping gives it no partition",)


def test_selections_follow_the_mapping_in_both_directions() -> None:
    world = shop(MAPPING)
    up = world.plan("+region", partitions=[("south", "south")])
    assert lines(up) == ["city will rome: missing", "region will south: missing upstream_stale"]
    down = world.plan("city+", partitions=[("oslo", "oslo")])
    assert lines(down)[0] == "city will oslo: missing"
    assert [step.computation for step in down.steps] == ["city"]
    assert [(each.computation, each.partitions.ranges) for each in down.waiting] == [
        ("region", (("north", "north"), ("europe", "europe")))
    ]


def test_another_table_changes_exactly_those_that_read_something_else() -> None:
    world = shop(MAPPING)
    world.run(world.plan())
    other = shop(StaticMapping({**MAPPING.keys, "paris": ["europe", "north"]}))
    world.graph = other.graph
    assert lines(world.plan()) == ["region will north: input_changed"]


def test_what_a_users_mapping_cannot_say_waits_and_the_rest_is_planned() -> None:
    line = ByLetters.of.__code__.co_firstlineno + 2
    problem = (
        "region@nowhere: the mapping to city: ByLetters.upstream_keys raised LookupError: no letters there "
        f"({__file__}:{line})"
    )
    for missing in ("wait", "allow"):
        world = shop(ByLetters(), missing)
        made = world.plan()
        assert lines(made)[1:] == ["region will north...europe: missing upstream_stale"]
        assert [(each.computation, each.lacking) for each in made.waiting] == [("region", ("city",))]
        assert problem in made.notes
        world.run(made)
        assert world.states("region")["nowhere"] == "waiting"
        [cause] = world.why("region", "nowhere").causes[:1]
        assert (cause.kind, cause.detail, cause.root) == ("waiting", f"waits for city; {problem}", ("region",))
        assert world.plan(force=True).steps[-1].partitions.ranges == (("north", "europe"),)


def test_partitions_that_lie_ahead_are_waited_for() -> None:
    class NextDay(PartitionMapping):
        def upstream_keys(self, partition_keys: Sequence[str], upstream: PartitionsDefinition) -> list[list[str]]:
            return [["2024-01-10", "2024-01-11"] if key == "north" else ["2024-01-02"] for key in partition_keys]

    days = DailyPartitions("2024-01-01")
    world = World([source("sales", partitions=days), computed("region", Input("sales", NextDay()), partitions=REGIONS)])
    world.observe("sales", {f"2024-01-{day:02}": "1" for day in range(1, 11)})
    assert world.states("region")["north"] == "waiting"
    assert world.states("region")["south"] == "missing"
    assert world.why("region", "north").causes[0].detail == "waits for sales@2024-01-11"
