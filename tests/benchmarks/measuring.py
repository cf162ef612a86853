"""Measuring in fresh processes, ours and a peer's in turns, and the table of what was found."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
WORKLOADS = Path(__file__).parent / "workloads"


@dataclass(frozen=True)
class Figure:
    """Medians of one workload in ``unit``; ``target`` is the most that ours may be."""

    what: str
    unit: str
    ours: float
    target: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)


def environment() -> dict[str, str]:
    """The environment of measured processes: bytecode is cached, as it is for users."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "DAGSTER_DISABLE_TELEMETRY": "yes", "PYTHONWARNINGS": "ignore"}


def run(python: Path | str, script: str, *arguments: object, cwd: Path) -> dict[str, Any]:
    """What a workload prints last: one JSON object. The process is a new one, in the folder ``cwd``."""
    command = [str(python), str(WORKLOADS / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def wall(command: Sequence[str | Path], *, cwd: Path | None = None, extra: Mapping[str, str] | None = None) -> float:
    """Seconds from the start of a process to its end."""
    began = time.perf_counter()
    subprocess.run(command, cwd=cwd, env={**environment(), **(extra or {})}, capture_output=True, check=True)
    return time.perf_counter() - began


def in_turns(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each measure; they take turns, so that whatever else the machine does falls on all of them."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def markdown(figures: Sequence[Figure]) -> str:
    """The figures as a table, with the ratio of each peer's to ours."""
    names = list(dict.fromkeys(name for figure in figures for name in figure.peers))
    header = ["what", "assetflow", "target", *names]
    rows = [header, ["---"] * len(header)]
    for figure in figures:
        target = "" if figure.target is None else f"{_number(figure.target)} {figure.unit}"
        peers = [
            f"{_number(value)} {figure.unit} ({_number(value / figure.ours)}x)" if value is not None else ""
            for value in map(figure.peers.get, names)
        ]
        rows.append([figure.what, f"{_number(figure.ours)} {figure.unit}", target, *peers])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def machine(peers: Mapping[str, str]) -> str:
    """Where and with what the figures were measured; the load is of the last five minutes, ours included."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pandas", "pyarrow", "duckdb", "numpy"))
    beside = "".join(f", {name} {number}" for name, number in peers.items())
    where = f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}, {platform.machine()}, {platform.system()}"
    tools = f"Python {platform.python_version()}, {libraries}; assetflow {version('assetflow')}{beside}"
    return f"{datetime.now(UTC):%Y-%m-%d}: {where}, {tools}"


def ours() -> str:
    """The interpreter that runs assetflow."""
    return sys.executable


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
