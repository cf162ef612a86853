"""Windows between the ticks of a cron expression: declared, planned, built, and asked for after the ticks changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assetflow.cli.main import run
from assetflow.errors import DefinitionErrors

CODE = """
    from assetflow import AssetContext, CronPartitions, DailyPartitions, asset

    days = DailyPartitions("2024-12-20", "2025-01-01", timezone="America/New_York")
    closings = CronPartitions(
        "0 17 * * mon-fri", "2024-12-20", "2024-12-31", timezone="America/New_York", exclude=["2024-12-25"]
    )

    @asset(partitions=days)
    def sales() -> int:
        return 1

    @asset(partitions=closings)
    def closing(context: AssetContext, sales: dict[str, int]) -> list[str]:
        return [context.partition_start.isoformat(), context.partition_end.isoformat(), *sales]

    @asset(partitions=closings)
    def report(closing: list[str]) -> int:
        return len(closing)
    """


@pytest.fixture
def shop(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder.root)
    folder.code(CODE)
    return folder


def asked(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_windows_are_built_from_the_days_that_they_touch(shop: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert shop.run().status == "success"
    assert shop.value("closing", "2024-12-24T17:00") == [
        "2024-12-24T17:00:00-05:00",
        "2024-12-26T17:00:00-05:00",
        "2024-12-24",
        "2024-12-25",
        "2024-12-26",
    ]
    assert shop.value("report", "2024-12-24T17:00-05:00") == 5
    assert asked(capfd, "plan")["steps"] == []
    (status,) = asked(capfd, "status", "--select", "closing")["assets"]
    assert status["partitions"]["up_to_date"] == 5
    assert status["watermark"].startswith("2024-12-30T17:00:00-05:00")
    lineage = asked(capfd, "lineage", "report@2024-12-24T17:00")
    assert {"closing", "sales"} <= {node["asset"] for node in lineage["nodes"]}


def test_a_coarser_time_names_the_windows_that_begin_in_it(shop: Any, capfd: pytest.CaptureFixture[str]) -> None:
    plan = asked(capfd, "plan", "--select", "+closing", "--partition", "2024-12-24")
    assert [step["partitions"]["ranges"] for step in plan["steps"] if step["asset"] == "closing"] == [
        [["2024-12-24T17:00-05:00", "2024-12-24T17:00-05:00"]]
    ]
    assert run(["plan", "--select", "closing", "--partition", "2024-12-25"]) == 2
    assert "2024-12-25" in capfd.readouterr().err


def test_another_expression_builds_only_the_windows_that_are_new(shop: Any, capfd: pytest.CaptureFixture[str]) -> None:
    shop.run()
    shop.edit('"0 17 * * mon-fri"', '"0 12,17 * * mon-fri"')
    plan = asked(capfd, "plan", "--select", "closing")
    ranges = [step["partitions"]["ranges"] for step in plan["steps"] if step["asset"] == "closing"]
    assert ranges == [[[f"2024-12-{day}T12:00-05:00"] * 2 for day in (20, 23, 24, 26, 27, 30)]]
    assert shop.run().status == "success"
    shop.edit('"0 12,17 * * mon-fri"', '"0 12 * * mon-fri"')
    shop.run()
    (status,) = asked(capfd, "status", "--select", "closing")["assets"]
    assert status["partitions"]["total"] == status["partitions"]["up_to_date"] == 5
    assert asked(capfd, "query", "select count(*) from partitions where asset = 'closing'")["rows"] == [[5]]


def test_a_cron_expression_that_is_none_is_told_at_load(shop: Any) -> None:
    shop.edit('"0 17 * * mon-fri"', '"0 25 * * mon-fri"')
    with pytest.raises(DefinitionErrors) as caught:
        shop.open()
    assert "cron '0 25 * * mon-fri': hour '25' is not from 0 to 23" in str(caught.value)
