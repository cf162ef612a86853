"""``_current.json`` while a run goes on: it may lag behind a commit, but not behind the end of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assetflow import AssetContext, StaticPartitions, asset
from assetflow.execution import projection
from assetflow.execution.projection import CurrentFiles
from assetflow.keys import AssetKey


@asset(hashing="none")
def one() -> object:
    return {1}


@asset(partitions=StaticPartitions(["a", "b"]), hashing="none")
def letter(context: AssetContext) -> object:
    return {context.partition_key}


def named(root: Path, key: str) -> set[int]:
    return {entry["version"] for entry in json.loads((root / key / "_current.json").read_text())["partitions"]}


def test_a_commit_that_is_still_on_its_way_when_it_is_written_is_not_forgotten(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "_SECONDS", 0.0)  # as if every step took longer
    with opened(one, letter) as project:
        for _ in range(5):
            project.materialize(force=True)
            for key in ("one", "letter"):
                assert named(project.storage.root, key) == {
                    row["version"] for row in project.versions(key) if row["current"]
                }


class Ticket:
    """A commit that is on its way until it is told to be done."""

    answered_at = None

    committed = False

    def done(self) -> bool:
        return self.committed

    def result(self, timeout: float | None = None) -> int:
        raise AssertionError("nobody waits for it")


def test_an_asset_lags_until_its_last_commit_was_there_when_it_was_written(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(projection, "project_current", lambda setting, asset, known: written.append(asset))
    with opened(one) as project:
        current = CurrentFiles(project.setting, {})
        ticket = Ticket()
        current.moved(AssetKey("one"), ticket, with_files=True)
        current.refresh()
        current.refresh()
        assert written == ["one", "one"]
        ticket.committed = True
        current.refresh()
        current.refresh()
        assert written == ["one", "one", "one"]


def test_values_without_files_have_no_projection_unless_there_was_one(opened: Any) -> None:
    @asset(name="one", code_version="plain")
    def plain() -> int:
        return 1

    with opened(plain) as project:
        project.materialize()
        assert not (project.storage.root / "one").exists()
    with opened(one) as project:
        project.materialize()
        assert len(named(project.storage.root, "one")) == 1
    with opened(plain) as project:
        project.materialize()
        (entry,) = json.loads((project.storage.root / "one" / "_current.json").read_text())["partitions"]
        assert (entry["version"], entry["files"]) == (project.why("one").version, [])
