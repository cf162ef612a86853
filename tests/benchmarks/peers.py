"""Other tools to compare with, each installed in an environment of its own under .peers/."""

from __future__ import annotations

import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

from measuring import TOP

FOLDER = TOP / ".peers"
REQUIREMENTS = {"dagster": ["dagster", "pandas", "pyarrow"], "luigi": ["luigi"]}


@dataclass(frozen=True)
class Peer:
    """An installed tool."""

    name: str
    python: Path
    version: str


def install(name: str) -> Peer:
    """The peer, installed on first use: its newest release. Raises CalledProcessError, as without a network."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[name]]
        subprocess.run(command, check=True, capture_output=True)
        (folder / "installed").touch()
    ask = f"import importlib.metadata as m; print(m.version({name!r}))"
    found = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    return Peer(name, python, found.stdout.strip())
