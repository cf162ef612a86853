"""Dynamic partitions that user code adds: with what is published, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assetflow import (
    AssetContext,
    Batch,
    CheckResult,
    DailyPartitions,
    Definitions,
    DynamicPartitions,
    Input,
    MultiPartitions,
    Project,
    StaticPartitions,
    asset,
    asset_check,
    observable_source,
)
from assetflow.partitions.multi_partitions import WIDTHS

FILES = DynamicPartitions("files")
FOUND: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _nothing_found() -> Iterator[None]:
    FOUND.clear()
    FOUND.update(keys=["a.csv", "b.csv"], value=1, error=None, fine=True)
    yield
    FOUND.clear()


@asset(code_version="1")
def inbox(context: AssetContext) -> int:
    context.add_partitions("files", FOUND["keys"])
    if FOUND["error"]:
        raise FOUND["error"]
    return FOUND["value"]


@asset(partitions=FILES, code_version="1", deps=["inbox"])
def parsed(context: AssetContext) -> str:
    return context.partition_key.upper()


@asset(code_version="1")
def everything(parsed: dict[str, str]) -> list[str]:
    return list(parsed)


def opened(tmp_path: Path, *assets: Any, checks: Any = (), **options: Any) -> Project:
    return Project(
        Definitions(assets=list(assets), checks=list(checks)),
        store=f"sqlite:///{tmp_path}/store.db",
        storage=tmp_path / "data",
        **options,
    )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with opened(tmp_path, inbox, parsed, everything) as project:
        yield project


def counted(result: Any) -> dict[str, int]:
    return {outcome: number for outcome, number in result.counts.items() if number}


def test_what_a_run_adds_is_built_by_the_next(project: Project) -> None:
    first = project.materialize()
    assert counted(first) == {"materialized": 2}
    assert (first.added, first.to_dict()["added"]) == ({"files": 2}, {"files": 2})
    assert project.load("everything") is None  # it had nothing to read: published as empty
    assert project.partitions("files") == ["a.csv", "b.csv"]
    assert [step.computation for step in project.plan().steps] == ["parsed", "everything"]
    second = project.materialize()
    assert counted(second) == {"materialized": 3}
    assert second.added == {}
    assert project.load("everything") == ["a.csv", "b.csv"]
    (told,) = [row.event for row in project.store.reader.events_since(0) if row.event.kind == "partitions_added"]
    assert (told.run_id, told.payload["count"]) == (first.run_id, 2)


def test_an_unchanged_rebuild_adds_too(project: Project) -> None:
    project.materialize()
    FOUND["keys"] = ["b.csv", "c.csv"]
    result = project.materialize("inbox", force=True)
    assert counted(result) == {"unchanged": 1}
    assert result.added == {"files": 1}
    assert project.partitions("files") == ["a.csv", "b.csv", "c.csv"]


def test_what_fails_adds_nothing(project: Project) -> None:
    FOUND["error"] = ValueError("the disk is gone")
    result = project.materialize()
    assert counted(result) == {"failed": 1, "materialized": 1}
    assert (result.added, project.partitions("files")) == ({}, [])


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("file", ["a"], "wrong: context.add_partitions: there are no dynamic partitions 'file'"),
        ("files", "a", "wrong: context.add_partitions: files: keys is 'a', not a list of keys"),
        ("files", ["a", ""], "wrong: context.add_partitions: files: a key is empty: give it a name"),
    ],
)
def test_a_mistake_fails_the_partition_where_it_is_made(tmp_path: Path, name: str, keys: Any, message: str) -> None:
    @asset(code_version="1")
    def wrong(context: AssetContext) -> int:
        context.add_partitions("files", ["fine"])
        context.add_partitions(name, keys)
        return 1

    with opened(tmp_path, wrong, parsed, inbox) as project:
        result = project.materialize("wrong")
        (failure,) = result.failures
        assert failure.error["message"] == message
        assert "test_dynamic.py" in str(failure.error["location"])
        assert project.partitions("files") == []


CELLS = MultiPartitions({"day": DailyPartitions("2024-01-01", end="2024-01-03"), "file": FILES})


@asset(partitions=CELLS, code_version="1")
def cells(context: AssetContext) -> str:
    return context.partition_key


def test_keys_that_do_not_fit_into_a_dimension_are_refused_before_anything_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WIDTHS, "dynamic", 2)
    with opened(tmp_path, inbox, cells) as project:
        assert project.materialize("inbox").added == {"files": 2}
        FOUND["keys"], FOUND["value"] = ["a.csv", "c.csv", "d.csv"], 2
        result = project.materialize("inbox", force=True)
        (failure,) = result.failures
        assert failure.error["message"] == (
            "inbox: context.add_partitions: files: not added, for cells has it as a dimension, and the store has or "
            "would have more than 3 keys"
        )
        assert failure.error["hint"] == "keep assets with very many keys in a project of their own"
        assert (project.load("inbox"), project.partitions("files")) == (1, ["a.csv", "b.csv"])
        assert project.materialize("cells").counts["materialized"] == 4
        FOUND["keys"] = ["c.csv"]
        assert project.materialize("inbox", force=True).added == {"files": 1}


def test_keys_of_partitions_that_are_built_together_fit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asset(partitions=StaticPartitions(["x", "y", "z"]), code_version="1")
    def finding(context: AssetContext) -> str:
        key = context.partition_key
        context.add_partitions("files", [f"{key}1", f"{key}2"])
        return key

    monkeypatch.setitem(WIDTHS, "dynamic", 3)
    with opened(tmp_path, finding, cells) as project:
        # The keys of ``finding`` are in the dictionary too: seven fit, and three of them are x, y and z.
        result = project.materialize("finding")
        assert counted(result) == {"materialized": 2, "failed": 1}
        assert project.partitions("files") == ["x1", "x2", "y1", "y2"]
        assert len(project.plan("cells").steps[0].partitions.ordinals) == 8


def test_a_source_cannot_add_keys_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @observable_source
    def listing(context: AssetContext) -> str:
        context.add_partitions("files", FOUND["keys"])
        return str(len(FOUND["keys"]))

    monkeypatch.setitem(WIDTHS, "dynamic", 2)
    with opened(tmp_path, listing, cells) as project:
        assert project.plan("*").notes == ()
        FOUND["keys"] = ["c.csv", "d.csv"]
        (note,) = project.plan("*").notes
        assert "files: not added, for cells has it as a dimension" in note
        assert project.partitions("files") == ["a.csv", "b.csv"]
        assert project.materialize("cells").counts["materialized"] == 4


def refusing(version: str) -> Any:
    @asset_check(asset="inbox", blocking=True, code_version=version)
    def fine(inbox: int) -> CheckResult:
        return CheckResult(passed=bool(FOUND["fine"]))

    return fine


def test_a_quarantined_version_adds_once_it_is_published(tmp_path: Path) -> None:
    FOUND["fine"] = False
    with opened(tmp_path, inbox, parsed, checks=[refusing("1")]) as project:
        assert counted(project.materialize()) == {"quarantined": 1}
        assert project.partitions("files") == []
    FOUND["fine"], FOUND["keys"] = True, ["never asked for"]
    with opened(tmp_path, inbox, parsed, checks=[refusing("2")]) as project:
        assert [step.certainty for step in project.plan("inbox").steps] == ["check"]
        assert counted(project.materialize("inbox")) == {"materialized": 1}
        assert project.partitions("files") == ["a.csv", "b.csv"]


def test_a_batch_adds_with_the_partitions_that_it_publishes(tmp_path: Path) -> None:
    @asset(partitions=StaticPartitions(["x", "y"]), batch=Batch(max_partitions=2), code_version="1")
    def folders(context: AssetContext) -> dict[str, int]:
        for key in context.partition_keys:
            context.add_partitions("files", [f"{key}.csv"])
        return {"x": 1} if FOUND["fine"] is None else {"x": 1, "y": 2}

    with opened(tmp_path, folders, parsed, inbox) as project:
        FOUND["fine"] = None
        assert counted(project.materialize("folders")) == {"materialized": 1, "failed": 1}
        assert project.partitions("files") == ["x.csv", "y.csv"]


def test_a_publish_group_adds_when_all_of_it_is_published(tmp_path: Path) -> None:
    @asset(publish_group="morning", code_version="1")
    def finding(context: AssetContext) -> int:
        context.add_partitions("files", ["found.csv"])
        return 1

    @asset(publish_group="morning", code_version="1")
    def other() -> int:
        if FOUND["error"]:
            raise FOUND["error"]
        return 1

    with opened(tmp_path, finding, other, parsed, inbox) as project:
        FOUND["error"] = ValueError("not today")
        assert counted(project.materialize("finding or other")) == {"failed": 1, "blocked": 1}
        assert project.partitions("files") == []
        FOUND["error"] = None
        result = project.materialize("finding or other")
        assert (counted(result), result.added) == ({"materialized": 2}, {"files": 1})
        assert project.partitions("files") == ["found.csv"]


def test_an_asset_may_add_to_its_own_partitions(tmp_path: Path) -> None:
    @asset(partitions=FILES, code_version="1")
    def pages(context: AssetContext) -> int:
        number = int(context.partition_key)
        context.add_partitions("files", [str(number + 1)] if number < 3 else [])
        return number

    with opened(tmp_path, pages) as project:
        project.add_partitions("files", ["1"])
        made: list[int] = []
        while project.plan().steps:
            made.append(project.materialize().counts["materialized"])
        assert made == [1, 1, 1]
        assert project.partitions("files") == ["1", "2", "3"]


def test_a_source_may_have_dynamic_partitions_and_add_to_them(tmp_path: Path) -> None:
    @observable_source(partitions=FILES)
    def raw(context: AssetContext) -> dict[str, str | None]:
        context.add_partitions("files", FOUND["keys"])
        if FOUND["error"]:
            raise FOUND["error"]
        return dict.fromkeys(["a.csv", "c.csv", "old.csv"], "1")

    @asset(partitions=FILES, deps=[raw], code_version="1")
    def built(context: AssetContext) -> str:
        return context.partition_key

    with opened(tmp_path, raw, built) as project:
        plan = project.plan()
        assert [step.partitions.ranges for step in plan.steps] == [(("a.csv", "a.csv"),)]
        assert plan.notes == ("raw was observed with 2 keys outside its partitions, ignored: 'c.csv', 'old.csv'",)
        assert project.partitions("files") == ["a.csv", "b.csv"]
        assert project.why("built", "b.csv").state == "waiting"
        FOUND["keys"] = ["c.csv"]
        project.materialize()
        assert project.load("built", "c.csv") == "c.csv"
        FOUND.update(keys=["d.csv"], error=ValueError("no network"))
        assert "raw is unobserved" in project.plan().notes[0]
        assert project.partitions("files") == ["a.csv", "b.csv", "c.csv"]
        FOUND.update(error=None)
        project.remove_partitions("files", ["b.csv", "c.csv"], force=True)
        assert project.plan().notes == (
            "raw was observed with 2 keys outside its partitions, ignored: 'c.csv', 'old.csv'",
        )
        assert project.why("built").state == "waiting"


def test_a_run_reads_the_keys_that_there_were_when_it_was_planned(tmp_path: Path) -> None:
    """Keys that come while a run is on are not read half: what reads all of them is stale afterwards."""

    @asset(partitions=FILES, code_version="1")
    def slow(context: AssetContext) -> str:
        with opened(tmp_path, inbox, parsed) as other:
            other.add_partitions("files", ["late"])
        return context.partition_key

    @asset(inputs={"slow": Input("slow")}, code_version="1")
    def together(slow: dict[str, str]) -> list[str]:
        return list(slow)

    with opened(tmp_path, slow, together, clock=lambda: datetime(2024, 1, 1, tzinfo=UTC)) as project:
        project.add_partitions("files", ["early"])
        assert project.materialize().status == "success"
        assert project.load("together") == ["early"]
        assert {step.computation: step.partitions.ranges for step in project.plan().steps} == {
            "slow": (("late", "late"),),
            "together": None,
        }


def test_in_a_test_the_context_needs_no_project() -> None:
    context = AssetContext("inbox")
    assert inbox(context) == 1
    assert context.added_partitions == {"files": ("a.csv", "b.csv")}
