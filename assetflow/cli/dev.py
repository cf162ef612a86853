"""``dev``: the server with hot reload, and what the terminal shows of it."""

from __future__ import annotations

import sys
import threading
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from assetflow.cli.failures import show_fields
from assetflow.cli.parsing import Command, Parser
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.words import count, duration, visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from assetflow.server.events import Event
    from assetflow.server.serving import Serving

_SHOWN = 3
"""So many assets are named in a line; of others only the number is told."""


def dev(arguments: Namespace) -> Answer:
    """Serve until interrupted."""
    from assetflow.opening.config import find_root
    from assetflow.server.processes.spawning import spawn_template

    root = find_root(Path.cwd()) if arguments.project is None else Path(arguments.project).absolute()
    if arguments.project is not None:
        from assetflow.opening.config import read_config

        read_config(root)
    spawned = spawn_template()
    import asyncio

    from assetflow.server.ports import DEFAULT_PORT
    from assetflow.server.serving import Options, serve

    port = DEFAULT_PORT if arguments.port is None else arguments.port
    screen = Screen(sys.stderr, browser=not arguments.no_browser and sys.stderr.isatty())
    with screen:
        options = Options(arguments.host, port, poll=arguments.poll)
        serving = asyncio.run(serve(root, options, screen.log, screen.began, spawned))
    document = {
        "url": serving.url,
        "loads": serving.loads.document()["load"],
        "error": serving.loads.document()["error"],
        "seconds": round(time.monotonic() - screen.started, 3),
    }
    return Answer(lambda: document, lambda page: page.line("Stopped."))


class Screen:
    """One live status at the bottom of a terminal, and lines above it; on anything else, lines only."""

    def __init__(self, stream: TextIO, *, browser: bool) -> None:
        self.started = time.monotonic()
        self._stream = stream
        self._page = Page(stream)
        self._browser = browser
        self._live: Live | None = None
        self._serving: Serving | None = None
        self._loaded = "loading the definitions"
        self._graph = ""
        self._error: str | None = None
        self._running: dict[str, str] = {}

    def __enter__(self) -> Screen:
        if self._stream.isatty():
            from rich.live import Live

            self._live = Live(get_renderable=self._draw, console=self._page.console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def began(self, serving: Serving) -> None:
        """The server answers: say where, and follow what happens."""
        self._serving = serving
        self.line(f"Serving {visible(serving.loads.root.name)} at {serving.url}")
        for role, entrance in serving.entrances.items():
            self.line(f"  {role + ':':<9} {entrance}")
        if serving.entrances:
            self.line("  each of these addresses lets one browser in, once; POST /api/invite makes more")
        serving.loads.events.watch(self.take)
        if self._browser:
            threading.Thread(
                target=_open_browser, args=(serving.entrances.get("admin", serving.url),), daemon=True
            ).start()
        self._refresh()

    def log(self, text: str) -> None:
        """A line that user code printed."""
        self.line(text)

    def line(self, text: str) -> None:
        """One line, above the status."""
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(visible(text)), soft_wrap=True)
        else:
            self._page.line(text)
            self._stream.flush()

    def take(self, event: Event) -> None:
        """Something has happened."""
        data = event.data
        match event.kind:
            case "loaded":
                assert self._serving is not None
                current = self._serving.loads.current
                assert current is not None
                graph = current.loaded["graph"]
                self._graph = f"{count(len(graph['nodes']), 'asset')}, {count(len(graph['edges']), 'edge')}"
                self._loaded = f"loaded in {duration(data['seconds'])}: {effect(data)}"
                self._error = None
                self.line(
                    f"{_clock()} {self._loaded} ({self._graph})" if data["load"] == 1 else f"{_clock()} {self._loaded}"
                )
            case "broken":
                kept = "; the last graph that could be loaded stays" if data["current"] is not None else ""
                self._error = f"the definitions cannot be loaded{kept}"
                self._tell_error(data["error"])
            case "stale" if data["stale"] or data["settled"]:
                self.line(f"{_clock()} {staleness(data)}")
            case "run":
                self._take_run(data)
            case _:
                return
        self._refresh()

    def _take_run(self, data: Mapping[str, Any]) -> None:
        run_id = data["run_id"]
        done = f"{data['done']:,} of {data['total']:,}"
        if data["status"] == "running":
            if run_id not in self._running:
                self.line(f"{_clock()} run {run_id} began: {count(data['total'], 'partition')} to do")
            self._running[run_id] = f"run {run_id}: {done}" + (f", {data['asset']}" if data["asset"] else "")
        else:
            self._running.pop(run_id, None)
            self.line(f"{_clock()} run {run_id}: {data['status']}, {done} in {duration(data['seconds'])}")

    def _tell_error(self, error: Mapping[str, Any]) -> None:
        from io import StringIO

        text = StringIO()
        for each in error.get("errors") or (error,):
            show_fields(Page(text), each)
        self.line(f"{_clock()} {self._error}")
        for line in text.getvalue().splitlines():
            self.line(line)

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def _draw(self) -> RenderableType:
        from rich.text import Text

        url = self._serving.url if self._serving else "starting"
        text = Text()
        text.append(url, style="bold")
        text.append(f"  {self._graph}" if self._graph else "")
        text.append(f"\n{visible(self._error or self._loaded)}", style="bold red" if self._error else "dim")
        for told in self._running.values():
            text.append(f"\n{visible(told)}", style="cyan")
        text.append("\nCtrl-C stops", style="dim")
        return text


def effect(load: Mapping[str, Any]) -> str:
    """What a load changed, in words.

    >>> edges = {"added": [], "removed": []}
    >>> changed = [{"asset": "orders", "what": ["code", "schema"]}]
    >>> assets = {"added": ["a"], "removed": [], "changed": changed}
    >>> effect({"load": 2, "changes": {"assets": assets, "edges": edges, "schemas": []}})
    '1 asset added (a), 1 changed (orders: code, schema)'
    """
    if load["load"] == 1:
        return "ready"
    assets, edges = load["changes"]["assets"], load["changes"]["edges"]
    parts: list[str] = []
    for word in ("added", "removed"):
        if assets[word]:
            noun = count(len(assets[word]), "asset") if not parts else f"{len(assets[word]):,}"
            parts.append(f"{noun} {word} ({_some(assets[word])})")
    if assets["changed"]:
        named = [f"{each['asset']}: {', '.join(each['what'])}" for each in assets["changed"]]
        noun = count(len(named), "asset") if not parts else f"{len(named):,}"
        parts.append(f"{noun} changed ({_some(named)})")
    parts += [f"{count(len(edges[word]), 'edge')} {word}" for word in ("added", "removed") if edges[word]]
    return ", ".join(parts) or "nothing in the graph changed"


def staleness(became: Mapping[str, Any]) -> str:
    """What became stale, and why, in words.

    >>> step = {"asset": "orders", "partitions": {"count": 3}, "causes": [{"detail": "code changed: orders"}]}
    >>> staleness({"stale": [step], "settled": []})
    'to build: 3 partitions of orders (code changed: orders)'
    """
    parts: list[str] = []
    if became["stale"]:
        named = [
            f"{count(each['partitions']['count'] if each['partitions'] else 1, 'partition')} of {each['asset']}"
            + (f" ({each['causes'][0]['detail']})" if each["causes"] else "")
            for each in became["stale"]
        ]
        parts.append(f"to build: {_some(named)}")
    if became["settled"]:
        named = [f"{count(each['count'], 'partition')} of {each['asset']}" for each in became["settled"]]
        parts.append(f"no longer to build: {_some(named)}")
    return "; ".join(parts)


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _open_browser(url: str) -> None:
    import webbrowser

    webbrowser.open(url)


def _port(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or int(text) > 65_535:
        raise ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


def _arguments(parser: Parser) -> None:
    parser.add_argument("--port", metavar="N", type=_port, default=None, help="the port; 0 for any that is free (8470)")
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument("--poll", action="store_true", help="look for saves again and again: for network file systems")


COMMANDS = {
    "dev": Command(
        _arguments,
        dev,
        "Serve the project, and load its definitions anew at each save: what changed, and what that makes stale. "
        "Reachable from this machine only, unless --host says otherwise; then one needs a token, which is printed.",
    )
}
