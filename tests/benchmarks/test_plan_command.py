"""``assetflow plan --no-observe`` on a year of weather that is up to date: a process, beyond the libraries it imports.

What the project's own modules import besides assetflow (pandas and pyarrow) is taken off: that is theirs to pay.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from measuring import TOP, Figure, environment, in_turns, ours, wall

DATA = Path(os.environ.get("ASSETFLOW_TEST_DATA", TOP.parent / "shared" / "data")) / "nyc_weather"
PROJECT = TOP / "tests" / "projects" / "nyc_weather"
LIBRARIES = "import pandas, pyarrow"


@pytest.mark.bench
def test_plan_of_an_up_to_date_project(record: Callable[[Figure], None], tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip(f"NOT MEASURED: the weather of New York is not at {DATA}; ASSETFLOW_TEST_DATA names another folder")
    root = tmp_path / "weather"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("__pycache__", ".assetflow"))
    source = {
        "NYC_WEATHER": str(DATA / "weather.csv"),
        "NYC_AIRPORTS": str(DATA / "airports.csv"),
        "NYC_MISSING_HOURS": "empty",
    }
    command = str(Path(sys.executable).parent / "assetflow")
    made = subprocess.run([command, "materialize"], cwd=root, env={**environment(), **source}, check=False)
    assert made.returncode == 0

    measures = {
        "plan": lambda: wall([command, "plan", "--no-observe"], cwd=root, extra=source),
        "libraries": lambda: wall([ours(), "-c", LIBRARIES], cwd=root),
    }
    found = in_turns(measures, rounds=9)
    beyond = (found["plan"] - found["libraries"]) * 1000
    record(Figure("plan of 9,139 partitions, up to date, beyond its libraries", "ms", beyond, 250))
