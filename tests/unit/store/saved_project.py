"""The project whose store was saved by each earlier schema, ``saved/schema_*.db``; code versions are stated."""

from __future__ import annotations

from datetime import UTC, datetime

from assetflow import (
    AllPartitions,
    AssetContext,
    DailyPartitions,
    Definitions,
    Input,
    MultiPartitions,
    StaticPartitions,
    asset,
    asset_check,
    observable_source,
)

NOW = datetime(2024, 1, 8, 12, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-01")
REGIONS = StaticPartitions(["north", "south", "../x"])


@observable_source(partitions=REGIONS)
def feed() -> dict[str, str | None]:
    return {"north": "1", "south": "2", "../x": None}


@asset(partitions=REGIONS, deps=[feed], code_version="1")
def regional(context: AssetContext) -> str:
    return context.partition_key.upper()


@asset(partitions=DAYS, code_version="1")
def daily(context: AssetContext) -> int:
    return context.partition_start.day


@asset(partitions=MultiPartitions({"day": DAYS, "region": REGIONS}), code_version="1")
def cells(context: AssetContext) -> str:
    return context.partition_key


@asset(inputs={"daily": Input("daily", AllPartitions())}, code_version="1")
def total(daily: dict[str, int], regional: dict[str, str]) -> int:
    return sum(daily.values()) + len(regional)


@asset_check(asset="total", code_version="1")
def positive(total: int) -> bool:
    return total > 0


definitions = Definitions(assets=[feed, regional, daily, cells, total], checks=[positive])
