"""A power failure between any two operations of the publish protocol: what was published is there, whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="which file is synced is read from /proc")


def drive(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    driver = Path(__file__).parent / "power_driver.py"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSETFLOW_")}
    return subprocess.run(
        [sys.executable, str(driver), str(folder), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=3_600,
        env=environment,
        check=False,
    )


def test_what_was_published_outlives_the_power(tmp_path: Path) -> None:
    done = drive(tmp_path, 40, 0)

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert int(done.stdout.split()[-1]) > 100, "the protocol has more moments than that"


def test_versions_that_are_not_synced_do_not(tmp_path: Path) -> None:
    done = drive(tmp_path, 5, 100, "careless")

    assert done.returncode == 1
    assert done.stdout.startswith("broken at moment")


@pytest.mark.soak
@pytest.mark.parametrize("share", range(4))
def test_every_moment(share: int, tmp_path: Path) -> None:
    done = drive(tmp_path, 4, share)

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
