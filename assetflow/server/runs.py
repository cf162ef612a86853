"""Runs that were started from here: one process each, followed, and canceled by a signal."""

from __future__ import annotations

import asyncio
import signal
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from assetflow.documents import dumps
from assetflow.server.children import Child, ChildGone, ended_text
from assetflow.server.generations import Answer, Generation, refused
from assetflow.server.loads import Loads

MOST_RUNS = 16
"""How many runs may go on at once."""

_KEPT_PLANS = 32
_MOST_PLAN = 4_000_000


@dataclass(slots=True)
class Running:
    """A run that goes on; ``progress`` is the last that it told."""

    child: Child
    generation: Generation
    progress: Mapping[str, Any]


class Runs:
    """Starts and cancels runs; remembers plans that were shown, to say how a newer one differs."""

    def __init__(self, loads: Loads) -> None:
        self._loads = loads
        self._following: set[asyncio.Task[None]] = set()
        self._plans: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._starting = 0
        self.running: dict[str, Running] = {}

    def remember(self, plan: Answer) -> None:
        """Keep a plan that somebody is shown."""
        if plan.status == 200 and len(plan.body) <= _MOST_PLAN:
            document = plan.document()
            self._plans[document["plan_id"]] = document
            self._plans.move_to_end(document["plan_id"])
            while len(self._plans) > _KEPT_PLANS:
                self._plans.popitem(last=False)

    async def start(self, generation: Generation, asked: Mapping[str, object], action: Mapping[str, object]) -> Answer:
        """Start a run: 202 with its id, 200 with its document when there is nothing to do, or why it cannot be."""
        if len(self.running) + self._starting >= MOST_RUNS:
            return refused(429, "TooManyRuns", f"{MOST_RUNS} runs are going on", "wait for one, or cancel one")
        starting = asyncio.ensure_future(self._start(generation, asked, action))
        self._starting += 1
        starting.add_done_callback(self._started)
        # Whoever asked may go away; the run has begun all the same.
        return await asyncio.shield(starting)

    def _started(self, _: object) -> None:
        self._starting -= 1

    async def _start(self, generation: Generation, asked: Mapping[str, object], action: Mapping[str, object]) -> Answer:
        try:
            child = await generation.start_run()
        except ChildGone as gone:
            return refused(500, "InternalError", f"the process that loaded the project {ended_text(gone.code)}")
        try:
            child.send({"job": "run", "asked": dict(asked), "action": dict(action)})
            first = await child.receive()
        except ChildGone as gone:
            first = {"refused": {"status": 500, "document": _died(gone)}}
        progress = cast("dict[str, Any] | None", first.get("event"))
        if progress is None:
            child.close()
            generation.run_ended()
            if "finished" in first:
                return Answer.of({"status": 200, "document": first["finished"]})
            return self._refused(first["refused"], str(asked.get("plan_id")))
        run_id: str = progress["run_id"]
        running = self.running[run_id] = Running(child, generation, progress)
        self._loads.events.add("run", {"status": "running", **progress})
        task = asyncio.create_task(self._follow(run_id, running))
        self._following.add(task)
        task.add_done_callback(self._following.discard)
        started = {"run_id": run_id, "status": "running", "load": generation.number, "total": progress["total"]}
        return Answer.of({"status": 202, "document": started})

    def cancel(self, run_id: str) -> None:
        """Interrupt a run, if it was started here and goes on."""
        if (running := self.running.get(run_id)) is not None:
            running.child.kill(signal.SIGINT)

    async def stop(self, patience: float) -> None:
        """Cancel what goes on, and wait for it."""
        for run_id in list(self.running):
            self.cancel(run_id)
        if self._following:
            await asyncio.wait(self._following, timeout=patience)

    async def _follow(self, run_id: str, running: Running) -> None:
        events = self._loads.events
        try:
            while True:
                message = await running.child.receive()
                told = cast("dict[str, dict[str, Any]]", message)
                if "event" in told:
                    running.progress = told["event"]
                    events.add("run", {"status": "running", **running.progress})
                elif "finished" in told:
                    finished = told["finished"]
                    events.add("run", {**running.progress, "kind": "finished", "status": finished["status"]})
                    return
                else:
                    error = told["refused"]["document"]["error"]
                    events.add("run", {**running.progress, "status": "failed", "kind": "finished", "error": error})
                    return
        except ChildGone as gone:
            error = _died(gone)["error"]
            events.add("run", {**running.progress, "status": "failed", "kind": "finished", "error": error})
        finally:
            del self.running[run_id]
            running.child.close()
            running.generation.run_ended()

    def _refused(self, refusal: Any, plan_id: str) -> Answer:
        document: dict[str, Any] = refusal["document"]
        new = document["error"].pop("plan", None)
        if new is not None:
            old = self._plans.get(plan_id)
            document = {**document, "plan": new, "difference": None if old is None else plan_difference(old, new)}
            self.remember(Answer(200, dumps(new).encode("ascii")))
        return Answer.of({"status": refusal["status"], "document": document})


def plan_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps of two plans that differ: each as it was and as it is; none if only code or inputs do.

    >>> step = {"asset": "a", "certainty": "will", "partitions": None, "causes": [], "estimate": None}
    >>> plan_difference({"steps": [step]}, {"steps": []})
    [{'asset': 'a', 'certainty': 'will', 'before': {'partitions': None, 'causes': []}, 'after': None}]
    """
    before = {(step["asset"], step["certainty"]): _content(step) for step in old["steps"]}
    after = {(step["asset"], step["certainty"]): _content(step) for step in new["steps"]}
    return [
        {"asset": asset, "certainty": certainty, "before": before.get(key), "after": after.get(key)}
        for key in dict.fromkeys((*after, *before))
        if before.get(key) != after.get(key)
        for asset, certainty in (key,)
    ]


def _content(step: Mapping[str, Any]) -> dict[str, Any]:
    return {"partitions": step["partitions"], "causes": step["causes"]}


def _died(gone: ChildGone) -> dict[str, Any]:
    message = f"the process of the run {ended_text(gone.code)}"
    hint = "what was published stays; `assetflow materialize` goes on from there"
    return {"error": {"type": "RunDied", "message": message, "hint": hint, "location": None}}
