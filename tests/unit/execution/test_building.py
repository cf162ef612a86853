"""What attempts are handed: schemas of tables without rows, also of what was published a moment ago."""

from __future__ import annotations

from threading import Event
from typing import Any

import pandas as pd
import pytest

from assetflow import NO_DATA, AssetContext, StaticPartitions, asset
from assetflow.store.writer import Writer

KEYS = StaticPartitions(["a", "b", "c"])


@asset(partitions=KEYS)
def orders(context: AssetContext) -> Any:
    return NO_DATA if context.partition_key != "c" else pd.DataFrame({"price": [1]})


@asset(partitions=KEYS)
def stock(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"pieces": [1]})


@asset(partitions=KEYS)
def report(orders: pd.DataFrame, stock: pd.DataFrame) -> list[str]:
    return [*orders.columns, *stock.columns]


def test_a_table_without_rows_has_the_columns_of_one_whose_commit_is_still_on_its_way(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Event()
    take = Writer._take  # pyright: ignore[reportPrivateUsage]
    flush = Writer.flush

    def slow(writer: Writer) -> Any:
        hold.wait(0.2)
        return take(writer)

    def released(writer: Writer) -> None:
        hold.set()
        flush(writer)
        hold.clear()

    monkeypatch.setattr(Writer, "_take", slow)
    monkeypatch.setattr(Writer, "flush", released)
    with opened(stock, orders, report) as project:
        assert project.materialize().status == "success"
        assert project.load("report") == {key: ["price", "pieces"] for key in ("a", "b", "c")}
