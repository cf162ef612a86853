"""What an IO manager holds besides files is let go of when a staged version will not be published."""

from __future__ import annotations

from pathlib import Path

from assetflow import Out, Project, asset, multi_asset
from assetflow.io import InputContext, OutputContext, StagedOutput

HELD: dict[int, object] = {}
VALUES = {"left": "a", "fails": ""}


class Holding:
    """Keeps values in a place of its own."""

    name = "holding"
    versioned = True
    external = False
    cross_process = True
    types = (object,)

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        HELD[context.version] = value
        return StagedOutput(storage="holding/1", inline="null")

    def load(self, context: InputContext, expected_type: type) -> object:
        return HELD[context.partitions[0].version]

    def discard(self, context: OutputContext, staged: StagedOutput) -> None:
        del HELD[context.version]


@asset(io_manager="holding")
def value() -> str:
    return VALUES["left"]


@multi_asset(outs={"left": Out(io_manager="holding"), "right": Out(io_manager="holding")})
def pair() -> dict[str, object]:
    return {"left": VALUES["left"], "right": None if VALUES["fails"] else "y"}


def opened(tmp_path: Path, *assets: object) -> Project:
    from assetflow import Definitions

    definitions = Definitions(assets=assets, io_managers={"holding": Holding()})  # type: ignore[arg-type]
    return Project(definitions, store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data")


def test_an_equal_value_is_let_go_of(tmp_path: Path) -> None:
    HELD.clear()
    with opened(tmp_path, value) as project:
        project.materialize()
        result = project.materialize(force=True)
        assert result.counts["unchanged"] == 1
        assert list(HELD.values()) == ["a"]
        assert project.load("value") == "a"


def test_the_outputs_before_one_that_fails_are_let_go_of(tmp_path: Path) -> None:
    HELD.clear()
    VALUES["fails"] = "yes"
    with opened(tmp_path, pair) as project:
        assert project.materialize().counts["failed"] == 2
    VALUES["fails"] = ""
    assert HELD == {}


def test_an_equal_output_does_not_take_a_new_one_along(tmp_path: Path) -> None:
    HELD.clear()
    with opened(tmp_path, pair) as project:
        project.materialize()
        VALUES["left"] = "b"
        result = project.materialize(force=True)
        VALUES["left"] = "a"
        assert (result.counts["materialized"], result.counts["unchanged"]) == (1, 1)
        assert (project.load("left"), project.load("right")) == ("b", "y")
        assert sorted(map(str, HELD.values())) == ["a", "b", "y"]
