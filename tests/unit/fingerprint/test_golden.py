"""The fingerprints of a sample project are the same on every Python, today and in every later release.

If this fails, everything that users have built becomes stale with the next upgrade. A change on purpose takes
a new scheme prefix; only then is ``golden/expected.json`` written anew (by ``golden/show.py``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

HERE = Path(__file__).parent / "golden"
REPOSITORY = Path(__file__).parents[3]
VERSIONS = ["3.11", "3.12", "3.13", "3.14"]


def interpreters(version: str) -> Iterator[str]:
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        yield sys.executable
    if found := which(f"python{version}"):
        yield found
    for folder in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*")):
        yield str(folder / "bin" / "python")


def starts(python: str) -> bool:
    # A pyenv shim exists for every version that any environment has, and then refuses to run.
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_fingerprints_are_the_same_on_every_python(version: str) -> None:
    python = next(filter(starts, interpreters(version)), None)
    if python is None:
        pytest.skip(f"no Python {version} here")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, "-W", "error", str(HERE / "show.py")], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
