"""The New York weather project, built once for all tests and copied for each that changes something."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assetflow import Project

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("ASSETFLOW_TEST_DATA", ROOT.parent / "shared" / "data")) / "nyc_weather"
PROJECT = Path(__file__).parent / "nyc_weather"
NOW = datetime(2014, 2, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Year:
    """A copy of the project with a copy of its source; opened by every call, as a command would."""

    root: Path
    missing_hours: str
    now: datetime = NOW

    @property
    def data(self) -> Path:
        return self.root / ".assetflow" / "data"

    @property
    def source(self) -> Path:
        return self.root / "incoming" / "weather.csv"

    @property
    def airports(self) -> Path:
        return self.root / "incoming" / "airports.csv"

    def open(self) -> Project:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NYC_WEATHER", str(self.source))
            patch.setenv("NYC_AIRPORTS", str(self.airports))
            patch.setenv("NYC_MISSING_HOURS", self.missing_hours)
            return Project.open(self.root)

    def edit(self, module: str, before: str, after: str) -> None:
        """Change one place of the project's code."""
        path = self.root / "weather" / f"{module}.py"
        text = path.read_text()
        assert text.count(before) == 1, f"{before!r} is to be in {path} once"
        path.write_text(text.replace(before, after))

    @property
    def first_run(self) -> dict[str, Any]:
        """The materialize document of the run that built it."""
        return json.loads((self.root / "run.json").read_text())

    def rows(self) -> pd.DataFrame:
        """The source as pandas reads it."""
        return pd.read_csv(self.source)

    def correct(self, origin: str, time_hour: str, column: str, value: float) -> None:
        """Rewrite one number of the source, and nothing else of it."""
        lines = self.source.read_text().splitlines(keepends=True)
        place = lines[0].rstrip("\n").split(",").index(column)
        found = [
            n for n, line in enumerate(lines) if line.startswith(f"{origin},") and line.endswith(f",{time_hour}\n")
        ]
        assert len(found) == 1
        cells = lines[found[0]].split(",")
        cells[place] = str(value)
        lines[found[0]] = ",".join(cells)
        self.source.write_text("".join(lines))

    def copy(self, root: Path, missing_hours: str | None = None, *, hours: tuple[str, ...] = ("2013",)) -> Year:
        """The same store and data elsewhere, of single hours only those whose keys start with ``hours``.

        Versions never change, so they are links.
        """
        year = Year(root, missing_hours or self.missing_hours)
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("data", "__pycache__"))
        for asset in self.data.iterdir():
            _link_versions(asset, year.data / asset.name, hours if asset.name == "weather_hourly" else ("",))
        return year

    def without_data(self, root: Path) -> Year:
        """The same store and code elsewhere, and no published file."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("data", "__pycache__"))
        return Year(root, self.missing_hours)


def _link_versions(folder: Path, target: Path, partitions: tuple[str, ...]) -> None:
    target.mkdir(parents=True)
    for entry in os.scandir(folder):
        if entry.name.startswith("v-"):
            os.symlink(entry.path, target / entry.name)
        elif entry.is_file():
            shutil.copy(entry.path, target / entry.name)
        elif entry.name.startswith(partitions):
            _link_versions(Path(entry.path), target / entry.name, partitions)


@pytest.fixture(scope="session")
def years(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built projects, shared by all processes of a test run."""
    if not DATA.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"the weather of New York is not at {DATA}; ASSETFLOW_TEST_DATA names another folder")
        pytest.skip(f"NOT TESTED: the weather of New York is not at {DATA}; ASSETFLOW_TEST_DATA names another folder")
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def waiting_year(years: Path) -> Year:
    """2013 built as far as the source goes, its missing hours awaited."""
    year = Year(years / "waiting", "wait")
    with _first(year) as is_first:
        if is_first:
            shutil.copytree(PROJECT, year.root, ignore=shutil.ignore_patterns("__pycache__"))
            year.source.parent.mkdir()
            shutil.copyfile(DATA / "weather.csv", year.source)
            shutil.copyfile(DATA / "airports.csv", year.airports)
            _build(year)
    return year


@pytest.fixture(scope="session")
def full_year(years: Path, waiting_year: Year) -> Year:
    """2013 built in full: the source says of its missing hours that they are empty."""
    year = Year(years / "full", "empty")
    with _first(year) as is_first:
        if is_first:
            _build(waiting_year.copy(year.root, year.missing_hours))
    return year


@pytest.fixture(scope="session")
def patchy_year(years: Path, waiting_year: Year) -> Year:
    """2013 built from the hours that are there."""
    year = Year(years / "patchy", "allow")
    with _first(year) as is_first:
        if is_first:
            _build(waiting_year.copy(year.root, year.missing_hours))
    return year


@contextmanager
def _first(year: Year) -> Iterator[bool]:
    """Whether this process is the first to ask for a project; others wait until it is built."""
    with year.root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if year.root.exists():
            assert (year.root / "run.json").exists(), "another process could not build this project"
        yield not year.root.exists()


def _build(year: Year) -> None:
    # Whether a publish survives a power cut is not asked here, and 9,000 of them are quicker without.
    with pytest.MonkeyPatch.context() as patch, year.open() as project:
        patch.setattr(os, "fsync", lambda handle: None)
        result = project.materialize(now=year.now)
    (year.root / "run.json").write_text(json.dumps(result.to_dict()))


@pytest.fixture(scope="module")
def opened(full_year: Year) -> Iterator[Project]:
    """The full year, for tests that only ask."""
    with full_year.open() as project:
        yield project
