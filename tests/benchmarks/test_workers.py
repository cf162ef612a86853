"""Worker processes: what a step costs there, how soon a dead worker is replaced, and what two workers are good for.

The work that keeps the processor busy is measured against two bare processes that do the same in the same minute: what
the machine has to give is what they get.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from measuring import Figure, ours, run

SCRIPT = "assetflow_workers.py"


@pytest.mark.bench
def test_ten_thousand_steps_of_nothing(record: Callable[[Figure], None], tmp_path: Path) -> None:
    found = run(ours(), SCRIPT, "steps", 10_000, cwd=tmp_path)
    record(Figure("10,000 assets of nothing through 2 workers, durable", "s", found["seconds"], 15))


@pytest.mark.bench
def test_the_cost_of_a_step_and_of_a_death(record: Callable[[Figure], None], tmp_path: Path) -> None:
    found = run(ours(), SCRIPT, "restart", cwd=tmp_path)
    record(Figure("one step of nothing in a warm worker", "ms", found["round_trip"], 1))
    record(Figure("a worker killed: until the next task of its successor has ended", "ms", found["restart"], 50))


@pytest.mark.bench
def test_two_workers_against_two_bare_processes(record: Callable[[Figure], None], tmp_path: Path) -> None:
    rounds = [run(ours(), SCRIPT, "busy", cwd=tmp_path) for _ in range(3)]
    best = {name: min(each[name] for each in rounds) for name in ("bare", "one", "two")}
    enough = max(best["one"] / 1.8, best["bare"] / 0.95)
    peers = {"two bare processes": best["bare"], "one worker": best["one"]}
    record(Figure("busy work on 2 workers", "s", best["two"], enough, peers))
