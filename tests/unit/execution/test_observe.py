"""Asking sources: differences are published, what is gone is withdrawn, what raises keeps its last answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assetflow import DailyPartitions, Definitions, Project, StaticPartitions, asset, observable_source
from assetflow.errors import AssetflowError, OutputError, UserCodeError

LETTERS = StaticPartitions(["a", "b", "c"])
ANSWER: dict[str, Any] = {}
CALLS: list[str] = []


class Clock:
    now = datetime(2024, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def source(**options: Any) -> Any:
    @observable_source(name="raw", **options)
    def raw() -> Any:
        CALLS.append("raw")
        answer = ANSWER["raw"]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return raw


@pytest.fixture
def clock() -> Clock:
    CALLS.clear()
    return Clock()


def opened(tmp_path: Path, clock: Clock, **options: Any) -> Project:
    raw = source(**options)

    @asset(deps=[raw], partitions=options.get("partitions"))
    def built() -> int:
        return 1

    definitions = Definitions(assets=[raw, built])
    return Project(definitions, store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data", clock=clock)


def current(project: Project) -> set[Any]:
    return {row["partition"] for row in project.versions("raw") if row["current"]}


def test_only_differences_are_published_and_what_is_gone_is_withdrawn(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock, partitions=LETTERS) as project:
        ANSWER["raw"] = {"a": "1", "b": "1"}
        project.plan()
        assert (len(project.versions("raw")), current(project)) == (2, {"a", "b"})
        ANSWER["raw"] = {"a": "1", "b": "2", "c": None}
        project.plan()
        assert (len(project.versions("raw")), current(project)) == (4, {"a", "b", "c"})
        ANSWER["raw"] = {"a": "1"}
        project.plan()
        assert (len(project.versions("raw")), current(project)) == (4, {"a"})
        events = [row.event for row in project.store.reader.events_since(0) if row.event.kind == "observed"]
        assert [event.payload for event in events] == [
            {"changed": 2, "gone": 0},
            {"changed": 2, "gone": 0},
            {"changed": 0, "gone": 2},
        ]


def test_one_that_raises_keeps_its_last_answer_and_is_told_with_its_age(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock) as project:
        ANSWER["raw"] = ConnectionError("no route")
        (note,) = project.plan().notes
        assert "raw is unobserved, it never was observed" in note
        ANSWER["raw"] = "1"
        project.plan()
        clock.now += timedelta(hours=3)
        ANSWER["raw"] = ConnectionError("no route")
        (note,) = project.plan().notes
        assert "raw is unobserved, the observation of 3 hours ago is used" in note
        assert "no route" in note
        assert current(project) == {None}
        with pytest.raises(UserCodeError, match="no route"):
            project.plan(strict_observe=True)


@pytest.mark.parametrize("raised", [SystemExit(1), KeyboardInterrupt()])
def test_only_an_interrupt_ends_the_command(tmp_path: Path, clock: Clock, raised: BaseException) -> None:
    with opened(tmp_path, clock) as project:
        ANSWER["raw"] = raised
        if isinstance(raised, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                project.plan()
        else:
            assert "sys.exit" in project.plan().notes[0]


def test_it_is_not_asked_again_within_its_interval(tmp_path: Path, clock: Clock) -> None:
    ANSWER["raw"] = "1"
    with opened(tmp_path, clock, min_interval="1h") as project:
        project.plan()
        clock.now += timedelta(minutes=59)
        project.plan()
        assert CALLS == ["raw"]
        clock.now += timedelta(minutes=1)
        project.plan()
        assert CALLS == ["raw", "raw"]


def test_keys_outside_the_definition_are_a_warning(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock, partitions=DailyPartitions("2023-12-30", end="2024-01-01")) as project:
        ANSWER["raw"] = {"2023-12-30": "1", "2023-12-29": "1", "x": "1", "y": "1", "z": "1"}
        (note,) = (note for note in project.plan().notes if "outside" in note)
        assert note == (
            "raw was observed with 4 keys outside its partitions, ignored: '2023-12-29', 'x', 'y' (+1 more)"
        )
        assert current(project) == {"2023-12-30"}


@pytest.mark.parametrize(
    ("partitions", "answer"),
    [(None, 3), (None, {"a": "1"}), (LETTERS, "1"), (LETTERS, {"a": 1}), (LETTERS, {1: "1"})],
)
def test_an_answer_of_another_kind_is_told_and_changes_nothing(
    tmp_path: Path, clock: Clock, partitions: Any, answer: Any
) -> None:
    with opened(tmp_path, clock, partitions=partitions) as project:
        ANSWER["raw"] = answer
        with pytest.raises(OutputError, match="source raw") as caught:
            project.plan(strict_observe=True)
        assert isinstance(caught.value, AssetflowError)
        assert caught.value.hint
        assert caught.value.location is not None
        assert project.versions("raw") == []
