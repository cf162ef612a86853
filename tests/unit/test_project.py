"""Opening a project from declared assets: where it lies, and requests that are refused at once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from assetflow import Project, asset
from assetflow.errors import UsageError


@asset
def one() -> object:
    return {1}


def test_a_relative_root_is_taken_from_where_the_project_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    with Project([one], root="sub", store="sqlite:///store.db", storage="data") as project:
        assert project.materialize().status == "success"
        monkeypatch.chdir("/")
        assert project.load("one") == {1}
    assert {path.name for path in (tmp_path / "sub").iterdir()} >= {"store.db", "data"}


@pytest.mark.parametrize("given", [{"store": "sqlite:///store.db"}, {"storage": "data"}])
def test_a_store_without_its_storage_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"needs stor.*= too"):
        Project([one], root=tmp_path, **given)


@pytest.mark.parametrize("name", ["", "a b", "../x", "9", "dév", "x" * 64])
def test_a_name_that_cannot_be_an_environment_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name for an environment"):
        Project([one], environment=name)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with Project([one]) as project, pytest.raises(UsageError, match="has no time zone"):
        project.plan(now=datetime(2024, 1, 1))


def test_a_temporary_project_leaves_nothing_behind() -> None:
    with Project([one]) as project:
        project.materialize()
        folder = project.storage.root.parent
        assert folder.exists()
    assert not folder.exists()
