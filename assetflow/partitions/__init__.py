"""Partitions: what users declare, the ordinals that stand for them inside, and the mappings between them."""

from __future__ import annotations

from assetflow.partitions.cron_partitions import CronPartitions
from assetflow.partitions.definitions import (
    DailyPartitions,
    HourlyPartitions,
    MonthlyPartitions,
    StaticPartitions,
    WeeklyPartitions,
)
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.dynamic_partitions import DynamicPartitions
from assetflow.partitions.keyed import PartitionMapping, StaticMapping
from assetflow.partitions.mappings import AllPartitions, Identity, LastN, TimeWindow
from assetflow.partitions.multi_partitions import MultiPartitions

__all__ = [
    "AllPartitions",
    "CronPartitions",
    "DailyPartitions",
    "DimensionMapping",
    "DynamicPartitions",
    "HourlyPartitions",
    "Identity",
    "LastN",
    "MonthlyPartitions",
    "MultiPartitions",
    "PartitionMapping",
    "StaticMapping",
    "StaticPartitions",
    "TimeWindow",
    "WeeklyPartitions",
]
