"""CONTRACT, "Catalog views": columns and contents of every view that has something to show, and ``data.<asset>``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from assetflow import (
    NO_DATA,
    AssetContext,
    AssetflowError,
    CheckResult,
    DailyPartitions,
    Definitions,
    Field,
    Project,
    Schema,
    asset,
    asset_check,
    observable_source,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")

VIEWS = {
    "assets": "asset group_name description owners tags kinds partitioned partitions_total code_version io_manager",
    "asset_edges": "upstream downstream mapping",
    "partitions": "asset partition state version materialized_at row_count byte_count data_hash code_version run_id",
    "versions": "version asset partition run_id state created_at published_at row_count byte_count data_hash "
    "code_version location",
    "lineage": "version asset partition upstream_asset upstream_partition upstream_version",
    "columns": "asset column_name type nullable description",
    "checks": "asset partition version check_name passed severity blocking metadata checked_at",
    "runs": "run_id status started_at ended_at trigger",
    "steps": "run_id asset partition attempt status queued_at started_at ended_at error",
    "events": "seq occurred_at kind asset partition run_id payload",
    "freshness": "asset state watermark lag_seconds",
}


class Daily(Schema):
    n: int = Field(description="how many")
    text: str | None


@observable_source(partitions=DAYS, group="outer")
def files() -> dict[str, str | None]:
    return {"2024-01-30": "a", "2024-01-31": "b", "2024-02-01": None}


@asset(name="raw/orders", deps=[files], partitions=DAYS, group="g", owners=["me", "you"], tags={"k": "v"}, kinds=["t"])
def orders(context: AssetContext) -> Annotated[pd.DataFrame, Daily]:
    """Orders by day."""
    if context.partition_key == "2024-02-01":
        return NO_DATA
    return pd.DataFrame({"n": [1, 2], "text": ["x", None]})


@asset(deps=[], name="whole")
def whole() -> pa.Table:
    return pa.table({"partition": ["own"], "n": [1.5]})


@asset
def number() -> int:
    return 3


@asset(inputs={}, deps=[orders, number])
def broken() -> int:
    raise ValueError("never")


@asset_check(asset=orders, blocking=True)
def two_rows(orders: pd.DataFrame) -> CheckResult:
    return CheckResult(passed=len(orders) == 2, metadata={"rows": len(orders)})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("views")
    defs = Definitions(assets=[files, orders, whole, number, broken], checks=[two_rows])
    with Project(defs, store=f"sqlite:///{folder}/s.db", storage=folder / "data", clock=lambda: NOW) as project:
        project.materialize()
        yield project


def rows(project: Project, sql: str) -> list[dict[str, Any]]:
    return project.catalog.query(sql).to_pylist()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_of_the_contract(project: Project, view: str) -> None:
    found = project.catalog.query(f"select * from {view} limit 0")
    assert isinstance(found, pa.Table)
    assert found.column_names[: len(VIEWS[view].split())] == VIEWS[view].split()
    assert project.catalog.query(f"select count(*) as n from main.{view}").num_rows == 1


def test_assets(project: Project) -> None:
    found = {row["asset"]: row for row in rows(project, "select * from assets")}
    assert set(found) == {"files", "raw/orders", "whole", "number", "broken"}
    order = found["raw/orders"]
    assert (order["group_name"], order["description"], order["owners"], order["kinds"]) == (
        "g",
        "Orders by day.",
        ["me", "you"],
        ["t"],
    )
    assert (order["partitioned"], order["partitions_total"], order["io_manager"]) == (True, 4, "parquet")
    assert order["code_version"].startswith("c1:")
    assert rows(project, "select tags['k'] as v from assets where asset = 'raw/orders'") == [{"v": "v"}]
    assert rows(project, "select asset from assets where list_contains(owners, 'you')") == [{"asset": "raw/orders"}]


def test_edges_partitions_and_lineage(project: Project) -> None:
    edges = {(row["upstream"], row["downstream"]) for row in rows(project, "from asset_edges")}
    assert edges == {("files", "raw/orders"), ("raw/orders", "broken"), ("number", "broken")}
    found = {(row["asset"], row["partition"]): row for row in rows(project, "from partitions")}
    assert found["raw/orders", "2024-01-30"]["state"] == "up_to_date"
    assert found["raw/orders", "2024-01-30"]["row_count"] == 2
    assert found["raw/orders", "2024-02-02"]["state"] == "waiting"
    assert found["raw/orders", "2024-02-02"]["version"] is None
    assert found["broken", None]["state"] == "failed"
    assert found["number", None]["run_id"] == found["raw/orders", "2024-01-31"]["run_id"]
    lineage = rows(project, "select * from lineage where asset = 'raw/orders' order by partition")
    assert [(row["partition"], row["upstream_asset"], row["upstream_partition"]) for row in lineage] == [
        (key, "files", key) for key in ("2024-01-30", "2024-01-31", "2024-02-01")
    ]
    assert all(row["version"] and row["upstream_version"] for row in lineage)


def test_versions_checks_runs_steps_and_events(project: Project) -> None:
    assert rows(project, "select count(*) as n from versions where asset = 'raw/orders'") == [{"n": 3}]
    assert rows(project, "select count(*) as n from versions join partitions using (version)")[0]["n"] >= 5
    checks = rows(project, "select * from checks order by partition")
    assert [(row["partition"], row["check_name"], row["passed"], row["blocking"]) for row in checks] == [
        ("2024-01-30", "two_rows", True, True),
        ("2024-01-31", "two_rows", True, True),
    ]
    (run,) = rows(project, "from runs")
    assert (run["status"], run["trigger"]) == ("failed", "api")
    assert run["started_at"] <= run["ended_at"]
    steps = rows(project, "select * from steps order by asset, partition")
    assert {row["run_id"] for row in steps} == {run["run_id"]}
    (failed,) = [row for row in steps if row["asset"] == "broken"]
    assert failed["status"] == "failed"
    assert "never" in str(failed["error"])
    kinds = {row["kind"] for row in rows(project, "from events")}
    assert {"observed", "materialized"} <= kinds
    (seqs,) = rows(project, "select count(*) as n, count(distinct seq) as d from events")
    assert seqs["n"] == seqs["d"]


def test_columns_and_freshness(project: Project) -> None:
    found = rows(project, "select column_name, nullable, description from columns where asset = 'raw/orders'")
    assert found == [
        {"column_name": "n", "nullable": False, "description": "how many"},
        {"column_name": "text", "nullable": True, "description": None},
    ]
    fresh = {row["asset"]: row for row in rows(project, "from freshness")}
    assert fresh["raw/orders"]["state"] == "none"
    assert fresh["raw/orders"]["watermark"].isoformat() == "2024-02-02T00:00:00+00:00"


def test_data_views(project: Project) -> None:
    assert rows(project, 'select partition, sum(n) as n from "data"."raw/orders" group by all order by all') == [
        {"partition": "2024-01-30", "n": 3},
        {"partition": "2024-01-31", "n": 3},
    ]
    assert project.catalog.query('from data."raw/orders"').column_names == ["n", "text", "partition"]
    assert rows(project, "select * from data.whole") == [{"partition": "own", "n": 1.5}]
    with pytest.raises(AssetflowError, match="number") as caught:
        rows(project, "select * from data.number")
    assert caught.value.exit_code == 2


def test_a_join_over_views_and_data(project: Project) -> None:
    sql = """
        with day as (select partition, count(*) as n from data."raw/orders" group by 1)
        select p.partition, p.row_count - day.n as difference
        from partitions p join day on p.partition = day.partition and p.asset = 'raw/orders' order by 1
    """
    assert [row["difference"] for row in rows(project, sql)] == [0, 0]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from nowhere",
        "select",
        "drop table versions",
        "insert into versions values (1)",
        "copy versions to 'x.csv'",
        "select * from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "attach 'x.db'",
        "install httpfs",
        "select 1; select 2",
        "",
    ],
)
def test_what_is_no_question_is_refused(project: Project, sql: str) -> None:
    with pytest.raises(AssetflowError) as caught:
        project.catalog.query(sql)
    assert caught.value.exit_code == 2


def test_a_programs_own_duckdb_reads_the_answer(project: Project) -> None:
    found = project.catalog.query("select asset, partition, state from partitions")
    assert duckdb.sql("select count(*) from found where state = 'waiting'").fetchall() == [(1,)]
    assert found.num_rows == 11


def test_lineage_documents(project: Project) -> None:
    recorded: Any = project.catalog.lineage("raw/orders", "2024-01-31").to_dict()
    assert {"nodes", "edges"} <= set(recorded)
    for node in recorded["nodes"]:
        assert {"asset", "partition", "column", "version"} <= set(node)
    for each in recorded["edges"]:
        assert {"from", "to", "kind"} <= set(each)
    assert {(node["asset"], node["partition"]) for node in recorded["nodes"]} == {
        ("raw/orders", "2024-01-31"),
        ("files", "2024-01-31"),
    }
    below: Any = project.catalog.lineage("files", direction="downstream", depth=1).to_dict()
    assert {node["asset"] for node in below["nodes"]} == {"files", "raw/orders"}
    every: Any = project.catalog.lineage("files", direction="downstream").to_dict()
    assert {node["asset"] for node in every["nodes"]} == {"files", "raw/orders", "broken"}
