"""ROWS rows of a table: into the store and storage of assetflow, and into a file by pyarrow alone, in turns."""

from __future__ import annotations

import json
import statistics
import sys
import time
from datetime import datetime
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
        "at": pa.array(random.integers(1_600_000_000, 1_700_000_000, rows) * 1_000_000, pa.timestamp("us")),
        "station": pa.array(np.array(["JFK", "LGA", "EWR", "PHL"])[random.integers(0, 4, rows)]),
        "temp": np.round(random.normal(50, 20, rows), 1),
        "count": random.integers(0, 1000, rows),
    }
)


class Reading(Schema):
    id: int
    at: datetime
    station: str
    temp: float | None
    count: int


@asset
def readings() -> Annotated[pa.Table, Reading]:
    return table


def timed(work) -> tuple[float, object]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def once(number: int) -> dict[str, float]:
    """One round: both write to new places."""
    with Project([readings], store=f"sqlite:///store-{number}.db", storage=f"data-{number}") as project:
        _ = project.setting
        alone, _ = timed(lambda: pq.write_table(table, f"alone-{number}.parquet", compression="zstd"))
        ours, result = timed(project.materialize)
        assert result.counts["materialized"] == 1
        # The table is let go of before the next one is read, which then finds the memory that it needs.
        read_alone, count = timed(lambda: pq.read_table(f"alone-{number}.parquet").num_rows)
        assert count == rows
        read_ours, count = timed(lambda: project.load("readings", as_type=pa.Table).num_rows)
        assert count == rows
    return {"alone": alone, "ours": ours, "read_alone": read_alone, "read_ours": read_ours}


once(0)
found = [once(number) for number in range(1, 6)]
print(json.dumps({name: statistics.median(each[name] for each in found) for name in found[0]}))
