"""Worker processes: ``steps N`` assets of nothing, ``restart`` after kills, ``busy`` work on one and on two workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from assetflow import AssetContext, Project, StaticPartitions, asset

SPIN = 12_000_000
"""Turns of a loop that takes about half a second."""

tasks = StaticPartitions([f"t{number}" for number in range(8)])


def spin(turns: int) -> int:
    total = 0
    for number in range(turns):
        total += number & 7
    return total


def trivial(number: int) -> Callable[..., int]:
    @asset(name=f"nothing_{number}", code_version="1")
    def nothing() -> int:
        return 1

    return nothing


@asset(partitions=tasks, code_version="1")
def busy(context: AssetContext) -> int:
    return spin(SPIN)


@asset
def first() -> int:
    return 1


@asset
def dies(first: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


@asset(deps=["dies"])
def unreachable() -> int:
    return 1


def steps(count: int, workers: int) -> dict[str, float]:
    """Seconds for a durable run of ``count`` assets of nothing, and milliseconds for each beyond the first hundred."""
    with project([trivial(number) for number in range(count)]) as opened:
        opened.materialize("nothing_0", executor="processes", workers=workers)
        began = time.perf_counter()
        result = opened.materialize(executor="processes", workers=workers)
        took = time.perf_counter() - began
        assert result.counts["materialized"] == count - 1
    return {"seconds": took, "each": took / count * 1000}


def restart() -> dict[str, float]:
    """Milliseconds from the death of a worker to the end of the next task, with one worker."""
    from assetflow.execution.executors.processes import ProcessExecutor
    from assetflow.execution.task import PartitionTask, Task
    from assetflow.execution.workshop import Workshop

    with project([first, dies, unreachable]) as opened:
        setting = opened.setting
        workshop = Workshop(setting.graph, setting.managers, setting.storage, setting.codes.checks, None, setting.clock)
        executor = ProcessExecutor(workshop, opened._workspace.worker_code(), 1)

        def task(number: int) -> Task:
            partition = PartitionTask(0, None, None, {}, {"first": number}, None, {})
            return Task("first", "build", "r", 1, (partition,), {})

        executor.submit(task(1)).result()
        times: list[float] = []
        for number in range(20):
            (worker,) = executor._workers.values()
            os.kill(worker.pid, signal.SIGKILL)
            began = time.perf_counter()
            while worker.ticket in executor._workers:
                time.sleep(0.0005)
            executor.submit(task(number + 2)).result()
            times.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        for number in range(2_000):
            executor.submit(task(number + 100)).result()
        round_trip = (time.perf_counter() - began) / 2
        executor.close()
    return {"restart": sorted(times)[len(times) // 2], "round_trip": round_trip}


def bare() -> float:
    """Seconds that two processes take for the busy work without us, half of the tasks each."""
    code = "import sys; sys.path.insert(0, sys.argv[1])\nfrom assetflow_workers import *\nfor _ in range(4): spin(SPIN)"
    began = time.perf_counter()
    running = [subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent)]) for _ in range(2)]
    assert not any(each.wait() for each in running)
    return time.perf_counter() - began


def work(workers: int) -> float:
    """Seconds that so many workers take for the busy work."""
    with project([busy, first]) as opened:
        opened.materialize("first", executor="processes", workers=workers)
        began = time.perf_counter()
        opened.materialize("busy", executor="processes", workers=workers)
        return time.perf_counter() - began


def project(assets: list[Callable[..., int]]) -> Project:
    folder = Path.cwd() / f"store-{time.monotonic_ns()}"
    folder.mkdir()
    return Project(assets, store=f"sqlite:///{folder}/store.db", storage=folder / "data")


if __name__ == "__main__":
    match sys.argv[1]:
        case "steps":
            found = steps(int(sys.argv[2]), 2)
        case "restart":
            found = restart()
        case _:
            found = {"bare": bare(), "one": work(1), "two": work(2)}
    print(json.dumps(found))
