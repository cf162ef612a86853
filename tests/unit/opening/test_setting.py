"""Binding definitions to a store: ids for what is new, and clearing what dead processes left."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assetflow import Project, StaticPartitions, asset
from assetflow.opening.setting import absolute_url
from assetflow.publish.liveness import this_process
from assetflow.store.records import RunRecord


@asset(partitions=StaticPartitions(["a", "b"]))
def letters() -> object:
    return {1}


def opened(tmp_path: Path, *assets: Any, **options: Any) -> Project:
    return Project(
        list(assets) or [letters], store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data", **options
    )


def test_ids_are_the_same_each_time_and_new_for_what_is_new(tmp_path: Path) -> None:
    with opened(tmp_path) as project:
        uids, ordinal = project.setting.uids, project.setting.spaces["letters"].ordinal("b")

    @asset(partitions=StaticPartitions(["c", "b", "a"]), name="letters")
    def more() -> object:
        return {1}

    @asset
    def other() -> int:
        return 1

    with opened(tmp_path, other, more) as project:
        assert project.setting.uids["letters"] == uids["letters"]
        assert project.setting.uids["other"] != uids["letters"]
        assert project.setting.spaces["letters"].ordinal("b") == ordinal


def test_environments_have_ids_of_their_own_and_the_default_one_no_suffix(tmp_path: Path) -> None:
    with opened(tmp_path) as project, opened(tmp_path, environment="dev") as other:
        assert (project.setting.suffix, other.setting.suffix) == (None, "dev")
        assert project.setting.environment != other.setting.environment


def test_the_projections_of_the_dead_run_are_refreshed_in_its_own_environment(tmp_path: Path) -> None:
    with opened(tmp_path, environment="dev") as project:
        project.materialize()
        process = replace(this_process(), started=-1.0)
        now = datetime(2024, 1, 1, tzinfo=UTC)
        run = RunRecord("dead", project.setting.environment, "running", now, "test", process)
        project.store.writer.start_run(run).result()
    current = tmp_path / "data" / "letters" / "_current.dev.json"
    current.unlink()
    with opened(tmp_path) as project:
        assert project.setting.suffix is None
        assert project.runs()[0]["error"] == "the process died before the run ended"
    assert len(json.loads(current.read_text())["partitions"]) == 2
    assert not (tmp_path / "data" / "letters" / "_current.json").exists()


def test_paths_are_relative_to_the_project() -> None:
    assert absolute_url("sqlite:////srv/store.db", Path("/shop")) == "sqlite:////srv/store.db"
    assert absolute_url("postgresql://host/db", Path("/shop")) == "postgresql://host/db"
