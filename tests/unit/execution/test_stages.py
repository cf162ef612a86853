"""Stage intents: announced before the first byte, settled when nothing came of them; foreign data is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assetflow import Project, asset
from assetflow.errors import StorageError
from assetflow.execution.stages import Stage, Stages, VersionIds
from assetflow.keys import AssetKey, VersionId


@asset
def one() -> object:
    return {1}


@pytest.fixture
def project(opened: Any) -> Any:
    with opened(one) as project:
        yield project


def staged(project: Project, count: int = 2) -> Stages:
    places = [Stage(AssetKey("one"), 0, VersionId(n), f"one/v-{n}") for n in range(1, count + 1)]
    return Stages(project.setting, "run", places)


def announced(project: Project) -> list[int]:
    return [intent.version for intent in project.store.reader.intents()]


def test_intents_are_durable_before_a_folder_is_there(project: Project) -> None:
    stages = staged(project)
    assert announced(project) == []
    folder = stages.open_folder(VersionId(1))
    assert (announced(project), folder.is_dir()) == ([1, 2], True)


def test_closing_deletes_what_was_not_finished_and_settles(project: Project) -> None:
    stages = staged(project)
    first, second = stages.open_folder(VersionId(1)), stages.open_folder(VersionId(2))
    assert stages.finish(VersionId(1)) == (1,)
    assert stages.finish(VersionId(1)) == ()
    stages.close()
    project.store.writer.flush()
    assert (first.exists(), second.exists()) == (True, False)
    assert announced(project) == [1], "that one is settled by its commit"


def test_what_another_store_has_put_there_is_neither_announced_nor_deleted(project: Project) -> None:
    foreign = project.storage.root / "one" / "v-1"
    foreign.mkdir(parents=True)
    (foreign / "data").write_text("precious")
    stages = staged(project)
    with pytest.raises(StorageError, match="the metadata store knows of no such version"):
        stages.open_folder(VersionId(1))
    assert announced(project) == [2]
    stages.close()
    assert (foreign / "data").read_text() == "precious"


def test_a_store_that_was_lost_does_not_take_the_data_along(opened: Any, tmp_path: Path) -> None:
    with opened(one) as project:
        project.materialize()
    for path in tmp_path.glob("store.db*"):
        path.unlink()
    with opened(one) as project:
        result = project.materialize()
        assert result.status == "failed"
        assert "another store" in str(result.failures[0].error["hint"])
    assert (tmp_path / "data" / "one" / "v-1" / "_manifest.json").exists()


def test_version_ids_are_reserved_in_blocks(project: Project) -> None:
    ids = VersionIds(project.setting, 3)
    taken = [ids.take() for _ in range(4)]
    assert taken == sorted(set(taken))
    assert VersionIds(project.setting, 1).take() not in taken
