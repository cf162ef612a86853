"""assetflow: declare datasets as functions; it knows what is stale and why, rebuilds just that, publishes it whole.

Every public name is imported only when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assetflow.definitions.batch import Batch
    from assetflow.definitions.checks import CheckResult
    from assetflow.definitions.collect import Definitions
    from assetflow.definitions.context import AssetContext
    from assetflow.definitions.decorators import asset, asset_check, multi_asset, observable_source
    from assetflow.definitions.freshness import FreshnessPolicy
    from assetflow.definitions.inputs import Input, Out
    from assetflow.definitions.retries import RetryPolicy
    from assetflow.definitions.schema import Field, Schema
    from assetflow.definitions.values import NO_DATA
    from assetflow.errors import AssetflowError
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
    from assetflow.project import Project
    from assetflow.results import materialize

    __version__: str

__all__ = [
    "NO_DATA",
    "AllPartitions",
    "AssetContext",
    "AssetflowError",
    "Batch",
    "CheckResult",
    "CronPartitions",
    "DailyPartitions",
    "Definitions",
    "DimensionMapping",
    "DynamicPartitions",
    "Field",
    "FreshnessPolicy",
    "HourlyPartitions",
    "Identity",
    "Input",
    "LastN",
    "MonthlyPartitions",
    "MultiPartitions",
    "Out",
    "PartitionMapping",
    "Project",
    "RetryPolicy",
    "Schema",
    "StaticMapping",
    "StaticPartitions",
    "TimeWindow",
    "WeeklyPartitions",
    "__version__",
    "asset",
    "asset_check",
    "materialize",
    "multi_asset",
    "observable_source",
]

_HOMES = {
    "assetflow.definitions.batch": ("Batch",),
    "assetflow.definitions.checks": ("CheckResult",),
    "assetflow.definitions.collect": ("Definitions",),
    "assetflow.definitions.context": ("AssetContext",),
    "assetflow.definitions.decorators": ("asset", "asset_check", "multi_asset", "observable_source"),
    "assetflow.definitions.freshness": ("FreshnessPolicy",),
    "assetflow.definitions.inputs": ("Input", "Out"),
    "assetflow.definitions.retries": ("RetryPolicy",),
    "assetflow.definitions.schema": ("Field", "Schema"),
    "assetflow.definitions.values": ("NO_DATA",),
    "assetflow.errors": ("AssetflowError",),
    "assetflow.partitions.cron_partitions": ("CronPartitions",),
    "assetflow.partitions.definitions": (
        "DailyPartitions",
        "HourlyPartitions",
        "MonthlyPartitions",
        "StaticPartitions",
        "WeeklyPartitions",
    ),
    "assetflow.partitions.dimension_mapping": ("DimensionMapping",),
    "assetflow.partitions.dynamic_partitions": ("DynamicPartitions",),
    "assetflow.partitions.keyed": ("PartitionMapping", "StaticMapping"),
    "assetflow.partitions.mappings": ("AllPartitions", "Identity", "LastN", "TimeWindow"),
    "assetflow.partitions.multi_partitions": ("MultiPartitions",),
    "assetflow.project": ("Project",),
    "assetflow.results": ("materialize",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("assetflow")
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module 'assetflow' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
