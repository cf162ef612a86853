from __future__ import annotations

import io
import re

import pytest

from assetflow.cli.progress import following
from assetflow.execution.result import RunEvent


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_step_ends_with_a_line() -> None:
    stream = io.StringIO()
    with following(stream) as listener:
        listener(RunEvent("started", 0, 3, 0.0))
        listener(RunEvent("step_started", 0, 3, 0.0, "orders"))
        listener(RunEvent("partition", 1, 3, 0.1, "orders", "a", "materialized"))
        listener(RunEvent("partition", 2, 3, 0.2, "orders", "b", "failed"))
        listener(RunEvent("step_finished", 2, 3, 0.2, "orders"))
        listener(RunEvent("step_started", 2, 3, 0.2, "totals"))
        listener(RunEvent("partition", 3, 3, 0.3, "totals", None, "blocked"))
        listener(RunEvent("step_finished", 3, 3, 0.3, "totals"))
        listener(RunEvent("finished", 3, 3, 0.3))
    assert stream.getvalue() == "[2/3] orders: 1 materialized, 1 failed\n[3/3] totals: 1 blocked\n"


def test_a_terminal_sees_counts_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with following(stream) as listener:
        listener(RunEvent("started", 0, 1000, 0.0))
        listener(RunEvent("partition", 500, 1000, 2.0, "orders", "a", "materialized"))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "orders" in text
    assert "500/1000" in text
    assert "250/s" in text
    assert "ETA" in text


@pytest.mark.parametrize(
    ("left", "complete", "told"),
    [(90.0, True, "2 min"), (90.0, False, "at least 2 min"), (0.2, False, "5 s"), (None, True, "5 s")],
)
def test_the_time_left_follows_from_what_the_steps_took_before(
    left: float | None, complete: bool, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with following(stream) as listener:
        listener(RunEvent("partition", 5, 10, 5.0, "orders", "a", "materialized", left, complete))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert f"ETA {told}" in text


def test_following_costs_next_to_nothing_per_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with following(stream) as listener:
        for done in range(20_000):
            listener(RunEvent("partition", done, 20_000, 1.0, "orders", None, "materialized"))
    assert len(stream.getvalue()) < 100_000
