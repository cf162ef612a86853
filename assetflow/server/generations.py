"""One load of the project as the server holds it: plain documents, and a process that answers for the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

from assetflow.documents import dumps
from assetflow.server.children import Child, ChildGone, Forking, ended_text
from assetflow.server.comparing import Loaded

ANSWER_SECONDS = 120.0
"""A question that takes longer is given up; observing sources is user code, and may hang."""


class Answer:
    """What a question gave: a document as JSON text, and the HTTP status that goes with it."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Answer:
        """From the message of an answering process."""
        return cls(message["status"], dumps(message["document"]).encode("ascii"))

    def document(self) -> dict[str, Any]:
        """The document itself."""
        return json.loads(self.body)


def refused(status: int, kind: str, message: str, hint: str | None = None) -> Answer:
    """An error document as an answer."""
    error = {"type": kind, "message": message, "hint": hint, "location": None}
    return Answer(status, dumps({"error": error}).encode("ascii"))


class Retired(Exception):
    """A newer load has taken the place of this one: ask that."""


class Generation:
    """One load that succeeded. ``number`` counts loads, failed ones too."""

    def __init__(self, number: int, loaded: Loaded, process: Forking) -> None:
        self.number = number
        self.loaded = loaded
        self._process = process
        self._answering: Child | None = None
        self._turn = asyncio.Lock()
        self._runs = 0
        self._retired = False
        self.asset_names = frozenset(cast("str", node["asset"]) for node in loaded["graph"]["nodes"])

    @cached_property
    def graph(self) -> bytes:
        """The graph document."""
        return dumps(self.loaded["graph"]).encode("ascii")

    async def ask(self, question: str, **asked: object) -> Answer:
        """A document about the project as it was loaded; one question after the other."""
        async with self._turn:
            if self._retired:
                raise Retired
            try:
                child = await self._answerer()
                child.send({"ask": question, "with": asked})
                async with asyncio.timeout(ANSWER_SECONDS):
                    return Answer.of(await child.receive())
            except ChildGone as gone:
                self._drop()
                return refused(500, "InternalError", f"the process that answers {ended_text(gone.code)}", _AGAIN)
            except TimeoutError:
                self._drop()
                told = f"{question} took longer than {ANSWER_SECONDS:.0f} s"
                return refused(504, "Timeout", told, "ask without observing, or for fewer assets")
            except asyncio.CancelledError:
                self._drop()  # what it would answer is nobody's
                raise

    async def ask_once(self, question: str, seconds: float, **asked: object) -> Answer:
        """The same in a process of its own, beside the other questions; killed after so many ``seconds``."""
        child: Child | None = None
        if self._retired:
            raise Retired
        try:
            child = await self._process.fork()
            child.send({"job": "once", "asked": {"ask": question, "with": asked}})
            async with asyncio.timeout(seconds):
                return Answer.of(await child.receive())
        except ChildGone as gone:
            return refused(500, "InternalError", f"the process that answers {ended_text(gone.code)}", _AGAIN)
        except TimeoutError:
            return refused(504, "Timeout", f"{question} took longer than {seconds:.0f} s", "ask for less")
        finally:
            if child is not None:
                child.end()

    async def start_run(self) -> Child:
        """A process for a run; :meth:`run_ended` is to be called afterwards. Raises ChildGone."""
        if self._retired:
            raise Retired
        self._runs += 1
        try:
            return await self._process.fork()
        except BaseException:
            self.run_ended()
            raise

    def run_ended(self) -> None:
        """A run of this load has ended."""
        self._runs -= 1
        self._close_if_done()

    async def retire(self) -> None:
        """Answer nothing any more, once what was asked is answered; runs go on to their end."""
        async with self._turn:
            self._retired = True
            self._drop()
        self._process.retire()
        self._close_if_done()

    def close(self) -> None:
        """End all of it, runs too."""
        self._retired = True
        self._drop()
        self._process.close()

    def _close_if_done(self) -> None:
        if self._retired and not self._runs:
            self._process.close()

    async def _answerer(self) -> Child:
        if self._answering is None:
            self._answering = await self._process.fork()
            self._answering.send({"job": "answer"})
        return self._answering

    def _drop(self) -> None:
        if self._answering is not None:
            self._answering.end()
            self._answering = None


_AGAIN = "ask again; if it goes on, `assetflow doctor` may know why"
