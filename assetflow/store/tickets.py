"""Promises of commits: what a caller of the writer holds while its request is on the way."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from threading import Condition
from typing import Generic, TypeVar

from assetflow.errors import AssetflowError

T = TypeVar("T")


class Promise(Generic[T]):
    """An answer that the writer's thread gives later: a value or an error; it is a Ticket where the value is an int."""

    __slots__ = ("_answer", "_answered", "_done", "answered_at", "error", "heard")

    def __init__(self, answered: Condition) -> None:
        self._answered = answered
        self._done = False
        self._answer: tuple[T, ...] = ()
        self.error: AssetflowError | None = None
        self.answered_at: datetime | None = None
        self.heard = False
        """Whether somebody was given the error."""

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._done

    def result(self, timeout: float | None = None) -> T:
        """Wait for the answer. Raises the error if it is one, and TimeoutError after ``timeout`` seconds."""
        if not self._done:
            with self._answered:
                if not self._answered.wait_for(self.done, timeout):
                    raise TimeoutError(f"no answer from the metadata store within {timeout} s")
        if self.error is not None:
            self.heard = True
            # A copy, because several callers may raise the same error, each with its own traceback.
            raise copy(self.error) from self.error
        return self._answer[0]

    def answer(self, value: T, at: datetime | None = None) -> None:
        """Keep the promise; for the writer, which holds the condition and notifies."""
        self._answer = (value,)
        self.answered_at = at
        self._done = True

    def refuse(self, error: AssetflowError) -> None:
        """Break the promise; for the writer, which holds the condition and notifies."""
        self.error = error
        self._done = True
