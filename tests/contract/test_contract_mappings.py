"""CONTRACT, mappings that are stated: ``StaticMapping``, ``DimensionMapping``, a user's own ``PartitionMapping``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from assetflow import (
    AssetContext,
    AssetflowError,
    Batch,
    DailyPartitions,
    DimensionMapping,
    Input,
    MonthlyPartitions,
    MultiPartitions,
    PartitionMapping,
    Project,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
    asset,
    materialize,
)
from tests.contract.conftest import Outside

CITIES = StaticPartitions(["berlin", "oslo", "paris", "rome"])
REGIONS = StaticPartitions(["north", "south", "nowhere"])
WHERE = StaticMapping({"oslo": ["north"], "berlin": ["north", "south"], "rome": ["south"]})


@asset(partitions=CITIES, code_version="1")
def people(context: AssetContext) -> int:
    return len(context.partition_key or "")


@asset(partitions=CITIES, code_version="1")
def streets(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"city": [context.partition_key]})


class FirstLetter(PartitionMapping):
    """The cities whose name begins with a letter of the region's name."""

    def upstream_keys(self, partition_keys: Sequence[str], upstream: Any) -> list[list[str]]:
        return [[city for city in upstream.keys if city[0] in region] for region in partition_keys]


def test_a_partition_gets_what_the_static_mapping_gives_it() -> None:
    seen: dict[str | None, dict[str, int]] = {}

    @asset(partitions=REGIONS, inputs={"people": Input("people", WHERE)}, code_version="1")
    def region(context: AssetContext, people: dict[str, int]) -> int:
        seen[context.partition_key] = people
        return sum(people.values())

    result = materialize([people, region])
    assert result.counts["materialized"] == 7
    assert seen == {"north": {"berlin": 6, "oslo": 4}, "south": {"berlin": 6, "rome": 4}}
    assert result.value("region", "south") == 10
    assert result.plan.notes == (
        "region nowhere: reads nothing of people, for the StaticMapping gives it no partition",
    )


def test_what_was_read_is_recorded_by_partition() -> None:
    @asset(partitions=REGIONS, deps=[Input(people, WHERE)], code_version="1")
    def region() -> int:
        return 1

    with Project([people, region]) as project:
        project.materialize()
        found = project.catalog.query(
            "select partition, upstream_partition from lineage where asset = 'region' order by all"
        ).to_pylist()
        assert [(row["partition"], row["upstream_partition"]) for row in found] == [
            ("north", "berlin"),
            ("north", "oslo"),
            ("south", "berlin"),
            ("south", "rome"),
        ]
        nodes = project.catalog.lineage("people", "berlin", direction="downstream").nodes
        assert sorted((node.asset, node.partition) for node in nodes) == [
            ("people", "berlin"),
            ("region", "north"),
            ("region", "south"),
        ]
        assert project.plan().steps == ()


def test_a_mapping_of_ones_own_feeds_tables_and_batches() -> None:
    @asset(partitions=REGIONS, inputs={"streets": Input("streets", FirstLetter())}, batch=Batch(5), code_version="1")
    def region(streets: pd.DataFrame) -> pd.DataFrame:
        return (
            streets.groupby("_partition", as_index=False)["city"]
            .agg(",".join)
            .rename(columns={"_partition": "partition"})
        )

    result = materialize([streets, region])
    found = {key: result.value("region", key)["city"].tolist() for key in REGIONS.keys}
    assert found == {"north": ["oslo,rome"], "south": ["oslo"], "nowhere": ["oslo,rome"]}


SHOP = """
    from dataclasses import dataclass

    from assetflow import Input, PartitionMapping, StaticPartitions, asset

    cities, regions = StaticPartitions(["oslo", "rome"]), StaticPartitions(["north", "south"])

    def letters(region):
        return region[:3]

    @dataclass(frozen=True, slots=True)
    class Near(PartitionMapping):
        extra: str

        def upstream_keys(self, partition_keys, upstream):
            return [[city for city in upstream.keys if city[0] in letters(key) + self.extra] for key in partition_keys]

    @asset(partitions=cities)
    def people() -> int:
        return 1

    @asset(partitions=regions, inputs={"people": Input("people", Near(""))})
    def region(people: dict[str, int]) -> int:
        return sum(people.values())
"""


def test_the_source_of_a_mapping_its_helpers_and_its_attributes_count(
    outside: Callable[[str], Outside], inside: Callable[..., dict[str, Any]]
) -> None:
    project = outside("mappings")
    project.write("pyproject.toml", '[tool.assetflow]\ndefinitions = "shop"\n')
    project.write("shop.py", SHOP)
    assert inside(project, "materialize")["counts"]["materialized"] == 4
    assert inside(project, "plan")["steps"] == []
    edges = inside(project, "graph")["edges"]
    assert [edge["mapping"] for edge in edges] == ["Near"]

    def changed(old: str, new: str) -> list[str]:
        project.edit("shop.py", old, new)
        steps = inside(project, "plan")["steps"]
        found = [name for step in steps for cause in step["causes"] for name in cause["components"]]
        inside(project, "materialize")
        return sorted(set(found))

    assert changed("self.extra] for", "self.extra] for  # near\n           ") == []
    assert changed("region[:3]", "region[:4]") == ["shop.letters"]
    assert changed("letters(key) + self.extra", "self.extra + letters(key)") == ["shop.Near"]
    assert changed('Near("")', 'Near("xyz")') == ["mapping:people:extra"]


DAYS = DailyPartitions("2024-01-30", end="2024-02-03")
CELLS = MultiPartitions({"day": DAYS, "region": StaticPartitions(["north", "south"])})


@asset(partitions=CELLS, code_version="1")
def sales(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"cell": [context.partition_key]})


def test_dimensions_are_joined_one_by_one() -> None:
    months = MultiPartitions(
        {
            "region": StaticPartitions(["north", "south"]),
            "kind": StaticPartitions(["sum", "mean"]),
            "month": MonthlyPartitions("2024-01", end="2024-02"),
        }
    )
    joined = DimensionMapping({"region": "region", "month": "day"})

    @asset(partitions=months, inputs={"sales": Input("sales", joined)}, code_version="1")
    def report(sales: dict[str, pd.DataFrame]) -> list[str]:
        return list(sales)

    @asset(partitions=DAYS, inputs={"sales": Input("sales", DimensionMapping({None: "day"}))}, code_version="1")
    def total(sales: pd.DataFrame) -> list[str]:
        return sales["cell"].tolist()

    @asset(partitions=CELLS, deps=[Input("total", DimensionMapping({"day": (None, TimeWindow(-1, -1))}))])
    def after() -> int:
        return 1

    defs = [sales, report, total, after]
    with Project(defs) as project:
        result = project.materialize(now=datetime(2024, 3, 1, tzinfo=UTC))
        assert (result.status, result.counts["materialized"]) == ("success", 8 + 4 + 4 + 8)
        assert project.load("report", "south|mean|2024-01") == ["2024-01-30|south", "2024-01-31|south"]
        assert project.load("total", "2024-02-01") == ["2024-02-01|north", "2024-02-01|south"]
        read = project.catalog.query(
            "select upstream_partition as day from lineage where asset = 'after' and partition = '2024-02-01|south'"
        )
        assert read["day"].to_pylist() == ["2024-01-31"]
        assert project.plan(now=datetime(2024, 3, 1, tzinfo=UTC)).steps == ()
        forced = project.materialize("sales", "2024-01-31|south", force=True, now=datetime(2024, 3, 1, tzinfo=UTC))
        assert forced.counts["unchanged"] == 1


def test_a_day_of_all_regions_waits_for_the_last_of_them() -> None:
    @asset(partitions=DAYS, inputs={"sales": Input("sales", DimensionMapping({None: "day"}))}, code_version="1")
    def total(sales: pd.DataFrame) -> int:
        return len(sales)

    with Project([sales, total]) as project:
        now = datetime(2024, 2, 1, tzinfo=UTC)
        project.materialize("sales", "2024-01-30|north...2024-01-31|north", now=now)
        plan = project.plan("total", now=now)
        assert plan.steps == ()
        assert [(each.partitions.ranges, each.lacking) for each in plan.waiting] == [
            ((("2024-01-30", "2024-01-31"),), ("sales@2024-01-30|south...2024-01-31|south",))
        ]


def test_dimensions_that_no_mapping_follows_for_are_told_with_one_that_may_be_meant() -> None:
    @asset(partitions=DAYS, code_version="1")
    def total(sales: pd.DataFrame) -> int:
        return len(sales)

    with pytest.raises(AssetflowError) as caught:
        Project([sales, total])
    assert "no mapping follows, for 'total' has partitions (daily from 2024-01-30" in str(caught.value)
    hint = (
        "state one: Input('sales', mapping=DimensionMapping({None: 'day'})) or "
        "Input('sales', mapping=AllPartitions()), in inputs= or deps="
    )
    assert hint in str(caught.value)
