"""SIGKILL between any two operations of a rollback, an override, a wipe and a gc: all of it happened, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("operation", ["rollback", "rollback_run", "gc", "wipe", "override"])
def test_what_is_live_has_its_files_and_the_rest_is_found_again(operation: str, tmp_path: Path) -> None:
    kill_all_along(operation, tmp_path, 11)


@pytest.mark.soak
@pytest.mark.parametrize("operation", ["rollback", "rollback_run", "gc", "wipe", "override"])
def test_every_moment(operation: str, tmp_path: Path) -> None:
    kill_all_along(operation, tmp_path, 1)


def kill_all_along(operation: str, tmp_path: Path, stride: int) -> None:
    driver = Path(__file__).parent / "versions_driver.py"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSETFLOW_")}
    done = subprocess.run(
        [sys.executable, str(driver), str(tmp_path), operation, str(stride)],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert int(done.stdout.split()[-1]) > 15, "the operations have more moments than that: they are not being reached"
