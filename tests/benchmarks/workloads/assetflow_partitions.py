"""COUNT days of one asset in assetflow, a tiny table each, in one run."""

from __future__ import annotations

import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path

from assetflow import Project

count = int(sys.argv[1])
end = date(2013, 1, 1) + timedelta(days=count)
Path("daily.py").write_text(
    f"""
import pandas as pd

from assetflow import AssetContext, DailyPartitions, Definitions, asset


@asset(partitions=DailyPartitions("2013-01-01", end="{end}"))
def daily(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({{"day": [context.partition_key] * 3, "value": [1.0, 2.0, 3.0]}})


defs = Definitions(assets=[daily])
"""
)
Path("pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "daily:defs"\n')
with Project.open(".") as project:
    _ = project.setting
    began = time.perf_counter()
    result = project.materialize()
    ended = time.perf_counter()
    assert result.counts["materialized"] == count
print(json.dumps({"each": (ended - began) / count}))
