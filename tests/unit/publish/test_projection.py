"""Bringing ``_current.json`` up to the pointers, whatever has become of the definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assetflow import DailyPartitions, MonthlyPartitions, Project, StaticPartitions, asset
from assetflow.keys import AssetKey
from assetflow.publish.projection import has_projection, project_all, project_current

LETTERS = AssetKey("letters")


def opened(tmp_path: Path, partitions: Any = None, **options: Any) -> Project:
    @asset(name="letters", partitions=partitions)
    def letters() -> object:
        return {1}

    return Project([letters], store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data", **options)


def listed(tmp_path: Path, name: str = "_current.json") -> list[str | None]:
    document = json.loads((tmp_path / "data" / "letters" / name).read_text())
    return [entry["partition"] for entry in document["partitions"]]


def test_a_lost_projection_comes_back(tmp_path: Path) -> None:
    with opened(tmp_path, StaticPartitions(["a", "b"])) as project:
        project.materialize()
        path = project.storage.root / "letters" / "_current.json"
        before = path.read_bytes()
        path.unlink()
        assert not has_projection(project.setting, LETTERS)
        project_all(project.setting)
        assert path.read_bytes() == before


def test_each_environment_has_its_own(tmp_path: Path) -> None:
    with opened(tmp_path, environment="dev") as project:
        project.materialize()
        assert has_projection(project.setting, LETTERS)
    assert listed(tmp_path, "_current.dev.json") == [None]
    with opened(tmp_path) as project:
        assert not has_projection(project.setting, LETTERS)


def test_only_partitions_of_the_present_definition_are_listed(tmp_path: Path) -> None:
    with opened(tmp_path, StaticPartitions(["a", "b"])) as project:
        project.materialize()
    for partitions, expected in (
        (StaticPartitions(["b"]), ["b"]),
        (None, []),
        (MonthlyPartitions("2024-01"), []),
        (DailyPartitions("2024-01-01"), []),
    ):
        with opened(tmp_path, partitions) as project:
            project_current(project.setting, LETTERS, {})
        assert listed(tmp_path) == expected
