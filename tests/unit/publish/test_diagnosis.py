"""What doctor finds, and what it mends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assetflow import Project, StaticPartitions, asset
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.liveness import this_process
from assetflow.store.records import RunRecord, StageIntent

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def opened(tmp_path: Path, *keys: str) -> Project:
    @asset(partitions=StaticPartitions(keys))
    def letters() -> object:
        return {1}

    return Project([letters], store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data")


def found(project: Project) -> list[tuple[str, str]]:
    return [(each.level, each.subject) for each in project.doctor() if each.level in ("warning", "error")]


def folder_of(project: Project, key: str) -> Path:
    (row,) = project.versions("letters", key)
    return project.storage.root / "letters" / key / f"v-{row['version']}"


def data_file(folder: Path) -> Path:
    (file,) = (path for path in folder.iterdir() if path.name != "_manifest.json")
    return file


def leave(project: Project, version: int) -> Path:
    """A run of a dead process with a half-written version."""
    setting = project.setting
    run = RunRecord("dead", setting.environment, "running", NOW, "test", replace(this_process(), started=-1.0))
    location = f"letters/a/v-{version}"
    intent = StageIntent(VersionId(version), setting.uids[AssetKey("letters")], 1, "dead", location, NOW)
    setting.writer.start_run(run)
    setting.writer.announce([intent]).result()
    return setting.storage.create(location)


def test_a_whole_project_has_no_findings(tmp_path: Path) -> None:
    with opened(tmp_path, "a", "b") as project:
        project.materialize()
        assert found(project) == []
        assert "2 published versions looked at" in [each.message for each in project.doctor()]


def test_lost_and_shortened_files_are_named_and_force_mends_them(tmp_path: Path) -> None:
    with opened(tmp_path, "a", "b", "c") as project:
        project.materialize()
        data_file(folder_of(project, "a")).unlink()
        data_file(folder_of(project, "b")).write_bytes(b"")
        (finding,) = (each for each in project.doctor() if each.level == "error")
        assert finding.message == "the data files of letters@a, letters@b are missing or cut short"
        assert finding.hint == "assetflow materialize --select letters --force"
        project.materialize("letters", force=True)
        assert found(project) == []


def test_partitions_that_are_no_longer_declared_are_not_looked_at(tmp_path: Path) -> None:
    with opened(tmp_path, "a", "b") as project:
        project.materialize()
        data_file(folder_of(project, "b")).unlink()
    with opened(tmp_path, "a") as project:
        assert found(project) == []


def test_what_dead_processes_left_is_cleared_and_told_once(tmp_path: Path) -> None:
    with opened(tmp_path, "a") as project:
        project.materialize()
        leave(project, 99)
        (told,) = (each for each in project.doctor() if each.cleaned)
        assert told.message == "1 half-written versions and 1 runs of dead processes were cleared"
        assert not [each for each in project.doctor() if each.cleaned]


def test_what_cannot_be_cleared_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, "a") as project:
        project.materialize()
        folder = leave(project, 99)

        def refused(path: Any) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("assetflow.publish.folders.shutil.rmtree", refused)
        assert found(project) == [("warning", "recovery")]
        monkeypatch.undo()
        assert found(project) == []
        assert not folder.exists()
