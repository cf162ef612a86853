"""Plans of a million partitions and of ten thousand assets, everything published: in processes that start with nothing.

What is timed is the plan, with the store that it opens and everything that it reads; importing libraries and loading
the project's definitions are not in it. The whole command is measured apart.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from measuring import Figure, ours, run, wall
from peers import Peer

Record = Callable[[Figure], None]
SCRIPT = "assetflow_scale.py"
ROUNDS = 3
KEYS = 100_000


def project(folder: Path, shape: str, count: int = 0) -> Path:
    run_plain = [ours(), str(Path(__file__).parent / "workloads" / SCRIPT), shape, "fill", str(count)]
    wall(run_plain, cwd=folder)
    return folder


def measured(folder: Path, shape: str, *, saved: bool) -> dict[str, float]:
    """Medians; the saved state is there, or taken away before each round."""
    found: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        if not saved:
            for path in folder.glob(".assetflow/*-snapshot-*"):
                path.unlink()
        found.append(run(ours(), SCRIPT, shape, "measure", cwd=folder))
    return {name: median(each[name] for each in found) for name in found[0]}


def plan_command(folder: Path) -> float:
    command = [Path(sys.executable).parent / "assetflow", "plan", "--no-observe"]
    return median(wall(command, cwd=folder) for _ in range(ROUNDS))


@pytest.mark.bench
def test_a_million_minutes(record: Record, tmp_path: Path) -> None:
    folder = project(tmp_path, "minutes")
    cold, saved = measured(folder, "minutes", saved=False), measured(folder, "minutes", saved=True)
    what = "1,051,200 minutes, 17,520 hours, 730 days"
    record(Figure(f"{what}: the whole command `plan`", "s", plan_command(folder)))
    record(Figure(f"{what}: plan from the tables", "s", cold["plan"], 2.0))
    record(Figure(f"{what}: most memory, from the tables", "MB", cold["memory"], 300))
    record(Figure(f"{what}: most memory, from the saved state", "MB", saved["memory"], 300))
    record(Figure(f"{what}: plan from the saved state", "s", saved["plan"], 0.3))


@pytest.mark.bench
def test_static_keys(peers: Mapping[str, Peer], record: Record, tmp_path: Path) -> None:
    folder = project(tmp_path, "keys", KEYS)
    cold, saved = measured(folder, "keys", saved=False), measured(folder, "keys", saved=True)
    beside: dict[str, float] = {}
    if "dagster" in peers:
        beside["dagster"] = median(
            run(peers["dagster"].python, "dagster_keys.py", KEYS, cwd=tmp_path)["tick"] for _ in range(ROUNDS)
        )
    what = f"three assets of {KEYS:,} static keys"
    record(Figure(f"{what}: plan from the tables", "s", cold["plan"], 0.6, beside))
    record(Figure(f"{what}: plan from the saved state", "s", saved["plan"], 0.15, beside))


@pytest.mark.bench
def test_a_million_static_keys_and_their_reader(record: Record, tmp_path: Path) -> None:
    folder = project(tmp_path, "reader", 1_000_000)
    cold, saved = measured(folder, "reader", saved=False), measured(folder, "reader", saved=True)
    what = "an asset of 1,000,000 static keys, one that reads all"
    record(Figure(f"{what}: plan from the tables", "s", cold["plan"], 2.0))
    record(Figure(f"{what}: most memory, from the tables", "MB", cold["memory"], 300))
    record(Figure(f"{what}: most memory, from the saved state", "MB", saved["memory"], 300))
    record(Figure(f"{what}: plan from the saved state", "s", saved["plan"], 0.3))


@pytest.mark.bench
def test_three_dimensions(record: Record, tmp_path: Path) -> None:
    folder = project(tmp_path, "multi")
    cold, saved = measured(folder, "multi", saved=False), measured(folder, "multi", saved=True)
    what = "365 x 200 x 50 partitions"
    record(Figure(f"{what}: plan from the tables", "s", cold["plan"], 2.0 * 3.65))
    record(Figure(f"{what}: plan from the saved state", "s", saved["plan"], 0.3 * 3.65))


@pytest.mark.bench
def test_a_hundred_assets(record: Record, tmp_path: Path) -> None:
    folder = project(tmp_path, "hundred")
    saved = measured(folder, "hundred", saved=True)
    what = "100 assets of 10,000 partitions"
    record(Figure(f"{what}: plan again", "ms", saved["warm"] * 1000, 200))
    record(Figure(f"{what}: plan after an edit of the last one's code", "ms", saved["edited"] * 1000, 200))
    record(Figure(f"{what}: plan after 1% of the first changed", "ms", saved["changed"] * 1000, 200))
    record(Figure(f"{what}: plan after 1% of each changed", "ms", saved["changed everywhere"] * 1000, 200))


@pytest.mark.bench
@pytest.mark.parametrize("shape", ["assets", "chain"])
def test_ten_thousand_assets(shape: str, record: Record, tmp_path: Path) -> None:
    folder = project(tmp_path, shape, 10_000)
    found = measured(folder, shape, saved=True)
    what = "10,000 assets and 29,986 edges" if shape == "assets" else "a chain of 10,000 assets"
    record(Figure(f"{what}: first plan", "s", found["plan"], 2.0))
    record(Figure(f"{what}: plan again", "s", found["warm"], 0.3))
