"""What a type checker makes of declarations: each decorated function keeps its own type. Checked, never run."""

from __future__ import annotations

from typing import Annotated, assert_type

import pandas as pd

from assetflow import (
    NO_DATA,
    AssetContext,
    Batch,
    CheckResult,
    DailyPartitions,
    Definitions,
    Field,
    Input,
    LastN,
    Out,
    Schema,
    asset,
    asset_check,
    multi_asset,
    observable_source,
)

days = DailyPartitions("2024-01-01", timezone="America/New_York")


class Daily(Schema):
    origin: str
    temp_max: float | None = Field(ge=-60, le=140)


@observable_source(partitions=days, min_interval="15m")
def files() -> dict[str, str | None]:
    return {"2024-01-01": "a", "2024-01-02": None}


@asset
def bare(rate: float, limit: int = 3) -> float:
    return rate * limit


@asset(partitions=days, deps=[files, Input("bare", missing="allow")], owners=["team"], batch=Batch(max_partitions=3))
def daily(context: AssetContext, hourly: pd.DataFrame) -> Annotated[pd.DataFrame, Daily]:
    if context.partition_key == "2024-01-01":
        return NO_DATA
    return hourly


@multi_asset(outs={"low": Out(), "high": Out(schema=Daily)}, inputs={"x": Input(daily, mapping=LastN(3))})
def bounds(x: pd.DataFrame) -> tuple[int, pd.DataFrame]:
    return 1, x


@asset_check(asset=daily, blocking=True)
def some(daily: pd.DataFrame) -> CheckResult:
    return CheckResult(passed=len(daily) > 0, metadata={"rows": len(daily)})


assert_type(bare(1.5), float)
assert_type(bare(rate=1.5, limit=2), float)
assert_type(bounds(pd.DataFrame()), tuple[int, pd.DataFrame])
assert_type(files(), dict[str, str | None])
assert_type(some(pd.DataFrame()), CheckResult)
bare("x")  # pyright: ignore[reportArgumentType]
bare()  # pyright: ignore[reportCallIssue]
asset(partition=days)  # pyright: ignore[reportCallIssue]
asset(hashing="sorted")  # pyright: ignore[reportArgumentType]
asset_check(blocking=True)  # pyright: ignore[reportCallIssue]

defs = Definitions(assets=[files, bare, daily, bounds], checks=[some])
