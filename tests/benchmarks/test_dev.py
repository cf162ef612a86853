"""``assetflow dev``: until it answers, what it weighs, what it does at rest, and from a save to the graph."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from measuring import Figure, environment, ours

ROUNDS = 10
IN_A_MODULE = 50
PORT = 8590


def project(root: Path, assets: int) -> Path:
    """A project whose assets each read two others, in modules that import pandas."""
    package = root / "shop"
    package.mkdir(parents=True)
    modules = range(assets // IN_A_MODULE)
    (root / "pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "shop"\n')
    (package / "helpers.py").write_text("def scale(n: float) -> float:\n    return n * 1.0\n")
    for module in modules:
        lines = ["import pandas as pd", "from assetflow import asset", "from shop.helpers import scale", ""]
        for number in range(module * IN_A_MODULE, (module + 1) * IN_A_MODULE):
            reads = [f"a{other}" for other in (number - 1, number - 10) if other >= 0]
            parameters = ", ".join(f"{name}: float" for name in reads)
            lines += ["@asset", f"def a{number}({parameters}) -> float:", f'    """Asset {number}."""']
            lines += [f"    return scale({number}) + {' + '.join(reads) or 0}", ""]
        (package / f"m{module}.py").write_text("\n".join(lines))
    (package / "__init__.py").write_text("".join(f"from shop.m{module} import *\n" for module in modules))
    return root


@contextmanager
def served(root: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client, float]]:
    """A server of the project, and the seconds until it had answered with the graph."""
    command = [ours(), "-m", "assetflow", "dev", "--port", str(PORT), "--no-browser"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=root, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60) as client:
        while True:
            try:
                assert client.get("/api/graph").status_code == 200
                break
            except httpx.TransportError:
                time.sleep(0.002)
        yield process, client, time.perf_counter() - began
    process.send_signal(signal.SIGINT)
    process.wait()


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def megabytes(pids: list[int]) -> float:
    """Their proportional set size together: memory that some share is counted once."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(found[1]) for text in texts if (found := re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE))) / 1024


def cpu_seconds(pids: list[int]) -> float:
    """Of a processor, until now."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def saves(root: Path, client: httpx.Client) -> Iterator[float]:
    """Seconds from each save until the new graph has been read, as a page reads it."""
    path = root / "shop" / "m0.py"
    text = path.read_text()
    with client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        for number in range(ROUNDS):
            time.sleep(1.0)
            began = time.perf_counter()
            path.write_text(text.replace("scale(0)", f"scale({number}.5)"))
            while next(lines) != "event: loaded":
                continue
            assert httpx.get(f"http://127.0.0.1:{PORT}/api/graph").status_code == 200
            yield time.perf_counter() - began


@pytest.mark.bench
def test_until_it_answers(record: Callable[[Figure], None], tmp_path: Path) -> None:
    root = project(tmp_path, 100)
    seconds: list[float] = []
    for _ in range(ROUNDS):
        with served(root) as (_, _, took):
            seconds.append(took)
    record(Figure("dev, 100 assets: until the graph is answered", "s", statistics.median(seconds), 1.5))


@pytest.mark.bench
def test_what_it_weighs_and_does_at_rest(record: Callable[[Figure], None], tmp_path: Path) -> None:
    with served(project(tmp_path, 100)) as (process, client, _), client.stream("GET", "/api/events"):
        time.sleep(2.0)
        pids = tree(process.pid)
        record(Figure("dev, 100 assets, at rest: PSS of all processes", "MB", megabytes(pids), 250))
        before = cpu_seconds(pids)
        time.sleep(20.0)
        percent = (cpu_seconds(pids) - before) / 20.0 * 100
        record(Figure("dev, 100 assets, at rest with a stream open: of one processor", "%", percent, 1.0))


@pytest.mark.bench
@pytest.mark.parametrize(("assets", "target"), [(100, 300), (2_000, 1_000)])
def test_from_a_save_to_the_graph(record: Callable[[Figure], None], tmp_path: Path, assets: int, target: float) -> None:
    root = project(tmp_path, assets)
    with served(root) as (_, client, _):
        found = statistics.median(saves(root, client)) * 1000
    record(Figure(f"dev, {assets:,} assets: from a save until the new graph has been read", "ms", found, target))
