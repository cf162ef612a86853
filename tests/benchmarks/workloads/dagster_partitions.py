"""MODE COUNT: days of one asset in Dagster, a tiny parquet file each, in one run ("single") or a run each ("each")."""

import json
import logging
import os
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import dagster
import pandas as pd

logging.disable(logging.CRITICAL)
mode, count = sys.argv[1], int(sys.argv[2])
end = date(2013, 1, 1) + timedelta(days=count)
days = dagster.DailyPartitionsDefinition("2013-01-01", end_date=str(end))


class Parquet(dagster.IOManager):
    def handle_output(self, context: dagster.OutputContext, obj: dict[str, pd.DataFrame]) -> None:
        for key, table in obj.items():
            table.to_parquet(Path("data") / f"{key}.parquet", compression="zstd")

    def load_input(self, context: dagster.InputContext) -> object:
        raise NotImplementedError


policy = dagster.BackfillPolicy.single_run() if mode == "single" else None


@dagster.asset(partitions_def=days, backfill_policy=policy, io_manager_key="parquet")
def daily(context: dagster.AssetExecutionContext) -> dict[str, pd.DataFrame]:
    return {key: pd.DataFrame({"day": [key] * 3, "value": [1.0, 2.0, 3.0]}) for key in context.partition_keys}


os.environ["DAGSTER_HOME"] = os.getcwd()
Path("data").mkdir()
resources = {"parquet": Parquet()}
keys = days.get_partition_keys()
with dagster.DagsterInstance.get() as instance:
    began = time.perf_counter()
    if mode == "single":
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        assert dagster.materialize([daily], instance=instance, resources=resources, tags=tags).success
    else:
        for key in keys:
            assert dagster.materialize([daily], instance=instance, resources=resources, partition_key=key).success
    ended = time.perf_counter()
    assert len(instance.get_materialized_partitions(daily.key)) == count == len(list(Path("data").iterdir()))
print(json.dumps({"each": (ended - began) / count}))
