from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assetflow import (
    NO_DATA,
    AssetContext,
    CheckResult,
    DailyPartitions,
    Field,
    MonthlyPartitions,
    Out,
    Project,
    Schema,
    StaticPartitions,
    asset,
    asset_check,
    multi_asset,
    observable_source,
)
from assetflow.definitions.collect import Definitions
from assetflow.errors import InvalidPartition, InvalidQuery, UnknownAsset, UnknownVersion, UsageError

NOW = datetime(2025, 3, 1, tzinfo=UTC)
DAYS = DailyPartitions("2025-01-30", end="2025-02-03")
MONTHS = MonthlyPartitions("2025-01", end="2025-03")
AWKWARD = ["../../etc/passwd", "x'; drop table assets; --", 'quo"te', "a|b@c...d", "🙂 %40", "k" * 500]

CONTRACT = """
assets(asset, group_name, description, owners, tags, kinds, partitioned, partitions_total, code_version, io_manager)
asset_edges(upstream, downstream, mapping)
partitions(asset, partition, state, version, materialized_at, row_count, byte_count, data_hash, code_version, run_id)
versions(version, asset, partition, run_id, state, created_at, published_at, row_count, byte_count, data_hash,
 code_version, location)
lineage(version, asset, partition, upstream_asset, upstream_partition, upstream_version)
columns(asset, column_name, type, nullable, description)
checks(asset, partition, version, check_name, passed, severity, blocking, metadata, checked_at)
runs(run_id, status, started_at, ended_at, trigger)
steps(run_id, asset, partition, attempt, status, queued_at, started_at, ended_at, error)
events(seq, occurred_at, kind, asset, partition, run_id, payload)
freshness(asset, state, watermark, lag_seconds)
"""


class World:
    """What the shop's sources say and what its code does; tests change it between materializations."""

    def __init__(self) -> None:
        self.files = {"2025-01-30": "1", "2025-01-31": "1", "2025-02-01": "1", "2025-02-02": None}
        self.price = {"2025-01-31": 5}
        self.broken: set[str] = set()

    def definitions(self) -> Definitions:
        world = self

        @observable_source(partitions=DAYS)
        def files() -> dict[str, str | None]:
            return dict(world.files)

        class Order(Schema):
            day: str
            price: int = Field(description="in cents")

        @asset(
            deps=[files],
            partitions=DAYS,
            schema=Order,
            group="clean",
            owners=["team:shop"],
            tags={"tier": "1"},
            kinds=["csv"],
            code_version="1",
        )
        def orders(context: AssetContext) -> pd.DataFrame:
            """All orders."""
            key = context.partition_key
            if key in world.broken:
                raise RuntimeError("the till is on fire")
            return pd.DataFrame({"day": [key], "price": [world.price.get(key, 1)]}) if key[-1] != "2" else NO_DATA

        @asset(name="shop/monthly", partitions=MONTHS, code_version="1")
        def monthly(orders: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"total": [int(orders["price"].sum())]})

        @multi_asset(outs={"best": Out(), "summary": Out()}, code_version="1")
        def reports(orders: pd.DataFrame) -> dict[str, object]:
            return {"best": orders.nlargest(1, "price"), "summary": {"orders": len(orders)}}

        @asset_check(asset=orders, blocking=True, code_version="1")
        def cheap(orders: pd.DataFrame) -> CheckResult:
            return CheckResult(passed=bool((orders["price"] < 100).all()), metadata={"rows": len(orders)})

        return Definitions(assets=[files, orders, monthly, reports], checks=[cheap])


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def project(world: World, tmp_path: Path) -> Iterator[Project]:
    definitions = world.definitions()
    with Project(
        definitions,
        store=f"sqlite:///{tmp_path}/s.db",
        storage=str(tmp_path / "data"),
        root=tmp_path,
        clock=lambda: NOW,
    ) as opened:
        yield opened


@pytest.fixture
def built(project: Project) -> Project:
    result = project.materialize()
    assert result.status == "success", result.failures
    return project


def rows(project: Project, sql: str) -> Any:
    return project.catalog.answer(sql).to_dict()["rows"]


def test_views_have_the_columns_of_the_contract(built: Project):
    for line in CONTRACT.replace("\n ", " ").strip().splitlines():
        view, columns = line.removesuffix(")").split("(")
        document = built.catalog.answer(f"select * from {view}").to_dict()
        names = columns.split(", ")
        assert document["columns"][: len(names)] == names, view
        assert document["rows"], view


def test_before_anything_ran_the_views_are_there_without_rows_of_it(project: Project):
    assert rows(project, "select distinct state from partitions order by 1") == [["missing"], ["waiting"]]
    for view in ("versions", "lineage", "checks", "runs", "steps", "events"):
        assert rows(project, f"select * from {view}") == []


def test_assets(built: Project):
    found = rows(built, "select * exclude (code_version, description) from assets where asset in ('orders', 'summary')")
    assert found == [
        ["orders", "clean", ["team:shop"], {"tier": "1"}, ["csv"], True, 4, "parquet"],
        ["summary", None, [], {}, [], False, 1, "json"],
    ]
    assert rows(built, "select description from assets where tags['tier'] = '1'") == [["All orders."]]
    assert rows(built, "select code_version is null from assets where asset = 'files'") == [[True]]


def test_edges(built: Project):
    assert rows(built, "select * from asset_edges order by all") == [
        ["files", "orders", "Identity()"],
        ["orders", "best", "AllPartitions()"],
        ["orders", "shop/monthly", "TimeWindow()"],
        ["orders", "summary", "AllPartitions()"],
    ]


def test_partitions_show_state_and_what_is_published(built: Project, world: World):
    sql = "select partition, state, row_count, version is not null from partitions where asset = 'orders' order by 1"
    assert rows(built, sql) == [
        ["2025-01-30", "up_to_date", 1, True],
        ["2025-01-31", "up_to_date", 1, True],
        ["2025-02-01", "up_to_date", 1, True],
        ["2025-02-02", "up_to_date", None, True],
    ]
    world.files["2025-01-31"] = "2"
    built.plan()
    stale = "select asset, partition from partitions where state = 'stale' order by all"
    assert rows(built, stale) == [
        ["best", None],
        ["orders", "2025-01-31"],
        ["shop/monthly", "2025-01"],
        ["summary", None],
    ]
    joined = """select count(*) from partitions p join versions v using (version, asset, data_hash)
                where p.partition is not distinct from v.partition"""
    assert rows(built, joined) == [[4 + 4 + 2 + 2]]


def test_failures_reach_partitions_steps_and_runs(project: Project, world: World):
    world.broken.add("2025-02-01")
    assert project.materialize().status == "failed"
    assert rows(project, "select partition from partitions where asset = 'orders' and state = 'failed'") == [
        ["2025-02-01"]
    ]
    [[status, error]] = rows(project, "select status, error->>'message' from steps where status = 'failed'")
    assert (status, "the till is on fire" in error) == ("failed", True)
    assert rows(project, "select status, trigger, environment from runs") == [["failed", "api", "prod"]]


def test_checks(built: Project):
    assert rows(
        built,
        """select partition, check_name, passed, severity, blocking, (metadata->>'rows')::int from checks
           where asset = 'orders' order by partition limit 1""",
    ) == [["2025-01-30", "cheap", True, "error", True, 1]]


def test_columns_carry_what_was_published_and_declared(built: Project):
    assert rows(built, "select * exclude asset from columns where asset = 'orders'") == [
        ["day", "string", False, None],
        ["price", "int64", False, "in cents"],
    ]
    assert rows(built, "select column_name, type from columns where asset = 'shop/monthly'") == [["total", "int64"]]


def test_declared_columns_are_there_before_any_data(project: Project):
    assert rows(project, "select column_name, type from columns") == [["day", "string"], ["price", "int64"]]
    assert project.catalog.query("select * from data.orders").schema.names == ["day", "price", "partition"]


def test_freshness_has_watermarks(built: Project):
    found = dict(rows(built, "select asset, watermark from freshness"))
    assert found["orders"] == "2025-02-03T00:00:00+00:00"
    assert found["summary"] is None


def test_data_views(built: Project):
    assert rows(built, "select partition, price from data.orders order by 1") == [
        ["2025-01-30", 1],
        ["2025-01-31", 5],
        ["2025-02-01", 1],
    ]
    assert rows(built, 'select partition, total from "data"."shop/monthly" order by 1') == [
        ["2025-01", 6],
        ["2025-02", 1],
    ]
    assert rows(built, "select day from data.best") == [["2025-01-31"]]
    with pytest.raises(InvalidQuery, match="summary does not read as a table: it is stored as json"):
        built.catalog.query("select * from data.summary")
    with pytest.raises(InvalidQuery, match="there is no table files"):
        built.catalog.query("select * from data.files")


def test_query_gives_arrow(built: Project):
    table = built.catalog.query("select count(*) as n from data.orders")
    assert table.to_pydict() == {"n": [3]}


def test_lineage_of_a_partition(built: Project):
    found = built.catalog.lineage("shop/monthly", "2025-01")
    assert [(node.id, node.level) for node in found.nodes] == [
        ("files@2025-01-30", -2),
        ("files@2025-01-31", -2),
        ("orders@2025-01-30", -1),
        ("orders@2025-01-31", -1),
        ("shop/monthly@2025-01", 0),
    ]
    assert {(edge.upstream, edge.downstream, edge.kind) for edge in found.edges} == {
        ("files@2025-01-30", "orders@2025-01-30", "derived"),
        ("files@2025-01-31", "orders@2025-01-31", "derived"),
        ("orders@2025-01-30", "shop/monthly@2025-01", "derived"),
        ("orders@2025-01-31", "shop/monthly@2025-01", "derived"),
    }
    assert [(entry.asset, entry.count, entry.ranges) for entry in found.summary] == [
        ("files", 2, ("2025-01-30...2025-01-31",)),
        ("orders", 2, ("2025-01-30...2025-01-31",)),
        ("shop/monthly", 1, ("2025-01",)),
    ]
    versions = {node.version for node in found.nodes}
    assert len(versions) == 5
    assert None not in versions


def test_lineage_downstream_and_both_ways(built: Project):
    found = built.catalog.lineage("orders", "2025-01-31", direction="downstream")
    assert [node.id for node in found.nodes] == ["orders@2025-01-31", "best", "shop/monthly@2025-01", "summary"]
    found = built.catalog.lineage("orders", "2025-01-31", direction="both", depth=1)
    assert [node.id for node in found.nodes][:2] == ["files@2025-01-31", "orders@2025-01-31"]
    assert len(found.edges) == 4


def test_empty_partitions_count_as_read(built: Project):
    found = built.catalog.lineage("shop/monthly", "2025-02", depth=1)
    assert [node.id for node in found.nodes] == ["orders@2025-02-01", "orders@2025-02-02", "shop/monthly@2025-02"]


def test_the_version_that_was_read_is_named_although_it_is_not_current_any_more(built: Project, world: World):
    [[old]] = rows(built, "select version from partitions where asset = 'orders' and partition = '2025-01-31'")
    world.files["2025-01-31"] = "2"
    world.price["2025-01-31"] = 7
    built.materialize("orders")
    upstream = [node.id for node in built.catalog.lineage("shop/monthly", "2025-01", depth=1).nodes]
    assert upstream == ["orders@2025-01-30", f"orders@2025-01-31#{old}", "shop/monthly@2025-01"]
    assert len(built.catalog.lineage("orders", "2025-01-31", direction="downstream").nodes) == 1
    read = "select upstream_version from lineage where asset = 'shop/monthly' and upstream_partition = '2025-01-31'"
    assert rows(built, read) == [[old]]


def test_a_rebuild_that_changes_nothing_is_followed(built: Project, world: World):
    """The monthly version stays, and what it would be made from now is what it was last found equal for."""
    world.files["2025-01-31"] = "2"
    counts = built.materialize().counts
    assert counts["materialized"] == 0
    found = built.catalog.lineage("orders", "2025-01-31")
    assert [node.id for node in found.nodes] == ["files@2025-01-31", "orders@2025-01-31"]


def test_lineage_view_agrees_with_the_graph(built: Project):
    found = built.catalog.lineage("shop/monthly", "2025-01", depth=1)
    assert rows(
        built,
        """select distinct upstream_asset, upstream_partition, upstream_version from lineage
           where asset = 'shop/monthly' and partition = '2025-01' order by 2""",
    ) == [["orders", node.partition, node.version] for node in found.nodes if node.level == -1]


def test_lineage_of_assets_is_the_declared_one(project: Project):
    found = project.catalog.lineage("summary").to_dict()
    assert [node["id"] for node in found["nodes"]] == ["files", "orders", "summary"]


def test_wrong_questions_about_lineage(project: Project):
    catalog = project.catalog
    with pytest.raises(UnknownAsset, match="there is no asset 'ordrs'"):
        catalog.lineage("ordrs")
    with pytest.raises(InvalidPartition, match=r"orders@2025-01-31 has no version, so nothing is recorded") as caught:
        catalog.lineage("orders", "2025-01-31")
    assert caught.value.hint is not None
    assert "why orders@2025-01-31" in caught.value.hint
    with pytest.raises(InvalidPartition):
        catalog.lineage("orders", "1999-01-01")
    with pytest.raises(UsageError, match="direction is 'sideways'"):
        catalog.lineage("orders", direction="sideways")
    with pytest.raises(UsageError, match="depth is -1"):
        catalog.lineage("orders", depth=-1)


def test_previews(built: Project):
    catalog = built.catalog
    table = catalog.preview("orders", "2025-01-31").to_dict()
    assert (table["kind"], table["columns"], table["rows"]) == ("table", ["day", "price"], [["2025-01-31", 5]])
    every = catalog.preview("orders", limit=2).to_dict()
    assert (every["columns"], len(every["rows"]), every["row_count"]) == (["day", "price", "partition"], 2, 3)
    assert (every["truncated"], every["version"]) == (True, None)
    value = catalog.preview("summary")
    assert (value.kind, value.value, value.text) == ("value", {"orders": 3}, '{\n  "orders": 3\n}')
    assert catalog.preview("summary", limit=1).truncated
    assert catalog.preview("orders", "2025-02-02").kind == "empty"
    assert catalog.preview("files", "2025-01-31").kind == "observed"


def test_previews_of_earlier_versions(built: Project, world: World):
    [[old]] = rows(built, "select version from partitions where asset = 'orders' and partition = '2025-01-31'")
    world.files["2025-01-31"], world.price["2025-01-31"] = "2", 7
    built.materialize("orders")
    catalog = built.catalog
    assert catalog.preview("orders", "2025-01-31").to_dict()["rows"] == [["2025-01-31", 7]]
    assert catalog.preview("orders", version=old).to_dict()["rows"] == [["2025-01-31", 5]]
    with pytest.raises(UnknownVersion, match=f"summary has no version {old}: that is one of orders"):
        catalog.preview("summary", version=old)
    with pytest.raises(UnknownVersion, match=f"orders@2025-01-30 has no version {old}"):
        catalog.preview("orders", "2025-01-30", version=old)
    with pytest.raises(UnknownVersion):
        catalog.preview("orders", version=10_000)


def test_nothing_to_preview(project: Project):
    with pytest.raises(InvalidPartition, match="summary has no version yet") as caught:
        project.catalog.preview("summary")
    assert caught.value.hint == "assetflow materialize --select summary"
    assert project.catalog.preview("orders").to_dict()["rows"] == []


def test_a_quarantined_version_shows_by_id_and_never_as_data(built: Project, world: World):
    world.files["2025-01-31"], world.price["2025-01-31"] = "2", 500
    assert built.materialize("orders").counts["quarantined"] == 1
    [[candidate, partition]] = rows(built, "select version, partition from versions where state = 'quarantined'")
    assert partition == "2025-01-31"
    assert built.catalog.preview("orders", version=candidate).to_dict()["rows"] == [["2025-01-31", 500]]
    assert rows(built, "select max(price) from data.orders") == [[5]]
    assert rows(built, "select passed from checks where version = (select max(version) from versions)") == [[False]]


def test_awkward_keys_are_data_everywhere(tmp_path: Path):
    keys = StaticPartitions(AWKWARD)

    @asset(partitions=keys, code_version="1")
    def parts(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"own": [context.partition_key]})

    @asset(partitions=keys, code_version="1")
    def copies(parts: pd.DataFrame) -> pd.DataFrame:
        return parts

    with Project([parts, copies], root=tmp_path) as project:
        assert project.materialize().status == "success"
        assert sorted(rows(project, "select partition, own from data.copies")) == sorted([key, key] for key in AWKWARD)
        for view in ("partitions", "versions"):
            found = rows(project, f"select partition from {view} where asset = 'parts'")
            assert sorted(key for [key] in found) == sorted(AWKWARD)
        for key in AWKWARD:
            [up, down] = project.catalog.lineage("copies", key).nodes
            assert (up.partition, down.partition) == (key, key)
            assert project.catalog.preview("copies", key).to_dict()["rows"] == [[key]]


def test_partitions_that_exist_no_more_are_not_shown(world: World, tmp_path: Path):
    def opened(days: DailyPartitions) -> Project:
        @asset(partitions=days, code_version="1")
        def daily(context: AssetContext) -> pd.DataFrame:
            return pd.DataFrame({"n": [1]})

        store, data = f"sqlite:///{tmp_path}/s.db", str(tmp_path / "data")
        return Project([daily], store=store, storage=data, root=tmp_path, clock=lambda: NOW)

    with opened(DAYS) as project:
        project.materialize()
    with opened(DailyPartitions("2025-02-01", end="2025-02-03")) as project:
        assert rows(project, "select partition from data.daily order by 1") == [["2025-02-01"], ["2025-02-02"]]
        assert rows(project, "select count(*) from partitions") == [[2]]
        assert rows(project, "select min(partition) from versions") == [["2025-01-30"]]


def test_what_was_recorded_of_a_removed_asset_stays(tmp_path: Path):
    store, data = f"sqlite:///{tmp_path}/s.db", str(tmp_path / "data")

    @asset(partitions=StaticPartitions(["a"]), code_version="1")
    def gone(context: AssetContext) -> int:
        return 1

    @asset(name="kept", code_version="1")
    def reading(gone: dict[str, int]) -> int:
        return 1

    @asset(name="kept", code_version="1")
    def alone() -> int:
        return 1

    with Project([gone, reading], store=store, storage=data, root=tmp_path) as project:
        project.materialize()
    with Project([alone], store=store, storage=data, root=tmp_path) as project:
        assert rows(project, "select asset, partition from versions where asset = 'gone'") == [["gone", "a"]]
        assert rows(project, "select upstream_asset, upstream_partition from lineage") == [["gone", "a"]]
