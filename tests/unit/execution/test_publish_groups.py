from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assetflow import AssetContext, Batch, CheckResult, Project, StaticPartitions, asset, asset_check

REGIONS = StaticPartitions(["north", "south"])
Opened = Callable[..., Project]


def table(number: int) -> pd.DataFrame:
    return pd.DataFrame({"n": [number]})


def books(refused: set[str], number: int = 1, **of_items: Any) -> list[Any]:
    """Two assets that are published together, and a reader; ``items`` fails for the ``refused`` keys."""

    @asset(partitions=REGIONS, publish_group="books", code_version=str(number))
    def orders() -> pd.DataFrame:
        return table(number)

    @asset(partitions=REGIONS, publish_group="books", code_version=str(number), **of_items)
    def items(context: AssetContext, orders: pd.DataFrame) -> pd.DataFrame:
        if context.partition_key in refused:
            raise ValueError("no items today")
        return orders * 10

    @asset(partitions=REGIONS, code_version="1")
    def report(orders: pd.DataFrame) -> pd.DataFrame:
        return orders + 0.5

    return [orders, items, report]


def published(project: Project, name: str) -> dict[str, float]:
    rows = project.catalog.query(f"select partition, n from data.{name} order by 1").to_pylist()
    return {row["partition"]: row["n"] for row in rows}


def generations(project: Project, name: str) -> list[int]:
    return project.state().assets[project.graph.require(name)].generation.tolist()


def folders(tmp_path: Path) -> list[str]:
    return sorted(str(each.relative_to(tmp_path / "data")) for each in (tmp_path / "data").glob("*/*/v-*"))


def test_members_are_published_in_one_commit_for_each_partition(opened: Opened) -> None:
    with opened(*books(set())) as project:
        result = project.materialize()
        assert (result.status, result.counts["materialized"]) == ("success", 6)
        assert generations(project, "orders") == generations(project, "items")
        assert published(project, "items") == {"north": 10, "south": 10}
        assert project.plan().steps == ()


def test_a_member_reads_what_the_other_is_about_to_publish_and_lineage_says_so(opened: Opened) -> None:
    with opened(*books(set())) as project:
        project.materialize()
        with opened(*books(set(), 2)) as later:
            later.materialize()
            assert published(later, "items") == {"north": 20, "south": 20}
            query = "select version, upstream_version from lineage where asset = 'items' order by 1"
            current = "select version from partitions where asset = 'orders'"
            read = {row["upstream_version"] for row in later.catalog.query(query).to_pylist()[-2:]}
            assert read == {row["version"] for row in later.catalog.query(current).to_pylist()}


def test_where_one_member_fails_none_is_published_and_readers_keep_what_they_had(
    opened: Opened, tmp_path: Path
) -> None:
    with opened(*books(set())) as project:
        project.materialize()
    before = folders(tmp_path)
    with opened(*books({"south"}, 2)) as project:
        result = project.materialize()
        assert result.status == "failed"
        assert result.counts == {
            "materialized": 3,
            "unchanged": 0,
            "reused": 0,
            "failed": 1,
            "quarantined": 0,
            "blocked": 2,
            "waiting": 0,
            "canceled": 0,
        }
        assert published(project, "orders") == {"north": 2, "south": 1}
        assert published(project, "items") == {"north": 20, "south": 10}
        assert published(project, "report") == {"north": 2.5, "south": 1.5}
        assert len(folders(tmp_path)) == len(before) + 3
        assert project.store.reader.intents() == []
        steps = {(s["asset"], s["partition"]): s for s in project.run(result.run_id or "")["steps"]}
        assert steps["orders", "south"]["status"] == "blocked"
        assert steps["orders", "south"]["error"]["message"] == (
            "orders@south: not published, for items@south of its publish group 'books' failed"
        )
        assert project.why("orders", "south").state == "stale"
    with opened(*books(set(), 2)) as project:
        assert project.materialize().status == "success"
        assert published(project, "orders") == {"north": 2, "south": 2}
        assert generations(project, "orders") == generations(project, "items")


def test_members_after_one_that_failed_are_not_computed(opened: Opened) -> None:
    calls: list[str] = []

    @asset(publish_group="g", code_version="1")
    def first() -> int:
        raise ValueError("no")

    @asset(publish_group="g", code_version="1")
    def second() -> int:
        calls.append("second")
        return 2

    with opened(first, second) as project:
        result = project.materialize()
        assert (result.counts["failed"], result.counts["blocked"], calls) == (1, 1, [])


def test_a_blocking_check_keeps_the_whole_group_back(opened: Opened) -> None:
    @asset_check(asset="items", blocking=True)
    def small(items: pd.DataFrame) -> CheckResult:
        return CheckResult(passed=bool((items["n"] < 15).all()))

    with opened(*books(set()), checks=[small]) as project:
        project.materialize()
    with opened(*books(set(), 2), checks=[small]) as project:
        result = project.materialize()
        assert (result.counts["quarantined"], result.counts["blocked"]) == (2, 4)
        assert published(project, "orders") == {"north": 1, "south": 1}
        assert published(project, "items") == {"north": 10, "south": 10}


def test_batches_are_published_partition_by_partition(opened: Opened) -> None:
    def assets(number: int, lost: str | None) -> list[Any]:
        @asset(partitions=REGIONS, publish_group="g", batch=Batch(max_partitions=2), code_version=str(number))
        def many(context: AssetContext) -> dict[str, pd.DataFrame]:
            return {key: table(number) for key in context.partition_keys if key != lost}

        @asset(partitions=REGIONS, publish_group="g", code_version=str(number))
        def each() -> pd.DataFrame:
            return table(number)

        return [many, each]

    with opened(*assets(1, None)) as project:
        assert project.materialize().counts["materialized"] == 4
    with opened(*assets(2, "north")) as project:
        assert project.materialize().counts["blocked"] == 1
        assert published(project, "many") == {"north": 1, "south": 2}
        assert published(project, "each") == {"north": 1, "south": 2}


def test_unchanged_output_stays_and_going_back_is_reused(opened: Opened) -> None:
    with opened(*books(set())) as project:
        project.materialize()
        assert project.materialize(force=True).counts["unchanged"] == 6
    with opened(*books(set(), 2)) as project:
        project.materialize()
    with opened(*books(set(), 1)) as project:
        assert project.materialize().counts["reused"] >= 4
        assert published(project, "items") == {"north": 10, "south": 10}


def test_an_interrupted_group_leaves_nothing(opened: Opened, tmp_path: Path) -> None:
    @asset(partitions=REGIONS, publish_group="g", code_version="1")
    def first() -> pd.DataFrame:
        return table(1)

    @asset(partitions=REGIONS, publish_group="g", code_version="1")
    def second(context: AssetContext, first: pd.DataFrame) -> pd.DataFrame:
        if context.partition_key == "south":
            raise KeyboardInterrupt
        return first

    with opened(first, second) as project:
        result = project.materialize()
        assert (result.status, result.counts["canceled"], result.counts["materialized"]) == ("canceled", 4, 0)
        assert folders(tmp_path) == []
        assert project.store.reader.intents() == []


def test_another_run_in_between_is_planned_again(opened: Opened) -> None:
    meddle: list[Project] = []

    def assets(number: int) -> list[Any]:
        @asset(publish_group="g", code_version=str(number))
        def first() -> int:
            return number

        @asset(publish_group="g", code_version=str(number))
        def second(first: int) -> int:
            if meddle:
                other = meddle.pop()
                # As if this run had stood still for too long.
                for lease in other.store.reader.leases():
                    other.store.writer.release(lease.fence).result()
                other.materialize()
            return first * 10

        return [first, second]

    with opened(*assets(1)) as project, opened(*assets(2)) as other:
        meddle.append(other)
        result = project.materialize()
        assert result.status == "success"
        assert generations(project, "first") == generations(project, "second")
        assert (project.load("first"), project.load("second")) == (1, 10)


@pytest.mark.parametrize("forced", [False, True])
def test_selecting_one_member_runs_all(opened: Opened, forced: bool) -> None:
    with opened(*books(set())) as project:
        if forced:
            project.materialize()
        result = project.materialize("items", "north", force=forced)
        assert result.counts["unchanged" if forced else "materialized"] == 2
