"""The days and months that the shop's data covers. Leave `end` out to go on for ever."""

from __future__ import annotations

from assetflow import DailyPartitions, MonthlyPartitions

days = DailyPartitions("2025-01-01", end="2025-03-01")
months = MonthlyPartitions("2025-01", end="2025-03")
