"""What the run loop does with each planned partition, and how a run ends that is broken off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assetflow import AssetContext, StaticPartitions, asset, asset_check
from assetflow.execution import treating
from assetflow.execution.result import RunEvent

WORLD: dict[str, Any] = {}
LETTERS = StaticPartitions(["a", "b", "c", "d"])


def counted(result: Any) -> dict[str, int]:
    return {outcome: number for outcome, number in result.counts.items() if number}


@asset
def moody() -> int:
    if WORLD["mood"] == "bad":
        raise ValueError("not today")
    return 1


def test_what_failed_by_force_is_tried_again_although_it_is_made_from_the_same(opened: Any) -> None:
    WORLD["mood"] = "good"
    with opened(moody) as project:
        project.materialize()
        WORLD["mood"] = "bad"
        assert project.materialize(force=True).status == "failed"
        assert project.why("moody").state == "failed"

        assert counted(project.materialize()) == {"failed": 1}
        WORLD["mood"] = "good"
        assert counted(project.materialize()) == {"unchanged": 1}
        assert project.why("moody").state == "up_to_date"
        assert project.plan().steps == ()


def test_what_a_check_refused_of_a_published_version_blocks_what_would_read_it(opened: Any) -> None:
    @asset
    def stock() -> int:
        return -1

    @asset
    def report(stock: int) -> int:
        return stock

    @asset_check(asset=stock, blocking=True)
    def positive(stock: int) -> bool:
        return stock > 0

    with opened(stock, report) as project:
        project.materialize("stock")
    with opened(stock, report, checks=[positive]) as project:
        assert counted(project.materialize()) == {"quarantined": 1, "blocked": 1}
        assert project.load("stock") == -1, "nothing is unpublished"


def test_an_interrupt_keeps_what_is_done_and_cancels_the_rest(opened: Any) -> None:
    @asset(partitions=LETTERS)
    def letter(context: AssetContext) -> object:
        if context.partition_key == "c":
            raise KeyboardInterrupt
        return {1, 2}  # needs a file

    with opened(letter) as project:
        result = project.materialize()
        assert (result.status, counted(result)) == ("canceled", {"materialized": 2, "canceled": 2})
        assert result.by_asset["letter"] == result.counts
        assert project.runs()[0]["status"] == "canceled"
        assert project.store.reader.intents() == []
        assert len(list(project.storage.root.glob("letter/*/v-*"))) == 2


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("started", SystemExit(3), "failed"),
        ("partition", ValueError("no terminal"), "failed"),
        ("step_finished", SystemExit(3), "failed"),
    ],
)
def test_a_run_that_breaks_off_is_recorded_as_ended(opened: Any, kind: str, error: BaseException, status: str) -> None:
    @asset
    def one() -> object:
        return {1}

    def listener(event: RunEvent) -> None:
        if event.kind == kind:
            raise error

    with opened(one) as project:
        with pytest.raises(type(error)):
            project.materialize(on_event=listener)
        (run,) = project.runs()
        assert run["status"] == status
        assert type(error).__name__ in str(run["error"])
        if kind != "started":
            assert (project.storage.root / "one" / "_current.json").exists(), "what was committed is projected"


def test_versions_that_are_forgotten_on_the_way_are_read_again(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(treating, "_REMEMBERED", 0)

    @asset(partitions=LETTERS)
    def letter(context: AssetContext) -> object:
        return {context.partition_key}

    @asset(partitions=LETTERS)
    def pair(letter: set[str]) -> object:
        return letter | {"z"}

    @asset
    def every(pair: dict[str, set[str]]) -> int:
        return len(pair)

    with opened(letter, pair, every) as project:
        assert counted(project.materialize()) == {"materialized": 9}
        assert project.load("every") == 4
        current = json.loads((project.storage.root / "letter" / "_current.json").read_text())
        assert len(current["partitions"]) == 4
        assert counted(project.materialize(force=True)) == {"unchanged": 9}
