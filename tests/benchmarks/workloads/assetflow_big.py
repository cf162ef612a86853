"""A table of ROWS rows: through assetflow into its store and storage, and through pyarrow alone, in one process."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assetflow import Project, Schema, asset

rows = int(sys.argv[1])
random = np.random.default_rng(7)
table = pa.table(
    {
        "id": np.arange(rows, dtype=np.int64),
        "at": pa.array(random.integers(1_600_000_000, 1_700_000_000, rows) * 1_000_000, pa.timestamp("us", "UTC")),
        "station": pa.array(np.array(["JFK", "LGA", "EWR", "PHL"])[random.integers(0, 4, rows)]),
        "temp": np.round(random.normal(50, 20, rows), 1),
        "count": random.integers(0, 1000, rows, dtype=np.int32),
    }
)


class Reading(Schema):
    id: int
    station: str
    temp: float | None


@asset
def readings() -> Annotated[pa.Table, Reading]:
    return table


def timed(work) -> tuple[float, object]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


with Project([readings], store="sqlite:///store.db", storage="data") as project:
    _ = project.setting
    alone, _ = timed(lambda: pq.write_table(table, "alone.parquet", compression="zstd"))
    ours, result = timed(project.materialize)
    assert result.counts["materialized"] == 1
    read_alone, read = timed(lambda: pq.read_table("alone.parquet"))
    read_ours, loaded = timed(lambda: project.load("readings", as_type=pa.Table))
    assert loaded.num_rows == read.num_rows == rows
print(json.dumps({"alone": alone, "ours": ours, "read_alone": read_alone, "read_ours": read_ours}))
