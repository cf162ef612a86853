"""Ground rules of every test: no configuration from outside, and generated cases that repeat from run to run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres_server import Server, started_or_skipped

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Doctests are looked for in every Python file; a project used as input of a test is not one of ours."""
    is_test = collection_path.name.startswith("test_") or collection_path.name == "conftest.py"
    return True if collection_path.suffix == ".py" and not is_test else None


@pytest.fixture(autouse=True)
def no_outside_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the variables that override a project's configuration."""
    for name in [name for name in os.environ if name.startswith("ASSETFLOW_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real server; tests that need one are skipped where it cannot be started, and fail in CI."""
    yield from started_or_skipped()


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new store, on each of the databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: Server = request.getfixturevalue("postgres")
    return server.fresh()
