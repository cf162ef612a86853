"""A small project whose files a test writes, and the command line run on it as a user would.

Every command is held to what holds for all of them: with ``--json`` stdout is one document, and whatever goes wrong is
told as an error, never as a fault of assetflow or a bare traceback.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assetflow.cli.main import run

PYPROJECT = '[tool.assetflow]\ndefinitions = "shop"\n'
HEADER = "import pandas as pd\nimport pyarrow as pa\nfrom assetflow import *\n\n"


@dataclass(frozen=True)
class Said:
    """What a command answered; ``document`` is stdout read as JSON, where that was asked for."""

    code: int
    out: str
    err: str
    document: dict[str, Any] | None = None

    @property
    def error(self) -> dict[str, Any]:
        """The fields of the error document."""
        assert self.document is not None
        assert list(self.document) == ["error"], self.document
        return self.document["error"]

    @property
    def failures(self) -> dict[str, dict[str, Any]]:
        """Of a run: the error of each asset partition that failed, by address."""
        assert self.document is not None
        return {f"{f['asset']}@{f['partition'] or ''}".rstrip("@"): f["error"] for f in self.document["failures"]}


@dataclass
class Shop:
    """The project: its folder, and the commands run in it."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def write(self, text: str, file: str = "shop.py", *, header: str = HEADER) -> Path:
        """Write a file of the project; a Python file begins with ``header``."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((header if file.endswith(".py") else "") + textwrap.dedent(text))
        return path

    def place(self, text: str, file: str = "shop.py") -> str:
        """Where the first line that holds a text is, as errors tell it."""
        lines = (self.folder / file).read_text().splitlines()
        return f"{file}:{next(number for number, line in enumerate(lines, 1) if text in line)}"

    def run(self, command: str | list[str]) -> Said:
        """Run a command in this process."""
        arguments = shlex.split(command) if isinstance(command, str) else command
        self.capture.readouterr()
        code = run(arguments)
        out, err = self.capture.readouterr()
        return judged(Said(code, out, err, json.loads(out) if "--json" in arguments else None))

    def start(self, command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "assetflow", *shlex.split(command)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def end(self, process: subprocess.Popen[str]) -> Said:
        """What a started command said in the end."""
        with process:
            out, err = process.communicate(timeout=60)
        as_document = "--json" in process.args  # type: ignore[operator]
        return judged(Said(process.returncode, out, err, json.loads(out) if as_document else None))

    def published(self) -> dict[str, str]:
        """Every published file with its content, and what the catalog says is current."""
        files = sorted(path for path in (self.folder / ".assetflow" / "data").rglob("v-*/*") if path.is_file())
        found = {str(path.relative_to(self.folder)): path.read_bytes().hex() for path in files}
        rows = self.run("query 'select asset, partition, version from partitions order by all' --json").document
        assert rows is not None
        return {**found, "current": json.dumps(rows["rows"])}


def judged(said: Said) -> Said:
    """Refuse what no user should ever see."""
    lines = [*said.out.splitlines(), *said.err.splitlines()]
    assert not any(line.startswith(("Traceback (most recent call last)", "Exception ignored")) for line in lines), lines
    assert "fault of assetflow itself" not in said.err, said.err
    if said.code in (1, 2) and said.document is not None and "error" in said.document:
        assert said.error["message"]
        assert any(line.startswith("error: ") for line in said.err.splitlines()), said.err
    return said


@pytest.fixture
def shop(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """An empty project whose definitions are the module ``shop``."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)
    return Shop(folder, capfd)
