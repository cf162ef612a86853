"""CONTRACT, ``DynamicPartitions(name)``: keys added by CLI, through the project and through the context of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from assetflow import Project
from tests.contract.conftest import Outside
from tests.contract.test_contract_keys import HELL

PROJECT = """
    from assetflow import AssetContext, DailyPartitions, DynamicPartitions, MultiPartitions, asset

    customers = DynamicPartitions("customers")

    @asset
    def discover(context: AssetContext) -> int:
        context.add_partitions("customers", ["found"])
        return 1

    @asset(partitions=customers)
    def orders(context: AssetContext) -> str:
        return context.partition_key

    @asset(partitions=customers)
    def invoices(orders: str) -> str:
        return orders

    @asset(partitions=MultiPartitions({"day": DailyPartitions("2024-01-01", end="2024-01-02"), "customer": customers}))
    def cells(context: AssetContext) -> str:
        return context.partition_key

    @asset
    def overview(invoices: dict[str, str], cells: dict[str, str]) -> dict[str, list[str]]:
        return {"invoices": list(invoices), "cells": list(cells.values())}
"""


@pytest.fixture
def trade(outside: Callable[[str], Outside]) -> Outside:
    project = outside("trade")
    project.write("pyproject.toml", '[tool.assetflow]\ndefinitions = "trade"\n')
    project.write("trade.py", PROJECT)
    return project


def test_keys_from_everywhere_are_planned_and_built(trade: Outside, inside: Callable[..., dict[str, Any]]) -> None:
    assert inside(trade, "partitions", "add", "customers", "cli")["added"] == ["cli"]
    with Project.open(trade.folder) as project:
        assert project.add_partitions("customers", ["python", "cli"]) == ["python"]
    first = inside(trade, "materialize")
    assert (first["status"], first["counts"]["materialized"], first["added"]) == ("success", 8, {"customers": 1})
    plan = inside(trade, "plan")
    assert {step["asset"]: step["partitions"] for step in plan["steps"]} == {
        "orders": {"count": 1, "ranges": [["found", "found"]]},
        "invoices": {"count": 1, "ranges": [["found", "found"]]},
        "cells": {"count": 1, "ranges": [["2024-01-01|found", "2024-01-01|found"]]},
        "overview": None,
    }
    assert inside(trade, "materialize")["counts"]["materialized"] == 4
    assert inside(trade, "show", "overview")["value"]["invoices"] == ["cli", "python", "found"]
    assert inside(trade, "plan", "--partition", "pyton", code=2)["error"]["hint"].endswith("did you mean python?")
    assert inside(trade, "why", "orders@pyton", code=2)["error"]["hint"] == "did you mean python?"
    assert inside(trade, "partitions", "remove", "customers", "cli", code=2)["error"]["type"] == "PartitionInUse"
    assert inside(trade, "partitions", "remove", "customers", "cli", "--force")["count"] == 2
    assert inside(trade, "materialize")["counts"]["materialized"] == 1


def test_any_text_is_a_key(trade: Outside, inside: Callable[..., dict[str, Any]]) -> None:
    with Project.open(trade.folder) as project:
        assert project.add_partitions("customers", HELL) == HELL
    plan = inside(trade, "materialize", "--select", "orders or invoices or cells")
    assert plan["counts"]["materialized"] == 3 * len(HELL)
    assert inside(trade, "partitions", "list", "customers")["keys"] == HELL
    rows = inside(trade, "query", "select partition from partitions where asset = 'orders'")["rows"]
    assert [row[0] for row in rows] == HELL
    with Project.open(trade.folder) as project:
        assert [project.load("invoices", key) for key in HELL] == HELL
        assert project.plan("orders or invoices or cells").steps == ()


def test_processes_that_add_at_the_same_time_lose_nothing(trade: Outside) -> None:
    def add(number: int) -> list[str]:
        own = [f"{number}-{each}" for each in range(20)]
        done = trade.run("partitions", "add", "customers", "shared", *own, "--json")
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout)["added"])

    with ThreadPoolExecutor(4) as pool:
        added = [key for keys in pool.map(add, range(4)) for key in keys]
    assert len(added) == len(set(added)) == 81
    with Project.open(trade.folder) as project:
        assert sorted(project.partitions("customers")) == sorted(added)
