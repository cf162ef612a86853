"""CONTRACT, "Selection" and ``--partition``: which assets and which partitions a request means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from assetflow import (
    AssetContext,
    AssetflowError,
    DailyPartitions,
    HourlyPartitions,
    MonthlyPartitions,
    Project,
    StaticPartitions,
    asset,
    observable_source,
)
from assetflow.errors import UnknownAsset, UsageError

NOW = datetime(2024, 3, 2, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-03-01")


@observable_source(name="raw/files", partitions=DAYS, group="raw", owners=["team:in"])
def files() -> dict[str, str]:
    return {f"2024-{month:02}-{day:02}": "1" for month in (1, 2) for day in range(1, 32)}


@asset(name="raw/orders", deps=[files], partitions=DAYS, group="raw", tags={"pii": "yes"}, owners=["team:in"])
def orders(context: AssetContext) -> int:
    return 1


@asset(name="raw/customers", group="raw", kinds=["table"])
def customers() -> int:
    return 1


@asset(inputs={}, deps=[orders, customers], partitions=DAYS, group="core", tags={"pii": "no"}, owners=["a@b.c"])
def daily(context: AssetContext) -> int:
    return 1


@asset(partitions=MonthlyPartitions("2024-01", end="2024-03"), group="core")
def monthly(daily: dict[str, int]) -> int:
    return 1


@asset
def summary(monthly: dict[str, int]) -> int:
    return 1


@asset(partitions=StaticPartitions(["a...b", "2024-02-01", "z"]))
def lettered(context: AssetContext) -> int:
    return 1


DECLARED = [files, orders, customers, daily, monthly, summary, lettered]


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    with Project(DECLARED, clock=lambda: NOW) as project:
        project.materialize("raw/*")
        yield project


def planned(project: Project, select: str, partitions: Any = None) -> dict[str, Any]:
    """By asset: how many partitions would be built, None for all of an unpartitioned one."""
    steps: Any = project.plan(select, partitions, force=True).to_dict()["steps"]
    return {step["asset"]: step["partitions"] and step["partitions"]["count"] for step in steps}


EVERY = {"raw/orders", "raw/customers", "daily", "monthly", "summary", "lettered"}


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("daily", {"daily"}),
        ("raw/*", {"raw/orders", "raw/customers"}),
        ("*", EVERY),
        ("+daily", {"raw/orders", "raw/customers", "daily"}),
        ("daily+", {"daily", "monthly", "summary"}),
        ("1+monthly", {"daily", "monthly"}),
        ("2+monthly+1", {"raw/orders", "raw/customers", "daily", "monthly", "summary"}),
        ("daily+1", {"daily", "monthly"}),
        ("+daily+", EVERY - {"lettered"}),
        ("group:raw", {"raw/orders", "raw/customers"}),
        ("tag:pii=yes", {"raw/orders"}),
        ("owner:team:in", {"raw/orders"}),
        ("owner:a@b.c", {"daily"}),
        ("kind:table", {"raw/customers"}),
        ("group:core+1", {"daily", "monthly", "summary"}),
        ("+group:core", {"raw/orders", "raw/customers", "daily", "monthly"}),
        ("status:missing", EVERY - {"raw/orders", "raw/customers"}),
        ("+status:missing", EVERY),
        ("not *", set()),
        ("not group:raw", EVERY - {"raw/orders", "raw/customers"}),
        ("daily or monthly and summary", {"daily"}),
        ("(daily or monthly) and group:core", {"daily", "monthly"}),
        ("daily or not daily", EVERY),
        ("not daily and not monthly and not summary", {"raw/orders", "raw/customers", "lettered"}),
        ("not (daily or monthly)", EVERY - {"daily", "monthly"}),
        ("+daily and not raw/customers", {"raw/orders", "daily"}),
        ("raw/orders or lettered", {"raw/orders", "lettered"}),
    ],
)
def test_what_an_expression_selects(project: Project, select: str, expected: set[str]) -> None:
    found = project.plan(select, force=True).to_dict()
    steps = {step["asset"] for step in found["steps"]}  # type: ignore[attr-defined]
    status = {row["asset"] for row in project.status(select).to_dict()["assets"] if row["kind"] != "source"}  # type: ignore[attr-defined]

    assert (steps, status) == (expected, expected)


@pytest.mark.parametrize("select", ["daly", "raw/order", "daily or daly", "raw2/*", "+nothing"])
def test_an_unknown_asset_is_refused_with_the_nearest_names(project: Project, select: str) -> None:
    with pytest.raises(UnknownAsset) as caught:
        project.plan(select)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.parametrize(
    "select", ["daily daily", "and", "(daily", "daily)", "not", "daily and", "+", "colour:red", "tag:pii", "a-b", "@"]
)
def test_what_cannot_be_read_is_a_usage_error(project: Project, select: str) -> None:
    with pytest.raises(UsageError):
        project.plan(select)


@pytest.mark.parametrize("select", ["group:nowhere", "tag:pii=maybe", "owner:nobody", "kind:nothing", "status:bad"])
def test_an_attribute_that_nothing_has_is_a_usage_error(project: Project, select: str) -> None:
    with pytest.raises(UsageError):
        project.plan(select)


@pytest.mark.parametrize(
    ("select", "partitions", "expected"),
    [
        ("daily", "2024-02-01", {"daily": 1}),
        ("daily", "2024-02", {"daily": 29}),
        ("daily", "2024-01...2024-02-02", {"daily": 4}),
        ("daily", "2024-01-31...2024-02-02", {"daily": 3}),
        ("daily", ["2024-01-31", "2024-02-02"], {"daily": 2}),
        ("daily", [("2024-01-31", "2024-02-02")], {"daily": 3}),
        ("*", "2024-02", {"raw/orders": 29, "daily": 29, "monthly": 1, "raw/customers": None, "summary": None}),
        ("*", "2024-02-01", {"raw/orders": 1, "daily": 1, "raw/customers": None, "summary": None, "lettered": 1}),
        ("+monthly", "2024-02", {"raw/orders": 29, "raw/customers": None, "daily": 29, "monthly": 1}),
        ("daily+", "2024-01", {"daily": 2, "monthly": 1, "summary": None}),
        ("1+monthly", "2024-01", {"daily": 2, "monthly": 1}),
        ("lettered", "a%2E%2E%2Eb", {"lettered": 1}),
        ("lettered", [("a...b", "2024-02-01")], {"lettered": 2}),
        ("lettered", "a%2E%2E%2Eb...z", {"lettered": 3}),
        ("daily or summary", "2024-02-01", {"daily": 1, "summary": None}),
        ("daily or lettered", "z", {"lettered": 1}),
    ],
)
def test_what_a_partition_keeps(project: Project, select: str, partitions: Any, expected: dict[str, Any]) -> None:
    assert planned(project, select, partitions) == expected


@pytest.mark.parametrize("partitions", ["1999-01-01", "2024-02-30", "nonsense", "2025-01", "2024-02-02...2024-02-01"])
def test_no_match_at_all_is_a_usage_error(project: Project, partitions: str) -> None:
    with pytest.raises(UsageError) as caught:
        project.plan("daily", partitions)
    assert caught.value.exit_code == 2


def test_stale_upstreams_outside_give_no_step_but_are_listed(project: Project) -> None:
    plan = project.plan("monthly or summary").to_dict()

    assert (plan["outside"], [step["asset"] for step in plan["steps"]]) == (["daily"], ["summary"])  # type: ignore[attr-defined]
    assert project.plan("daily").to_dict()["outside"] == []


def test_what_lacks_a_loaded_upstream_outside_waits_and_keeps_its_state() -> None:
    @asset
    def up() -> int:
        return 1

    @asset
    def down(up: int) -> int:
        return up

    with Project([up, down]) as fresh:
        plan = fresh.plan("down").to_dict()
        assert (plan["steps"], plan["outside"]) == ([], ["up"])
        assert plan["waiting"] == [{"asset": "down", "partitions": None, "for": ["up"]}]
        assert fresh.why("down").state == "missing"
        result = fresh.materialize("down")
        assert (result.status, result.run_id) == ("success", None)
        assert result.counts["waiting"] == 1


def test_a_key_of_hours_by_a_day_and_by_the_local_form() -> None:
    @asset(partitions=HourlyPartitions("2013-11-02", end="2013-11-05", timezone="America/New_York"))
    def hourly() -> int:
        return 1

    with Project([hourly], clock=lambda: NOW) as project:
        assert planned(project, "hourly", "2013-11-03") == {"hourly": 25}
        assert planned(project, "hourly", "2013-11") == {"hourly": 73}
        assert planned(project, "hourly", "2013-11-03T02:00") == {"hourly": 1}
        assert planned(project, "hourly", "2013-11-03T01:00-04:00") == {"hourly": 1}
        assert planned(project, "hourly", "2013-11-03T01:00-04:00...2013-11-03T01:00-05:00") == {"hourly": 2}
        with pytest.raises(AssetflowError) as caught:
            project.plan("hourly", "2013-11-03T01:00")
        assert "2013-11-03T01:00-04:00" in str(caught.value)
        assert "2013-11-03T01:00-05:00" in str(caught.value)


def test_a_partition_that_does_not_exist_yet_is_said_so() -> None:
    @asset(partitions=DailyPartitions("2024-01-01"))
    def open_ended() -> int:
        return 1

    with Project([open_ended], clock=lambda: datetime(2024, 1, 5, 12, tzinfo=UTC)) as project:
        assert planned(project, "open_ended") == {"open_ended": 4}
        assert planned(project, "open_ended", "2024-01") == {"open_ended": 4}
        with pytest.raises(UsageError):
            project.plan("open_ended", "2024-01-05")
        with pytest.raises(UsageError, match="2024-01-05"):
            project.why("open_ended", "2024-01-05")


def test_a_status_selects_by_what_partitions_are_in() -> None:
    broken = [True]

    @asset(code_version="1")
    def fails() -> int:
        if broken[0]:
            raise ValueError("no")
        return 1

    @asset(code_version="1")
    def fine() -> int:
        return 1

    @asset
    def below(fails: int) -> int:
        return fails

    with Project([fails, fine, below]) as project:
        project.materialize()
        named = {
            state: [row["asset"] for row in project.status(f"status:{state}").to_dict()["assets"]]  # type: ignore[attr-defined]
            for state in ("failed", "missing", "stale", "waiting")
        }
    assert named == {"failed": ["fails"], "missing": ["below"], "stale": [], "waiting": []}


def test_a_multi_asset_is_selected_as_a_whole() -> None:
    from assetflow import Out, multi_asset

    @multi_asset(outs={"a": Out(), "b": Out()})
    def both() -> tuple[int, int]:
        return 1, 2

    with Project([both]) as project:
        (step,) = project.plan("a").to_dict()["steps"]  # type: ignore[misc,attr-defined]
    assert (step["asset"], step["outputs"]) == ("both", ["a", "b"])
