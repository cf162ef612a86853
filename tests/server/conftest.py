"""A project in a folder, and ``assetflow dev`` serving it as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

ASSETS = '''
    """Assets of a small shop."""

    from pathlib import Path

    from assetflow import AssetContext, DailyPartitions, asset, asset_check, observable_source

    from shop.rules import doubled

    DAYS = DailyPartitions("2024-01-01", end="2024-01-05")


    @observable_source
    def prices() -> str:
        return Path("prices.txt").read_text()


    @asset(deps=[prices], partitions=DAYS, group="raw", owners=["team:shop"], tags={"pii": "no"})
    def orders(context: AssetContext) -> int:
        """Orders by day."""
        return context.partition_start.day


    @asset(partitions=DAYS)
    def daily(orders: int) -> int:
        return doubled(orders)


    @asset
    def total(daily: dict[str, int]) -> int:
        return sum(daily.values())


    @asset_check(asset="total")
    def positive(total: int) -> bool:
        return total > 0
'''

RULES = """
    def doubled(n: int) -> int:
        return n * 2
"""

SLOW = """

    import time

    @asset(partitions=DAYS)
    def slow(context: AssetContext) -> int:
        for _ in range(600):
            if Path("go").exists():
                break
            time.sleep(0.05)
        return 1
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The folder of the project."""
    folder = tmp_path / "shop_project"
    write(folder / "pyproject.toml", '[tool.assetflow]\ndefinitions = "shop.assets"\n')
    write(folder / "shop" / "__init__.py", "")
    write(folder / "shop" / "assets.py", ASSETS)
    write(folder / "shop" / "rules.py", RULES)
    write(folder / "prices.txt", "1")
    return folder


def write(path: Path, text: str) -> None:
    """Write a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


def environment() -> dict[str, str]:
    """The environment of the processes; bytecode is written, as it is for users."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def cli(folder: Path, *arguments: str) -> Any:
    """The document that a command prints."""
    command = [sys.executable, "-m", "assetflow", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


class Dev:
    """A server in a process of its own."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "assetflow", "dev", "--port", "0", "--no-browser", "--json", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(env) if env else environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.told: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.wait_for_line(r"Serving .* at http://")
        found = re.search(r" at http://(\S+):(\d+)", "\n".join(self.told))
        assert found
        self.port = int(found[2])
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self.client.get("/api/load")  # answers once the first load has ended

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told.append(line.rstrip("\n"))

    def wait_for_line(self, pattern: str, seconds: float = 30) -> None:
        """Wait until a line on stderr matches."""
        until = time.monotonic() + seconds
        while not any(re.search(pattern, line) for line in self.told):
            assert time.monotonic() < until, "\n".join(self.told)
            assert self.process.poll() is None, "\n".join(self.told)
            time.sleep(0.01)

    def get(self, path: str, **parameters: Any) -> Any:
        """The document at a path."""
        response = self.client.get(path, params=parameters)
        assert response.status_code == 200, (path, response.text)
        return response.json()

    def post(self, path: str, body: Mapping[str, Any] | None = None, status: int = 200) -> Any:
        """The document that a request gives."""
        response = self.client.post(path, json=dict(body or {}))
        assert response.status_code == status, (path, response.text)
        return response.json()

    def until(self, found: Callable[[], Any], seconds: float = 30) -> Any:
        """What ``found`` gives, once it gives something."""
        until = time.monotonic() + seconds
        while not (value := found()):
            assert time.monotonic() < until, "\n".join(self.told)
            time.sleep(0.02)
        return value

    def loaded_after(self, number: int) -> dict[str, Any]:
        """The load document, once a load after ``number`` has ended and what it made stale is known."""

        def found() -> dict[str, Any] | None:
            load = self.get("/api/load")
            done = load["load"] > number and not load["loading"]
            return load if done and (load["error"] or load["became"]) else None

        return self.until(found)

    def finished(self, run_id: str) -> dict[str, Any]:
        """The document of a run, once it has ended."""

        def found() -> dict[str, Any] | None:
            run = self.get(f"/api/runs/{run_id}")
            return None if run["status"] == "running" or run["progress"] else run

        return self.until(found)

    def processes(self) -> list[int]:
        """The server and all that descend from it."""
        return descendants(self.process.pid)

    def stop(self, number: int = signal.SIGINT) -> dict[str, Any]:
        """Stop it; gives its document."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        self.process.wait(30)
        self._reading.join(10)
        return json.loads(out)

    def clean_up(self) -> None:
        """End what a failed test has left."""
        if self.process.poll() is None:
            left = self.processes()
            self.process.kill()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        self.process.wait()
        self._reading.join(10)
        self.client.close()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def descendants(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(each for child in children for each in descendants(int(child)))]


@pytest.fixture
def dev(shop: Path) -> Iterator[Callable[..., Dev]]:
    """Serve the project."""
    started: list[Dev] = []

    def serve(*arguments: str, env: Mapping[str, str] | None = None) -> Dev:
        started.append(Dev(shop, *arguments, env=env))
        return started[-1]

    yield serve
    for each in started:
        each.clean_up()
