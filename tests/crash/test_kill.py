"""SIGKILL between any two operations of the publish protocol: readers have the old version or the new one, whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SHARES = 4
_STRIDE = 16
"""Every fourth moment is tried here, each of them by the long test below."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("share", range(_SHARES))
def test_readers_see_old_or_new_and_the_next_run_cleans_up(share: int, tmp_path: Path) -> None:
    driver = Path(__file__).parent / "driver.py"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSETFLOW_")}
    done = subprocess.run(
        [sys.executable, str(driver), str(tmp_path), str(_STRIDE), str(share * _SHARES)],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    last = int(done.stdout.split()[-1])
    assert last > 100, "the protocol has more moments than that: the points are not being reached"


@pytest.mark.soak
@pytest.mark.parametrize("attempt", range(5))
def test_every_moment_several_times(attempt: int, tmp_path: Path) -> None:
    """Threads interleave differently each time: the same number names another moment."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "driver.py"), str(tmp_path), "1", "0"],
        capture_output=True,
        text=True,
        timeout=3_600,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
