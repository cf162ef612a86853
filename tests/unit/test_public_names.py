from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import assetflow

PUBLIC = [
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


def test_the_public_names_are_these() -> None:
    assert sorted(assetflow.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(assetflow))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported(name: str) -> None:
    value = getattr(assetflow, name)
    assert getattr(assetflow, name) is value
    assert getattr(value, "__name__", name) in (name, "Field")


def test_the_type_checker_is_shown_the_same_names() -> None:
    source = Path(assetflow.__file__).read_text()
    shown = source.split("if TYPE_CHECKING:")[1].split("__all__")[0]
    assert all(name in shown for name in PUBLIC)


def test_the_version_is_the_distributions() -> None:
    assert assetflow.__version__ == version("assetflow")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'assetflow' has no attribute 'AutomationCondition'"):
        _ = assetflow.AutomationCondition  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    code = "import assetflow, sys; print([name for name in sys.modules if name.startswith('assetflow.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
