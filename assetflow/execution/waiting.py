"""Waiting as a value that is handed in, so that a simulation can decide how time goes by."""

from __future__ import annotations

import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol


class Waiting(Protocol):
    """How a run loop waits."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def wait(self, futures: Collection[Future[Any]], seconds: float | None) -> None:
        """Return once one of the futures is done, or so many seconds have passed; None: however long it takes."""
        ...


class RealTime:
    """Waits in the time of this machine."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, futures: Collection[Future[Any]], seconds: float | None) -> None:
        """Wait for the first future; without any, sleep."""
        if futures:
            wait(futures, seconds, FIRST_COMPLETED)
        elif seconds is not None:
            time.sleep(seconds)
