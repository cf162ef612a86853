"""Partitions that cannot be: in declarations, told with asset and line; in requests, with asset and partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from assetflow import Project, StaticPartitions, asset
from assetflow.errors import InvalidPartition

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

SOUND = """
days = DailyPartitions("2024-01-30", end="2024-02-03")

@asset(partitions=days)
def daily() -> int: return 1

@asset(partitions=StaticPartitions(["north", "south"]))
def region() -> int: return 1

@asset(partitions=CronPartitions("0 17 * * *", "2024-01-01", "2024-01-05"))
def closing() -> int: return 1

@asset(partitions=MultiPartitions({"day": days, "region": StaticPartitions(["north", "south"])}))
def cell() -> int: return 1
"""

LATER = ": end is exclusive; give a later one, or None for an open end"
DECLARED = {
    'partitions=CronPartitions("61 * * * *", "2024-01-01")': (
        "bad: partitions: cron '61 * * * *': minute '61' is not from 0 to 59",
        None,
    ),
    'partitions=CronPartitions("0 5 * *", "2024-01-01")': (
        "bad: partitions: cron '0 5 * *': it has 4 fields: write minute hour day-of-month month day-of-week",
        None,
    ),
    'partitions=HourlyPartitions("2024-01-01", timezone="Europe/Berln")': (
        (
            "bad: partitions: timezone 'Europe/Berln' is unknown: "
            "did you mean Europe/Berlin or Europe/Belfast or Europe/Helsinki?"
        ),
        None,
    ),
    'partitions=CronPartitions("0 5 * * *", "2024-01-01", timezone="Mars/Olympus")': (
        "bad: partitions: timezone 'Mars/Olympus' is unknown: write a name such as Europe/Berlin",
        None,
    ),
    'partitions=MonthlyPartitions("2024-03", end="2024-01")': (
        f"bad: partitions: end 2024-01 is not after start 2024-03{LATER}",
        None,
    ),
    'partitions=CronPartitions("0 5 * * *", "2024-01-02", "2024-01-02")': (
        f"bad: partitions: end 2024-01-02 is not after start 2024-01-02{LATER}",
        None,
    ),
    'partitions=MultiPartitions({"day": DailyPartitions("2024-01-02", "2024-01-01")})': (
        f"bad: partitions: dimension 'day': end 2024-01-01 is not after start 2024-01-02{LATER}",
        None,
    ),
    'freshness_policy=FreshnessPolicy(cron="0 25 * * *")': (
        "bad: FreshnessPolicy(cron='0 25 * * *'): hour '25' is not from 0 to 23",
        'write five fields, minute hour day month weekday: "0 6 * * mon-fri"',
    ),
    'freshness_policy=FreshnessPolicy(cron="0 5 * * *", timezone="Mars/Olympus")': (
        "bad: FreshnessPolicy(timezone='Mars/Olympus') is no time zone",
        "write a name such as Europe/Berlin",
    ),
    'partitions=days, deps=[Input("region", StaticMapping({"north": ["2024-01-30"]}))]': (
        (
            "bad: deps: 'region': StaticMapping needs lists of keys on both sides: "
            "the asset has daily from 2024-01-30 until 2024-02-03, UTC, its upstream 2 keys: north, south"
        ),
        None,
    ),
    'partitions=StaticPartitions(["x"]), deps=[Input("region", StaticMapping({"nroth": ["x"]}))]': (
        "bad: deps: 'region': StaticMapping: the upstream has no key 'nroth': did you mean north or south?",
        None,
    ),
}


@pytest.mark.parametrize("keywords", DECLARED)
def test_a_declaration_is_told_with_asset_and_line(shop: Shop, keywords: str) -> None:
    message, hint = DECLARED[keywords]
    shop.write(f"{SOUND}\n@asset({keywords})\ndef bad() -> int: return 1\n")
    said = shop.run("plan --json")
    assert said.code == 2
    (only,) = said.error["errors"]
    assert (only["message"], only["hint"], only["location"]) == (message, hint, shop.place(f"@asset({keywords})"))


DAYS = "daily is daily from 2024-01-30 until 2024-02-03, UTC"
BOUNDS = "partitions run from 2024-01-30 to 2024-02-02"
REQUESTED = {
    "plan --select daily --partition 2024-03-01": (
        "nothing that is selected has the partition 2024-03-01",
        DAYS,
    ),
    "materialize --select daily --partition 2024-13-01": (
        "nothing that is selected has the partition 2024-13-01",
        DAYS,
    ),
    "why daily@2024-03-01": (
        f"daily: there is no partition '2024-03-01': {BOUNDS}",
        "the nearest is 2024-02-02",
    ),
    "why region@nroth": ("region: there is no partition 'nroth': 2 keys: north, south", "did you mean north or south?"),
    "plan --select daily --partition 2024-02-01...2024-01-31": (
        "daily: no range runs from '2024-02-01' to '2024-01-31': '2024-01-31' is before '2024-02-01'",
        "write 2024-01-31...2024-02-01",
    ),
    "materialize --select daily --from 2024-02-01 --to 2024-01-31": (
        "daily: no range runs from '2024-02-01' to '2024-01-31': '2024-01-31' is before '2024-02-01'",
        "write 2024-01-31...2024-02-01",
    ),
    "plan --select region --partition south...north": (
        "region: no range runs from 'south' to 'north': 'north' is declared before 'south'",
        "ranges follow the order of the keys in the definition",
    ),
    "plan --select closing --partition 2024-01-03...2024-01-02": (
        "closing: no range runs from '2024-01-03' to '2024-01-02': '2024-01-02' is before '2024-01-03'",
        "write 2024-01-02...2024-01-03",
    ),
    "plan --select cell --partition '2024-02-01|south...2024-01-31|south'": (
        (
            "cell: no range runs from '2024-02-01|south' to '2024-01-31|south': "
            "dimension 'day': '2024-01-31' is before '2024-02-01'"
        ),
        "write 2024-01-31|south...2024-02-01|south",
    ),
    "plan --select cell --partition '2024-02-01|east'": (
        "nothing that is selected has the partition 2024-02-01|east",
        "cell is day: daily from 2024-01-30 until 2024-02-03, UTC; region: 2 keys: north, south",
    ),
    "plan --select daily --partition 2024-01-31...": (
        "'2024-01-31...' is no partition or range",
        "write KEY, or FIRST...LAST",
    ),
}


@pytest.mark.parametrize("command", REQUESTED)
def test_a_request_is_told_with_asset_and_partition(shop: Shop, command: str) -> None:
    shop.write(SOUND)
    error = shop.run(f"{command} --json").error
    assert (error["message"], error["hint"]) == REQUESTED[command]
    said = shop.run(command)
    assert said.code == 2
    assert said.err.startswith(f"error: {REQUESTED[command][0]}\n  hint: {REQUESTED[command][1]}\n")


def test_python_is_told_the_same() -> None:
    @asset(partitions=StaticPartitions(["north", "south"]), code_version="1")
    def region() -> int:
        return 1

    def asked(partitions: Any) -> str:
        with Project([region]) as project, pytest.raises(InvalidPartition) as raised:
            project.plan("region", partitions)
        return raised.value.message

    reversed_range = "region: no range runs from 'south' to 'north': 'north' is declared before 'south'"
    assert asked([("south", "north")]) == reversed_range
    assert asked("south...north") == reversed_range
    assert asked("west") == "nothing that is selected has the partition west"


def test_a_source_s_key_outside_its_partitions_is_noted_and_the_rest_is_planned(shop: Shop) -> None:
    shop.write(
        SOUND
        + "@observable_source(partitions=days)\n"
        + 'def till() -> dict[str, str]: return {"2024-03-01": "x", "2024-01-30": "y"}\n\n'
        + "@asset(partitions=days, deps=[till])\ndef sales() -> int: return 1\n"
    )
    made = shop.run("plan --select sales --json").document
    assert made is not None
    assert made["notes"] == ["till was observed with 1 key outside its partitions, ignored: '2024-03-01'"]
    assert [step["partitions"]["ranges"] for step in made["steps"]] == [[["2024-01-30", "2024-01-30"]]]
    assert [each["for"] for each in made["waiting"]] == [["till@2024-01-31...2024-02-02"]]
