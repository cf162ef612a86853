"""365 days of one asset, a table of three rows each, as parquet: what one partition costs in one run.

Ours is durable: each file is fsynced before the transaction that publishes it is committed. Dagster does neither; its
asset builds all days in one call, in the run for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from measuring import Figure, in_turns, ours, run
from peers import Peer

DAYS = 365
FEWER = 20


@pytest.mark.bench
def test_partitions_in_one_run(
    peers: Mapping[str, Peer], record: Callable[[Figure], None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    def each(python: Path | str, script: str, *arguments: object) -> Callable[[], float]:
        return lambda: run(python, script, *arguments, cwd=tmp_path_factory.mktemp("days"))["each"] * 1000

    measures = {"assetflow": each(ours(), "assetflow_partitions.py", DAYS)}
    if "dagster" in peers:
        python = peers["dagster"].python
        measures["dagster, one run"] = each(python, "dagster_partitions.py", "single", DAYS)
        measures["dagster, a run each"] = each(python, "dagster_partitions.py", "each", FEWER)
    found = in_turns(measures, rounds=3)
    record(Figure("365 tiny parquet partitions, each", "ms", found.pop("assetflow"), 2.0, found))
