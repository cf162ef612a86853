"""Heartbeats as a value that is handed in, so that a simulation can decide when they come."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol


class Heart(Protocol):
    """What keeps leases alive while the program does something else."""

    def start(self, beat: Callable[[], bool], every: float) -> Callable[[], None]:
        """Call ``beat`` each ``every`` seconds until it gives False, or until what this gives is called."""
        ...


class ThreadedHeart:
    """Beats in a thread of its own, however long a function of the user's takes."""

    def start(self, beat: Callable[[], bool], every: float) -> Callable[[], None]:
        """Start the thread; it ends within one beat of being stopped."""
        over = Event()

        def run() -> None:
            while not over.wait(every) and beat():
                pass

        Thread(target=run, name="assetflow-lease", daemon=True).start()
        return over.set
