"""Serving: from the first socket to the last process that has ended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from assetflow.server.app import create_app
from assetflow.server.children import Logger
from assetflow.server.guard import is_loopback
from assetflow.server.loads import Loads
from assetflow.server.ports import addresses, listen
from assetflow.server.processes.spawning import Spawned
from assetflow.server.runs import Runs
from assetflow.server.sessions import ROLES, Sessions

_PATIENCE = 5.0
"""Seconds that runs have to record that they were canceled, when the server stops."""


@dataclass(frozen=True, slots=True)
class Options:
    """What ``assetflow dev`` is asked for."""

    host: str
    port: int
    poll: bool = False


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs: its ``url``, and the ``entrances``, by role, where one needs a token."""

    url: str
    entrances: dict[str, str]
    loads: Loads
    runs: Runs


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are for whoever serves."""
        yield


async def serve(
    root: Path, options: Options, log: Logger, began: Callable[[Serving], None], spawned: Spawned
) -> Serving:
    """Serve a project until SIGINT or SIGTERM; ``began`` is called once requests can be made. Raises UsageError."""
    try:
        sockets = listen(options.host, options.port)
    except BaseException:
        spawned.abandon()
        raise
    port: int = sockets[0].getsockname()[1]
    url, names = addresses(options.host, port)
    sessions = None if is_loopback(options.host) else Sessions()
    loads = Loads(root, poll=options.poll, log=log)
    runs = Runs(loads)
    await loads.start(spawned)
    try:
        app = create_app(loads, runs, hosts=names, sessions=sessions, cookie=f"assetflow_{port}")
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=2,
            timeout_keep_alive=30,
        )
        server = _Server(config)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        entrances = {role: f"{url}/?token={sessions.invite(role)}" for role in ROLES} if sessions else {}
        serving = Serving(url, entrances, loads, runs)
        accepting = asyncio.create_task(server.serve(sockets))
        began(serving)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((accepting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            # A second Ctrl-C does not wait for anything.
            loop.remove_signal_handler(number)
        await runs.stop(_PATIENCE)
        loads.events.close()
        server.should_exit = True
        await accepting
        return serving
    finally:
        await loads.stop()
        for each in sockets:
            each.close()
