"""Mappings of a user's own that go wrong: told with asset, partition and line; the rest is planned and built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

PROJECT = """
cities, regions = StaticPartitions(["oslo", "rome"]), StaticPartitions(["north", "south", "west"])

class Near(PartitionMapping):
    def upstream_keys(self, partition_keys, upstream):
        return [self.of(key) for key in partition_keys]

    def of(self, region):
        if region == "west":
            {west}
        return ["oslo"]

@asset(partitions=cities)
def people() -> int: return 1

@asset(partitions=regions, inputs={{"people": Input("people", Near())}})
def region(people: dict[str, int]) -> int: return sum(people.values())

@asset
def total(region: dict[str, int]) -> int: return sum(region.values())
"""

WRONG = {
    "raises": (
        "raise ValueError('which west?')",
        "Near.upstream_keys raised ValueError: which west?",
        "raise ValueError",
    ),
    "ends the process": ("raise SystemExit(3)", "Near.upstream_keys raised SystemExit: 3", "raise SystemExit"),
    "an unknown key": (
        "return ['rme']",
        (
            "Near.upstream_keys gave a key that the upstream does not have: "
            "there is no partition 'rme': 2 keys: oslo, rome; did you mean rome?"
        ),
        "def upstream_keys",
    ),
    "no list": ("return 7", "Near.upstream_keys gave 7, which is no list of keys", "def upstream_keys"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_mapping_cannot_say_waits_and_the_rest_is_built(shop: Shop, case: str) -> None:
    wrong, problem, line = WRONG[case]
    shop.write(PROJECT.format(west=wrong))
    place = shop.folder / shop.place(line)
    sentence = f"region@west: the mapping to people: {problem} ({place})"
    made = shop.run("plan --json").document
    assert made is not None
    assert [(each["asset"], each["partitions"]["ranges"], each["for"]) for each in made["waiting"]] == [
        ("region", [["west", "west"]], ["people"])
    ]
    assert sentence in made["notes"]
    assert sentence in shop.run("plan").out.replace("\n", " ")

    built = shop.run("materialize --json")
    assert built.code == 0
    assert built.document is not None
    assert built.document["assets"]["region"] == {"materialized": 2}
    assert built.document["counts"]["waiting"] == 1
    why = shop.run("why region@west --json").document
    assert why is not None
    assert (why["state"], why["causes"][0]["detail"]) == ("waiting", f"waits for people; {sentence}")

    shop.write(PROJECT.format(west="return ['rome']"))
    assert shop.run("materialize --json").code == 0
    assert shop.run("show region@west").out.splitlines()[-1] == "1"


def test_a_method_that_is_not_written_is_told_at_load(shop: Shop) -> None:
    shop.write("class Near(PartitionMapping): pass\n\nhere = Near()\n")
    said = shop.run("plan --json")
    assert said.code == 2
    assert "Can't instantiate abstract class Near" in said.error["message"]


def test_a_mapping_that_breaks_during_the_run_stops_only_its_own(shop: Shop) -> None:
    shop.write(
        PROJECT.format(west='if len(READ) > 1: raise ValueError("gone")')
        .replace("cities, regions", "READ = []\ncities, regions", 1)
        .replace("        return [self.of", "        READ.append(1)\n        return [self.of")
    )
    done = shop.run("materialize --json")
    assert done.code == 0
    assert done.document is not None
    assert done.document["assets"]["region"] == {"materialized": 2, "waiting": 1}
