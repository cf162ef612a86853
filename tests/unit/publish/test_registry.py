"""Finding IO managers: given ones before installed ones, made when first asked for, refused when they are none."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from assetflow_io.memory import MemoryIOManager

from assetflow.errors import ProjectError
from assetflow.publish import registry
from assetflow.publish.registry import GROUP, Managers


def plug_in(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    points: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: [point for point in points if point.group == group])
    return points


def test_those_that_come_with_assetflow_are_found() -> None:
    assert set(Managers()) >= {"parquet", "json", "pickle", "memory"}


def test_a_given_one_goes_before_an_installed_one_of_the_same_name(installed: list[EntryPoint]) -> None:
    installed.append(plug_in("memory", "no.such.module:Nothing"))
    mine = MemoryIOManager()
    managers = Managers({"memory": mine})
    assert managers["memory"] is mine
    assert (list(managers), len(managers)) == (["memory"], 1)


def test_a_plug_in_is_made_once_and_only_when_it_is_asked_for(installed: list[EntryPoint]) -> None:
    installed += [plug_in("kept", "assetflow_io.memory:MemoryIOManager"), plug_in("broken", "no.such.module:Nothing")]
    managers = Managers()
    assert "broken" in managers
    assert managers["kept"] is managers["kept"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no.such.module:Nothing", "cannot be made: No module named 'no'"),
        ("assetflow_io.memory:Nothing", "cannot be made"),
        ("decimal:Decimal", "lacks part of the protocol"),
    ],
)
def test_a_plug_in_that_is_no_manager_is_told_by_name(installed: list[EntryPoint], value: str, message: str) -> None:
    installed.append(plug_in("odd", value))
    with pytest.raises(ProjectError, match=f"'odd'.*{message}"):
        Managers()["odd"]


def test_an_unknown_name_gets_the_nearest_one(installed: list[EntryPoint]) -> None:
    given: Any = {"memory": MemoryIOManager()}
    with pytest.raises(ProjectError, match="there is no IO manager 'memry'") as caught:
        Managers(given)["memry"]
    assert caught.value.hint == "did you mean memory?"


def test_what_is_given_has_to_be_a_manager() -> None:
    with pytest.raises(ProjectError, match=r"'mine' \(int\) lacks part of the protocol"):
        Managers({"mine": 3})
