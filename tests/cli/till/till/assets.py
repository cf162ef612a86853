"""A till: a file of receipts per day, the sales of the day, their totals."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from assetflow import (
    AssetContext,
    CheckResult,
    DailyPartitions,
    Out,
    asset,
    asset_check,
    multi_asset,
    observable_source,
)
from till.rules import amount, is_sale

days = DailyPartitions("2024-01-30", end="2024-02-03")
INCOMING = Path("incoming")


@observable_source(partitions=days)
def receipts() -> dict[str, str]:
    """One file per day."""
    return {path.stem: sha256(path.read_bytes()).hexdigest() for path in INCOMING.glob("*.txt")}


@asset(partitions=days, deps=[receipts], group="daily")
def sales(context: AssetContext) -> pa.Table:
    """The sales of one day."""
    lines = [line for line in (INCOMING / f"{context.partition_key}.txt").read_text().splitlines() if is_sale(line)]
    return pa.table({"article": [line.split()[0] for line in lines], "amount": [amount(line) for line in lines]})


@asset(partitions=days, group="daily")
def takings(sales: pa.Table) -> dict[str, int]:
    """What came in on one day."""
    return {"sales": sales.num_rows, "amount": sum(sales["amount"].to_pylist())}


@multi_asset(outs={"best": Out(), "worst": Out()})
def days_ranked(takings: dict[str, dict[str, int]]) -> tuple[str, str]:
    """The days with the most and the least takings."""
    ranked = sorted(takings, key=lambda day: takings[day]["amount"])
    return ranked[-1], ranked[0]


@asset_check(asset="sales", blocking=True)
def nothing_absurd(sales: pa.Table) -> CheckResult:
    """No sale of more than a thousand."""
    highest = max(sales["amount"].to_pylist(), default=0)
    return CheckResult(passed=highest <= 1000, metadata={"highest": highest})
