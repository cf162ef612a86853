"""Partitions of several dimensions: declared, planned, built, and asked for by address, range and view."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assetflow.cli.main import run
from assetflow.errors import DefinitionErrors

CODE = """
    import pandas as pd
    from assetflow import (
        AllPartitions, AssetContext, Batch, DailyPartitions, MultiPartitions, StaticPartitions, asset
    )

    days = DailyPartitions("2024-01-01", "2024-01-04", timezone="Europe/Berlin")
    cells = MultiPartitions({"day": days, "region": StaticPartitions(["north", "a|b", "SOUTH"])})

    @asset(partitions=cells)
    def readings(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"key": [context.partition_key], "hours": [
            (context.partition_end - context.partition_start).total_seconds() / 3600
        ]})

    @asset(partitions=cells, batch=Batch(max_partitions=4))
    def doubled(context: AssetContext, readings: pd.DataFrame) -> dict[str, pd.DataFrame]:
        return {key: pd.concat([part, part]) for key, part in readings.groupby("_partition")}

    @asset
    def listed(doubled: dict[str, pd.DataFrame]) -> list[str]:
        return list(doubled)
    """


@pytest.fixture
def grid(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder.root)
    folder.code(CODE)
    return folder


def asked(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_every_combination_is_built_and_found_again(grid: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert grid.run().status == "success"
    keys = [f"2024-01-0{day}|{region}" for day in (1, 2, 3) for region in ("north", "a%7Cb", "SOUTH")]
    assert sorted(grid.value("listed")) == sorted(keys)
    assert grid.value("doubled", "2024-01-02|a%7Cb")["key"].tolist() == ["2024-01-02|a%7Cb"] * 2
    assert grid.value("readings", "2024-01-03|north")["hours"].tolist() == [24.0]
    assert asked(capfd, "plan")["steps"] == []
    for address in ("readings@2024-01-02|a%257Cb", "readings@2024-01-02|a%7Cb", "readings@2024-01-02|a|b"):
        why = asked(capfd, "why", address)
        assert (why["partition"], why["state"]) == ("2024-01-02|a%7Cb", "up_to_date")
    (status,) = asked(capfd, "status", "--select", "readings")["assets"]
    assert status["partitions"]["up_to_date"] == 9
    assert status["watermark"].startswith("2024-01-04T00:00:00+01:00")
    rows = asked(capfd, "query", "select partition from partitions where asset = 'doubled'")["rows"]
    assert sorted(key for (key,) in rows) == sorted(keys)
    nodes = asked(capfd, "lineage", "doubled@2024-01-01|SOUTH")["nodes"]
    assert {("readings", "2024-01-01|SOUTH"), ("doubled", "2024-01-01|SOUTH")} <= {
        (node["asset"], node["partition"]) for node in nodes
    }


def test_ranges_and_coarser_times_select_boxes(grid: Any, capfd: pytest.CaptureFixture[str]) -> None:
    plan = asked(capfd, "plan", "--select", "readings", "--partition", "2024-01-02|north...2024-01-03|a%7Cb")
    assert plan["steps"][0]["partitions"] == {
        "count": 4,
        "ranges": [["2024-01-02|north", "2024-01-03|a%7Cb"]],
    }
    plan = asked(capfd, "plan", "--select", "readings", "--partition", "2024-01|SOUTH")
    assert plan["steps"][0]["partitions"]["ranges"] == [["2024-01-01|SOUTH", "2024-01-03|SOUTH"]]
    assert run(["plan", "--select", "readings", "--partition", "2024-01-02|east"]) == 2
    assert "2024-01-02|east" in capfd.readouterr().err


def test_another_region_builds_only_its_own_partitions(grid: Any, capfd: pytest.CaptureFixture[str]) -> None:
    grid.run()
    grid.edit('["north", "a|b", "SOUTH"]', '["west", "north", "SOUTH"]')
    steps = {step["asset"]: step for step in asked(capfd, "plan")["steps"]}
    assert steps["readings"]["partitions"]["ranges"] == [["2024-01-01|west", "2024-01-03|west"]]
    assert steps["readings"]["partitions"]["count"] == 3
    grid.run()
    assert len(grid.value("listed")) == 9
    rows = asked(capfd, "query", "select distinct partition from versions where asset = 'readings'")["rows"]
    assert len(rows) == 12


def test_one_cell_that_changes_is_all_that_is_built(grid: Any, capfd: pytest.CaptureFixture[str]) -> None:
    grid.run()
    forced = grid.run(select="readings", partitions="2024-01-02|north", force=True)
    assert forced.counts["unchanged"] == 1
    assert asked(capfd, "plan")["steps"] == []


def test_mistakes_are_told_at_load(grid: Any) -> None:
    grid.edit('["north", "a|b", "SOUTH"]', '["north", "north"]')
    with pytest.raises(DefinitionErrors) as caught:
        grid.open()
    assert "dimension 'region': the key 'north' is listed twice: keep one" in str(caught.value)


def test_a_mapping_between_other_partitions_has_to_be_stated(grid: Any) -> None:
    grid.code(CODE.replace("    @asset\n    def listed", "    @asset(partitions=days)\n    def listed"))
    with pytest.raises(DefinitionErrors) as caught:
        grid.open()
    assert "no mapping follows" in str(caught.value)
    assert "mapping=AllPartitions()" in str(caught.value)
