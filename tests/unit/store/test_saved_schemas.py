"""Stores that earlier versions of assetflow saved are migrated, and say what they said."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from assetflow import Project
from assetflow.store import opening, tables
from assetflow.store.opening import open_store
from tests.unit.store import saved_project

SAVED = Path(__file__).parent / "saved"
TABLES = ("assets", "pointers", "versions", "derivations", "derivation_inputs", "pointer_log", "events", "runs")


@pytest.fixture(params=[1, 2], ids=["schema 1", "schema 2"])
def schema(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def database(tmp_path: Path, schema: int) -> Path:
    return Path(shutil.copy(SAVED / f"schema_{schema:04}.db", tmp_path / "store.db"))


@pytest.fixture
def project(database: Path) -> Iterator[Project]:
    folder = database.parent
    with Project(
        saved_project.definitions,
        store=f"sqlite:///{database}",
        storage=folder / "data",
        root=folder,
        clock=lambda: saved_project.NOW,
    ) as project:
        yield project


def rows(database: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(database)
    found = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    connection.close()
    return found


def test_the_saved_store_is_one_of_its_schema(database: Path, schema: int) -> None:
    connection = sqlite3.connect(database)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (f"{schema:04}",)
    assert connection.execute("SELECT count(*) FROM pointers").fetchone() == (35,)
    connection.close()


def test_it_is_migrated_and_loses_nothing(database: Path, schema: int) -> None:
    before = rows(database)
    store = open_store(f"sqlite:///{database}")
    assert store.reader.integrity() == []
    assert store.reader.dynamic() == {}
    store.close()
    after = rows(database)
    # A run of before had one worker, and nobody asked to cancel it.
    assert after.pop("runs") == [(*row, 0, "inline", 1, None) for row in before.pop("runs")]
    if schema == 1:
        # Which space the ordinals of an asset are in is not known before it is opened.
        assert after.pop("assets") == [(*row, None) for row in before.pop("assets")]
    assert after == before
    with sqlite3.connect(database) as migrated, sqlite3.connect(":memory:") as made:
        assert migrated.execute("SELECT version_num FROM alembic_version").fetchone() == (f"{opening.SCHEMA:04}",)
        made.executescript(tables.sqlite_ddl())
        query = "SELECT name FROM sqlite_master ORDER BY name"
        assert migrated.execute(query).fetchall() == made.execute(query).fetchall()
    migrated.close()
    made.close()


def test_what_was_planned_is_planned_and_what_was_published_is_read(project: Project) -> None:
    plan = project.plan()
    assert (plan.steps, plan.waiting, plan.notes) == ((), (), ())
    assert project.load("total") == 31
    assert project.load("regional", "../x") == "../X"
    assert project.load("cells", "2024-01-03|south") == "2024-01-03|south"
    assert len(project.versions("cells")) == 21
    assert [len(project.run(str(run["run_id"]))["steps"]) for run in project.runs()] == [1, 32]  # type: ignore[arg-type]
    edges = project.catalog.lineage("total", direction="upstream").to_dict()["edges"]
    assert len(edges) == 3  # type: ignore[arg-type]


def test_what_changes_is_built_as_before(project: Project) -> None:
    made = project.materialize("daily", "2024-01-05", force=True)
    assert made.counts["unchanged"] == 1
    assert project.plan().steps == ()


def test_what_is_opened_takes_on_the_space_of_its_ordinals(project: Project) -> None:
    assert dict(project.setting.reader.spaces_of().values()) == {
        "feed": "keys",
        "regional": "keys",
        "daily": "day",
        "cells": "multi(day,keys)",
        "total": "whole",
    }
