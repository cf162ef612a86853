"""What must hold before a table is published; a blocking check keeps a bad one from every reader."""

from __future__ import annotations

import pandas as pd
from assetflow import CheckResult, asset_check

from shop.assets import orders as orders_table


@asset_check(asset=orders_table, blocking=True)
def orders_of_one_day(orders: pd.DataFrame) -> CheckResult:
    """A till with a wrong clock would book orders on another day."""
    dates = sorted(orders["ordered_at"].dt.date.astype(str).unique())
    return CheckResult(passed=len(dates) == 1, metadata={"dates": dates})
