"""A small project in a folder, so that a test can edit its code and its source and open it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from assetflow import Project

CONFIGURATION = '[tool.assetflow]\ndefinitions = "pipeline"\n'


@dataclass(frozen=True)
class Folder:
    """A project of one module, ``pipeline``."""

    root: Path

    def code(self, text: str) -> None:
        """Replace the whole module."""
        (self.root / "pipeline.py").write_text(dedent(text))

    def edit(self, before: str, after: str) -> None:
        """Change one place of the module."""
        text = (self.root / "pipeline.py").read_text()
        assert text.count(before) == 1, f"{before!r} is to be in the module once"
        (self.root / "pipeline.py").write_text(text.replace(before, after))

    def write(self, name: str, text: str) -> None:
        """Write a file that the module reads."""
        (self.root / name).write_text(text)

    def calls(self) -> list[str]:
        """What the module's functions wrote to the file ``calls`` since the last time."""
        path = self.root / "calls"
        found = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def open(self) -> Project:
        """The project as a new command would see it."""
        return Project.open(self.root)

    def run(self, **options: Any) -> Any:
        """Materialize; gives the result."""
        with self.open() as project:
            return project.materialize(**options)

    def steps(self, **options: Any) -> dict[str, str]:
        """What a plan would do: certainty by asset."""
        with self.open() as project:
            return {step.computation: step.certainty for step in project.plan(**options).steps}

    def value(self, asset: str, partition: str | None = None) -> Any:
        """What is published."""
        with self.open() as project:
            return project.load(asset, partition)

    def why(self, asset: str, partition: str | None = None) -> Any:
        """The explanation."""
        with self.open() as project:
            return project.why(asset, partition)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with the configuration and no code yet."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text(CONFIGURATION)
    return Folder(root)
