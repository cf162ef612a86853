"""Drawing a run: waiting, running and publishing told apart, to scale, within the width."""

from __future__ import annotations

import io
from typing import Any

import pytest

from assetflow.cli.runs import COMMANDS
from assetflow.cli.terminal import Page
from assetflow.cli.timeline import Timeline


def step(asset: str, queued: int, started: int, ended: int, publish: float | None = None, **more: Any) -> Any:
    times = {
        name: f"2024-02-10T12:00:{second:02}+00:00"
        for name, second in (("queued_at", queued), ("started_at", started), ("ended_at", ended))
    }
    identity = {"asset": asset, "partition": None, "attempt": 1, "call_size": 1}
    return {**times, **identity, "publish_seconds": publish, "seconds": ended - started, **more}


SLOW, QUICK = step("slow", 0, 2, 6, 4.0), step("quick", 0, 0, 1)
IDLE = step("idle", 0, 0, 0, call_size=None)
RUN = {"steps": [SLOW, QUICK, IDLE], "critical_path": [SLOW]}


def test_a_bar_shows_when_a_step_waited_ran_and_was_published() -> None:
    timeline = Timeline(RUN, 20)
    assert timeline.bar([SLOW]) == "* ....########>>>>>>>>"
    assert timeline.bar([QUICK]) == "  ##"


def test_steps_together_have_one_bar_and_what_called_nothing_has_none() -> None:
    timeline = Timeline(RUN, 10)
    assert timeline.bar([SLOW, QUICK]) == "* ######>>>>"
    assert timeline.bar([IDLE]) == ""


def test_the_shortest_step_is_seen_even_at_the_end() -> None:
    last = step("last", 10, 10, 10)
    assert Timeline({"steps": [SLOW, last], "critical_path": []}, 20).bar([last]) == " " * 21 + "#"


def test_a_run_that_took_no_time_can_be_drawn() -> None:
    only = step("only", 3, 3, 3)
    assert Timeline({"steps": [only], "critical_path": []}, 20).bar([only]) == "  #"


@pytest.mark.parametrize("columns", ["70", "100"])
def test_bars_take_the_columns_that_are_left(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("assetflow.cli.runs.open_project", Opened)
    text = io.StringIO()
    COMMANDS["runs show"].run(Asked()).show(Page(text))  # type: ignore[arg-type]
    lines = text.getvalue().splitlines()
    bars = [line for line in lines if "#" in line and "runs" not in line]
    assert len(bars) == 2
    assert 50 < max(map(len, bars)) <= int(columns)
    assert lines[-1] == "  . waits  # runs  > is published  * on the critical path: 1 step, 4.0 s"


class Asked:
    run_id = "abc"


class Opened:
    """A project that knows one run."""

    def __init__(self, arguments: Asked) -> None:
        self.run_id = arguments.run_id

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *raised: object) -> None:
        return None

    def run(self, run_id: str) -> Any:
        told = {"run_id": run_id, "status": "success", "started_at": SLOW["queued_at"], "seconds": 10.0, "asked": None}
        steps = [{**each, "status": "materialized", "version": 1, "error": None} for each in RUN["steps"]]
        return {
            **told,
            "counts": {},
            "error": None,
            "holds": 0,
            "held": [],
            "slots": [],
            "steps": steps,
            "critical_path": RUN["critical_path"],
        }
