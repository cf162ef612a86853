"""The hours, days and months of 2013 as New York's clocks show them."""

from __future__ import annotations

from assetflow import DailyPartitions, HourlyPartitions, MonthlyPartitions

ZONE = "America/New_York"

hours = HourlyPartitions("2013-01-01", end="2014-01-01", timezone=ZONE)
days = DailyPartitions("2013-01-01", end="2014-01-01", timezone=ZONE)
months = MonthlyPartitions("2013-01", end="2014-01", timezone=ZONE)
