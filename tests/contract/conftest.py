"""What a program outside the repository does: writes project folders and calls the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assetflow.cli.main import run


@dataclass(frozen=True)
class Outside:
    """A user's project folder, and the command as a subprocess in it."""

    folder: Path

    def write(self, file: str, text: str) -> None:
        """Write a file of the project; the indentation that all lines share is dropped."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Change one place of a file."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Call ``assetflow`` with arguments, in the project's folder unless ``cwd`` says otherwise."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ASSETFLOW_")}
        return subprocess.run(
            [sys.executable, "-m", "assetflow", *arguments],
            cwd=cwd or self.folder,
            env={**environ, **variables},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def document(self, *arguments: str, code: int = 0, cwd: Path | None = None, **variables: str) -> dict[str, Any]:
        """The one JSON document that a call prints, which has to end with ``code``."""
        done = self.run(*arguments, "--json", cwd=cwd, **variables)
        assert done.returncode == code, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Like ``Outside.document``, in this process: for the many calls of which a process each would take minutes."""

    def document(project: Outside, *arguments: str, code: int = 0, **variables: str) -> dict[str, Any]:
        capfd.readouterr()
        with monkeypatch.context() as patched:
            patched.chdir(project.folder)
            for name, value in variables.items():
                patched.setenv(name, value)
            returned = run([*arguments, "--json"])
        out, err = capfd.readouterr()
        assert returned == code, out + err
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    return document


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Outside]:
    """Makes an empty project folder by name, for all tests of the module."""
    return lambda name: Outside(tmp_path_factory.mktemp(name))
