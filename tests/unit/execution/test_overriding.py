"""Publishing what a check refused, with somebody's name on it; taking things out; and calling them otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assetflow import DailyPartitions, Definitions, Input, Project, asset, asset_check
from assetflow.errors import CheckFailed, DataMissing, UnknownAsset, UnknownVersion, UsageError

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-02-01", end="2024-02-04")


class World:
    number = 2
    limit = 10


@pytest.fixture
def world() -> World:
    return World()


def orders(world: World, name: str = "orders") -> Any:
    @asset(name=name, partitions=DAYS, code_version="1")
    def made() -> pa.Table:
        return pa.table({"n": [world.number]})

    return made


def checks(world: World, version: int = 1) -> list[Any]:
    if version == 1:

        @asset_check(asset="orders", blocking=True)
        def small(orders: pa.Table) -> bool:
            return orders["n"].to_pylist()[0] < 10
    else:

        @asset_check(asset="orders", blocking=True)
        def small(orders: pa.Table) -> bool:
            return orders["n"].to_pylist()[0] < 5 + 5

    @asset_check(asset="orders")
    def even(orders: pa.Table) -> bool:
        return orders["n"].to_pylist()[0] % 2 == 0

    return [small, even]


def total(upstream: str = "orders") -> Any:
    @asset(code_version="1", inputs={"table": Input(upstream)})
    def total(table: pa.Table) -> int:
        return sum(table["n"].to_pylist())

    return total


@pytest.fixture
def opened(world: World, tmp_path: Path) -> Callable[..., Project]:
    def open_project(*assets: Any, with_checks: Any = None) -> Project:
        return Project(
            Definitions(
                assets=list(assets) or [orders(world), total()],
                checks=(checks(world) if not assets else []) if with_checks is None else with_checks,
            ),
            store=f"sqlite:///{tmp_path}/store.db",
            storage=tmp_path / "data",
            clock=lambda: NOW,
        )

    return open_project


def refused(project: Project, world: World, number: int = 11) -> int:
    """One partition that a check refuses; its version."""
    project.materialize()
    world.number = number
    project.materialize("orders", "2024-02-02", force=True)
    (version,) = [row["version"] for row in project.versions("orders") if row["state"] == "quarantined"]
    return int(str(version))


class TestOverride:
    def test_it_is_published_and_audited(self, opened: Any, world: World) -> None:
        with opened() as project:
            version = refused(project, world)
            assert project.why("orders", "2024-02-02").state == "failed"
            moved = project.publish(version, reason="a record day")
            assert moved["published"] == [{"asset": "orders", "partition": "2024-02-02", "version": version}]
            why = project.why("orders", "2024-02-02")
            assert (why.state, why.version, why.held) == ("up_to_date", version, False)
            (note,) = why.notes
            assert note.endswith("on 2024-02-10 although small refused it: a record day")
            row = next(row for row in project.versions("orders") if row["version"] == version)
            assert (row["state"], row["current"], row["overridden"]["checks"]) == ("published", True, ["small"])
            (event,) = [r.event for r in project.store.reader.events_since(0) if r.event.kind == "overridden"]
            assert event.occurred_at == NOW
            assert "@" in str(event.payload["by"])
            assert (event.payload["reason"], event.payload["checks"]) == ("a record day", ["small"])
            shown = project.catalog.query(
                "select passed, severity from checks where check_name = 'small' and not passed"
            )
            assert shown.to_pylist() == [{"passed": False, "severity": "warn"}]

    def test_what_is_downstream_reads_it(self, opened: Any, world: World) -> None:
        with opened() as project:
            version = refused(project, world)
            assert project.load("total") == 6
            project.publish(version, reason="a record day")
            assert [step.computation for step in project.plan().steps] == ["total"]
            project.materialize()
            assert project.load("total") == 15

    def test_it_does_not_lapse_for_that_check_and_does_for_another(self, opened: Any, world: World) -> None:
        with opened() as project:
            version = refused(project, world)
            project.publish(version, reason="a record day")
            project.materialize()
            assert (project.plan().steps, project.why("orders", "2024-02-02").state) == ((), "up_to_date")
        with opened() as project:
            assert (project.plan().steps, project.why("orders", "2024-02-02").state) == ((), "up_to_date")
        with opened(orders(world), total(), with_checks=checks(world, 2)) as project:
            assert {step.certainty for step in project.plan().steps} == {"check"}
            assert project.materialize().status == "failed"
            assert project.why("orders", "2024-02-02").state == "failed"
            assert project.why("orders", "2024-02-02").version == version
            project.publish(version, reason="still a record day")
            assert project.why("orders", "2024-02-02").state == "up_to_date"

    def test_without_override_it_says_which_checks(self, opened: Any, world: World) -> None:
        with opened() as project:
            version = refused(project, world)
            with pytest.raises(CheckFailed) as caught:
                project.publish(version, override=False, reason="")
            assert caught.value.message == (
                f"version {version} of orders@2024-02-02 was refused by the blocking check small"
            )
            assert f"assetflow publish {version} --override" in str(caught.value.hint)

    def test_what_was_made_from_other_inputs_is_stale_after_it(self, opened: Any, world: World) -> None:
        """It was made from what it was made from: nobody says that it is right for today's code."""

        def changed(world: World) -> Any:
            @asset(name="orders", partitions=DAYS, code_version="2", hashing="none")
            def made() -> pa.Table:
                return pa.table({"n": [world.number]})

            return made

        with opened() as project:
            version = refused(project, world)
        with opened(changed(world), with_checks=checks(world)) as project:
            project.publish(version, reason="a record day")
            assert project.why("orders", "2024-02-02").state == "stale"

    @pytest.mark.parametrize("what", ["unknown", "published", "current", "reason"])
    def test_mistakes(self, opened: Any, world: World, what: str) -> None:
        with opened() as project:
            version = refused(project, world)
            world.number = 4
            project.materialize("orders", "2024-02-01", force=True)
            current = project.why("orders", "2024-02-01").version
            match what:
                case "unknown":
                    with pytest.raises(UnknownVersion, match="there is no version 999"):
                        project.publish(999, reason="x")
                case "published":
                    with pytest.raises(
                        UsageError, match="version 1 of orders@2024-02-01 is published: no check"
                    ) as caught:
                        project.publish(1, reason="x")
                    assert caught.value.hint == "assetflow rollback orders@2024-02-01 --to 1"
                case "current":
                    with pytest.raises(
                        UsageError, match=f"version {current} .* is what is published: no check refuses"
                    ):
                        project.publish(current, reason="x")
                case _:
                    with pytest.raises(UsageError, match="the reason is empty"):
                        project.publish(version, reason=" ")

    def test_checks_that_do_not_block_warn(self, opened: Any, world: World) -> None:
        with opened() as project:
            world.number = 3
            assert project.materialize().status == "success"
            shown = project.catalog.query("select distinct severity, passed from checks where check_name = 'even'")
            assert shown.to_pylist() == [{"severity": "error", "passed": False}]
            assert project.why("orders").state == "up_to_date"


class TestWipe:
    def test_it_is_one_publication_and_time_travel_sees_through_it(self, opened: Any, world: World) -> None:
        with opened() as project:
            project.materialize()
            before = project.store.reader.generation()
            moved = project.wipe("orders", "2024-02-02...2024-02-03", reason="personal data")
            assert project.store.reader.generation() == before + 1 == moved["generation"]
            assert len(moved["withdrawn"]) == 2
            table: Any = project.load("orders")
            assert table.num_rows == 1
            past: Any = project.load("orders", as_of=before)
            assert past.num_rows == 3
            (event,) = [r.event for r in project.store.reader.events_since(0) if r.event.kind == "wiped"]
            assert (event.payload["partitions"], event.payload["reason"]) == (
                ["2024-02-02...2024-02-03"],
                "personal data",
            )
            assert project.why("orders", "2024-02-02").state == "missing"
            counts = project.materialize().counts
            assert (counts["materialized"] >= 2, counts["reused"]) == (True, 0)

    def test_a_failure_is_forgotten_with_it(self, opened: Any, world: World) -> None:
        with opened() as project:
            refused(project, world)
            project.wipe("orders", "2024-02-02", reason="start anew")
            assert project.why("orders", "2024-02-02").state == "missing"

    def test_nothing_and_mistakes(self, opened: Any) -> None:
        with opened() as project:
            assert project.wipe("orders", reason="none there")["generation"] is None
            with pytest.raises(UsageError, match="the reason is empty"):
                project.wipe("orders", reason="")
            with pytest.raises(UsageError, match="orders"):
                project.wipe("orders", "2025-01-01", reason="x")

    def test_its_projection_follows(self, opened: Any, tmp_path: Path) -> None:
        with opened() as project:
            project.materialize()
            project.wipe("orders", "2024-02-02", reason="x")
            published = json.loads((tmp_path / "data" / "orders" / "_current.json").read_text())
            assert [each["partition"] for each in published["partitions"]] == ["2024-02-01", "2024-02-03"]


class TestRename:
    def test_history_stays_and_nothing_is_stale(self, opened: Any, world: World, tmp_path: Path) -> None:
        with opened() as project:
            run = project.materialize()
            before = project.versions("orders")
        with opened(orders(world, "sales"), total("sales"), with_checks=[]) as project:
            assert {step.computation for step in project.plan().steps} == {"sales", "total"}
            assert project.rename("orders", "sales") == {"from": "orders", "to": "sales"}
            assert project.plan().steps == ()
            assert [row["version"] for row in project.versions("sales")] == [row["version"] for row in before]
            table: Any = project.load("sales")
            assert table.num_rows == 3
            document = project.run(run.run_id)
            assert {step["asset"] for step in document["steps"]} == {"sales", "total"}
            assert [step["asset"] for step in document["plan"]["steps"]] == ["sales", "total"]
            asked = "select distinct asset from events where kind = 'materialized' order by 1"
            assert project.catalog.query(asked).column(0).to_pylist() == ["sales", "total"]
            assert not (tmp_path / "data" / "orders" / "_current.json").exists()
            published = json.loads((tmp_path / "data" / "sales" / "_current.json").read_text())
            files = [tmp_path / "data" / "sales" / file for each in published["partitions"] for file in each["files"]]
            assert len(files) == 3
            assert all(file.exists() for file in files)
            assert published["partitions"][0]["files"][0].startswith("../orders/")
            world.number = 4
            assert project.materialize("sales", force=True).counts["materialized"] == 3
        with opened(orders(world, "sales"), total("sales"), with_checks=[]) as project:
            assert project.plan("sales").steps == ()
            assert project.store.reader.integrity() == []

    def test_one_that_died_half_way_is_finished(self, opened: Any, world: World, tmp_path: Path) -> None:
        from assetflow.keys import AssetKey
        from assetflow.store.records import EventRecord

        with opened() as project:
            project.materialize()
        with opened(orders(world, "sales"), total("sales"), with_checks=[]) as project:
            assert project.setting
            project.store.writer.rename_asset(AssetKey("orders"), AssetKey("sales"), EventRecord(NOW, "renamed"))
        with opened(orders(world, "sales"), total("sales"), with_checks=[]) as project:
            project.rename("orders", "sales")
            assert (tmp_path / "data" / "sales" / "_current.json").exists()
            assert not (tmp_path / "data" / "orders" / "_current.json").exists()

    def test_mistakes(self, opened: Any, world: World) -> None:
        with opened() as project:
            project.materialize()
            for arguments, kind, message in (
                (("orders", "sales"), UnknownAsset, "no asset is called sales: rename it in the code first"),
                (("orders", "total"), UsageError, "orders is still declared"),
                (("ordrs", "total"), UnknownAsset, "nothing is recorded of an asset ordrs"),
                (("a b", "total"), UsageError, "'a b' is no asset key"),
            ):
                with pytest.raises(kind) as caught:
                    project.rename(*arguments)
                assert message in caught.value.message
        with opened(orders(world, "sales"), total("sales"), with_checks=[]) as project:
            project.materialize("sales")
            with pytest.raises(UsageError, match="sales has versions of its own"):
                project.rename("orders", "sales")


def test_a_value_without_versions_has_no_past(opened: Any) -> None:
    with opened() as project:
        project.materialize("orders", "2024-02-01")
        with pytest.raises(DataMissing, match="orders@2024-02-02 had no version at generation 1"):
            project.load("orders", "2024-02-02", as_of=1)
