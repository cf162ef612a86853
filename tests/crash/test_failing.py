"""Each operation on disk or store fails once: a clear message, the old data whole, and the next run completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = ("full", "broken", "locked")
WHENS = ("before", "after")


def drive(folder: Path, stride: int, offset: int, kind: str, when: str) -> None:
    driver = Path(__file__).parent / "failing_driver.py"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSETFLOW_")}
    done = subprocess.run(
        [sys.executable, str(driver), *map(str, (folder, stride, offset, kind, when))],
        capture_output=True,
        text=True,
        timeout=3_600,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert int(done.stdout.split()[-1]) > 100, "the run has more operations than that"


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_is_told_and_loses_nothing(kind: str, when: str, tmp_path: Path) -> None:
    # Each case takes other operations.
    drive(tmp_path, 36, 6 * KINDS.index(kind) + WHENS.index(when), kind, when)


@pytest.mark.soak
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_fails(kind: str, when: str, tmp_path: Path) -> None:
    drive(tmp_path, 1, 0, kind, when)
