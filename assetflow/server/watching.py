"""Which saves matter: the files that definitions are read from, and telling when they change.

Events of the file system only wake; what has changed is decided by looking. So nothing depends on the order in which
editors write, rename and delete, and the same looking is all there is where a file system has no events.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from assetflow.server.processes.noting import Stamp, stamp

_SOURCES = (".py", ".sql")
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_MOST_FOLDERS = 10_000
_STEP_MS = 10
_DEBOUNCE_MS = 100
_QUIET_MS = 300
_LOOK_EVERY = 40
"""Looks without an event come every so many quiet periods: should an event ever be lost, it is not for long."""

_POLL = 0.25
_SHARE = 40
"""Polling takes at most one part in so many of a processor."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The folders to watch, and the state of every file that matters."""

    folders: frozenset[str]
    files: dict[str, Stamp]

    def changed_since(self, before: Seen) -> list[str]:
        """The files that were added, removed or written."""
        paths = {path for path, _ in self.files.items() ^ before.files.items()}
        return sorted(paths)


def look(root: Path, excluded: Iterable[Path], also: Iterable[str] = ()) -> Seen:
    """Look at a project: Python and SQL files, ``pyproject.toml``, ``.env`` files, and the paths ``also``.

    Hidden folders, virtual environments, caches and the ``excluded`` folders are passed over.
    """
    outside = {os.path.realpath(path) for path in excluded}
    folders: list[str] = []
    files: dict[str, Stamp] = {}
    pending = [os.path.realpath(root)]
    while pending and len(folders) < _MOST_FOLDERS:
        folder = pending.pop()
        with suppress(OSError), os.scandir(folder) as entries:
            found = list(entries)
            if folders and any(entry.name == "pyvenv.cfg" for entry in found):
                continue
            folders.append(folder)
            for entry in found:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        if _is_looked_into(entry.name) and entry.path not in outside:
                            pending.append(entry.path)
                    elif matters(entry.name):
                        files[entry.path] = stamp(entry.path)
    for path in also:
        with suppress(OSError):
            files[path] = stamp(path)
    return Seen(frozenset(folders), files)


def matters(name: str) -> bool:
    """Whether a file of that name may be part of the definitions.

    >>> [matters(name) for name in ("assets.py", "orders.sql", "pyproject.toml", ".env", "data.csv", ".assets.py.swp")]
    [True, True, True, True, False, False]
    """
    return name in ("pyproject.toml", ".env") or name.startswith(".env.") or name.endswith(_SOURCES)


def _is_looked_into(name: str) -> bool:
    return not name.startswith(".") and name not in _PASSED_OVER


async def saves(
    root: Path,
    excluded: Callable[[], Iterable[Path]],
    also: Callable[[], Mapping[str, Stamp]],
    stop: asyncio.Event,
    *,
    poll: bool,
) -> AsyncGenerator[list[str]]:
    """The files of each save, from now on, until ``stop``. Looks again and again where ``poll`` is asked for.

    ``also`` are files beside those that always matter, as they were when they were last read.
    """
    seen = look(root, excluded(), also())
    looks = _polled if poll else _woken
    while not stop.is_set():
        async with aclosing(looks(lambda: look(root, excluded(), also()), seen, stop)) as found:
            async for now in found:
                read = also()
                # What definitions were read from was seen by them, if not here.
                known = Seen(seen.folders, {**read, **seen.files})
                changed = [path for path in now.changed_since(known) if path in read or matters(os.path.basename(path))]
                moved, seen = now.folders != seen.folders, now
                if changed:
                    yield changed
                if moved and not poll:
                    break  # other folders are to be watched


async def _polled(looked: Callable[[], Seen], seen: Seen, stop: asyncio.Event) -> AsyncGenerator[Seen]:
    took = 0.0
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(max(_POLL, _SHARE * took)):
                await stop.wait()
        began = time.perf_counter()
        found = looked()
        took = time.perf_counter() - began
        yield found


async def _woken(looked: Callable[[], Seen], seen: Seen, stop: asyncio.Event) -> AsyncGenerator[Seen]:
    """A look after each event, one soon after the watch began, for what came before it, and one once in a while."""
    from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]  # its stop_event may be of any kind

    folders = sorted(folder for folder in seen.folders if os.path.isdir(folder))
    quiet = 0
    with suppress(FileNotFoundError):  # a folder has gone meanwhile
        watching = awatch(
            *folders,
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=stop,
            rust_timeout=_QUIET_MS,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        )
        async with aclosing(watching):
            async for changes in watching:
                quiet = 0 if changes else quiet + 1
                if changes or quiet == 1 or quiet % _LOOK_EVERY == 0:
                    yield looked()
    yield looked()
