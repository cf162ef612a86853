"""Going back: a rollback stays until code or inputs change, and earlier code needs no computing."""

from __future__ import annotations

from typing import Any

import pytest

CODE = """
    from pathlib import Path

    from assetflow import asset, observable_source

    def called(name: str) -> None:
        with Path("calls").open("a") as file:
            file.write(f"{name}\\n")

    @observable_source
    def number_file() -> str:
        return Path("number").read_text()

    @asset(deps=[number_file])
    def number() -> int:
        called("number")
        return int(Path("number").read_text()) + 0

    @asset
    def tenfold(number: int) -> int:
        called("tenfold")
        return number * 10
"""


@pytest.fixture
def two_versions(folder: Any) -> Any:
    """``number`` was 1 and is 2; nothing is stale."""
    folder.code(CODE)
    folder.write("number", "1")
    folder.run()
    folder.write("number", "2")
    folder.run()
    folder.calls()
    return folder


def roll_back(folder: Any, **options: Any) -> None:
    with folder.open() as project:
        first = project.versions("number")[-1]["version"]
        project.rollback("number", to=first, **options)


class TestRollback:
    def test_it_is_held_and_up_to_date(self, two_versions: Any) -> None:
        roll_back(two_versions)
        why = two_versions.why("number")
        assert (why.state, why.held, why.causes) == ("up_to_date", True, ())
        assert two_versions.value("number") == 1

    def test_what_is_downstream_is_rebuilt_and_the_rollback_stays(self, two_versions: Any) -> None:
        roll_back(two_versions)
        assert set(two_versions.steps()) == {"tenfold"}
        assert two_versions.run().status == "success"
        assert two_versions.value("tenfold") == 10
        for _ in range(2):
            assert two_versions.run().run_id is None
        assert two_versions.value("number") == 1
        assert two_versions.why("number").held

    def test_downstream_can_come_along(self, two_versions: Any) -> None:
        roll_back(two_versions, with_downstream=True)
        assert two_versions.value("tenfold") == 10
        assert two_versions.steps() == {}
        assert two_versions.why("tenfold").held
        assert two_versions.calls() == []

    def test_new_input_ends_it(self, two_versions: Any) -> None:
        roll_back(two_versions, with_downstream=True)
        two_versions.write("number", "3")
        why = two_versions.why("number")
        assert (why.state, why.held) == ("stale", False)
        assert [cause.kind for cause in why.causes] == ["input_changed"]
        two_versions.run()
        assert (two_versions.value("number"), two_versions.value("tenfold")) == (3, 30)

    def test_changed_code_ends_it(self, two_versions: Any) -> None:
        roll_back(two_versions, with_downstream=True)
        two_versions.edit("+ 0", "* 5")
        why = two_versions.why("number")
        assert (why.state, why.held) == ("stale", False)
        assert [cause.kind for cause in why.causes] == ["code_changed"]
        two_versions.run()
        assert (two_versions.value("number"), two_versions.value("tenfold")) == (10, 100)

    def test_forcing_ends_it(self, two_versions: Any) -> None:
        roll_back(two_versions)
        two_versions.run(select="number", force=True)
        assert two_versions.value("number") == 2
        assert not two_versions.why("number").held

    def test_the_version_that_was_rolled_back_from_is_still_there(self, two_versions: Any) -> None:
        roll_back(two_versions)
        with two_versions.open() as project:
            newest, first = project.versions("number")
            assert (newest["current"], first["current"]) == (False, True)
            assert project.load("number", version=newest["version"]) == 2
            project.rollback("number", to=newest["version"])
            assert project.load("number") == 2


class TestEarlierCode:
    def test_it_is_reused_and_nothing_is_computed(self, two_versions: Any) -> None:
        with two_versions.open() as project:
            before = project.why("number", observe=False).version, project.why("tenfold", observe=False).version
        two_versions.edit("+ 0", "* 5")
        two_versions.run()
        assert two_versions.value("tenfold") == 100
        assert two_versions.calls() == ["number", "tenfold"]

        two_versions.edit("* 5", "+ 0")
        assert two_versions.steps() == {"number": "reuse", "tenfold": "may"}
        result = two_versions.run()
        assert (result.status, result.counts["reused"]) == ("success", 2)
        assert two_versions.calls() == []
        with two_versions.open() as project:
            after = project.why("number", observe=False).version, project.why("tenfold", observe=False).version
            assert after == before
            assert (project.load("number"), project.load("tenfold")) == (2, 20)
            assert project.plan().steps == ()

    def test_earlier_input_is_reused_too(self, two_versions: Any) -> None:
        two_versions.write("number", "1")
        assert two_versions.run().counts["reused"] == 2
        assert two_versions.calls() == []
        assert two_versions.value("tenfold") == 10

    def test_a_rollback_is_never_what_is_reused(self, two_versions: Any) -> None:
        roll_back(two_versions, with_downstream=True)
        two_versions.edit("+ 0", "* 5")
        two_versions.run()
        two_versions.edit("* 5", "+ 0")
        assert two_versions.run().counts["reused"] == 2
        assert two_versions.value("number") == 2, "the code computed 2 from this input, whatever was held later"
