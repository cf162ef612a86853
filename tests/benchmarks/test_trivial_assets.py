"""1,000 assets that do nothing but add: what one asset costs, planning and recording included.

Ours is a first ``materialize()`` of an opened project: plan, run, publish into a durable store, and the wait until all
of it is committed. Dagster runs fewer assets, for time; both keep what they recorded on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from measuring import Figure, in_turns, ours, run
from peers import Peer

COUNT = 1_000
FEWER = 100


@pytest.mark.bench
@pytest.mark.parametrize("shape", ["chain", "fan_out"])
def test_trivial_assets(
    shape: str, peers: Mapping[str, Peer], record: Callable[[Figure], None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    def each(python: Path | str, script: str, count: int) -> Callable[[], float]:
        return lambda: run(python, script, shape, count, cwd=tmp_path_factory.mktemp(shape))["each"] * 1000

    measures = {"assetflow": each(ours(), "assetflow_trivial.py", COUNT)}
    if "luigi" in peers:
        measures["luigi"] = each(peers["luigi"].python, "luigi_trivial.py", COUNT)
    found = in_turns(measures, rounds=5)
    if "dagster" in peers:
        script = each(peers["dagster"].python, "dagster_trivial.py", FEWER)
        found |= in_turns({"dagster": script}, rounds=3)
    median = found.pop("assetflow")
    record(Figure(f"1,000 trivial assets ({shape.replace('_', '-')}), each", "ms", median, 0.5, found))
