"""CONTRACT, "IO managers": a manager that somebody else has written, given in the definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assetflow import AssetContext, AssetflowError, DailyPartitions, Definitions, Project, asset
from assetflow.io import InputContext, IOManager, OutputContext, StagedOutput


class Text:
    """Texts as files, one after the other."""

    name = "text"
    versioned = True
    external = False
    cross_process = True
    types: tuple[type, ...] = (str,)

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        (context.folder() / "value.txt").write_text(str(value), encoding="utf-8")
        return StagedOutput(storage="text", files=("value.txt",))

    def load(self, context: InputContext, expected_type: type) -> object:
        return "".join(each.file().path.read_text(encoding="utf-8") for each in context.partitions)


class OnePlace(Text):
    """Keeps no earlier versions."""

    name = "one_place"
    versioned = False


@asset(io_manager="text", partitions=DailyPartitions("2024-01-01", end="2024-01-03"))
def note(context: AssetContext) -> str:
    return context.partition_key


@asset
def length(note: dict[str, str]) -> int:
    return sum(map(len, note.values()))


@asset(io_manager="one_place")
def kept() -> str:
    return "hi"


def opened(folder: Path, *declared: Any, environment: str = "prod", **managers: Any) -> Project:
    return Project(
        Definitions(assets=list(declared), io_managers=managers),
        store=f"sqlite:///{folder}/s.db",
        storage=folder / "data",
        environment=environment,
    )


def test_values_go_through_a_manager_of_the_project(tmp_path: Path) -> None:
    assert isinstance(Text(), IOManager)
    with opened(tmp_path, note, length, text=Text()) as project:
        assert project.materialize().counts["materialized"] == 3
        assert (project.load("note", "2024-01-02"), project.load("length")) == ("2024-01-02", 20)
        assert project.plan().steps == ()
        assert project.materialize("note", force=True).counts["unchanged"] == 2
        found = project.catalog.query("select distinct io_manager from assets where asset = 'note'").to_pylist()
        assert found == [{"io_manager": "text"}]
    assert len(list((tmp_path / "data" / "note").rglob("value.txt"))) == 2


def test_a_manager_without_versions_refuses_rollback_and_other_environments(tmp_path: Path) -> None:
    with opened(tmp_path, kept, one_place=OnePlace()) as project:
        project.materialize()
        (version,) = (row["version"] for row in project.versions("kept"))
        with pytest.raises(AssetflowError, match="one_place"):
            project.rollback("kept", to=version)  # type: ignore[arg-type]
    with pytest.raises(AssetflowError, match=r"'one_place' keeps no versions.*'dev'") as caught:
        opened(tmp_path, kept, environment="dev", one_place=OnePlace())
    assert caught.value.exit_code == 2


def test_a_manager_that_is_not_there_or_lacks_methods_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetflowError, match="note") as caught:
        opened(tmp_path, note, txt=Text())
    assert "txt" in str(caught.value), "the nearest name is offered"
    with pytest.raises(AssetflowError, match="text"):
        opened(tmp_path, note, text=object())


def test_a_manager_that_fails_fails_its_partition_only(tmp_path: Path) -> None:
    class Failing(Text):
        def stage(self, context: OutputContext, value: object) -> StagedOutput:
            if context.partition == "2024-01-01":
                raise OSError("no route")
            return super().stage(context, value)

    with opened(tmp_path, note, length, text=Failing()) as project:
        result = project.materialize()
    assert {name: number for name, number in result.counts.items() if number} == {
        "materialized": 1,
        "failed": 1,
        "blocked": 1,
    }
    assert "no route" in str(result.failures[0].error["message"])
