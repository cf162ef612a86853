"""Questions about a loaded project, one after the other: each gives a document, as ``--json`` prints it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

import numpy as np

from assetflow.catalog.lineage import Direction
from assetflow.catalog.naming import partition_names
from assetflow.documents import document_of
from assetflow.errors import (
    AssetflowError,
    PlanOutdated,
    StoreError,
    UnknownAsset,
    UnknownRun,
    UnknownVersion,
    UsageError,
)
from assetflow.graph.declared import asset_row, asset_rows
from assetflow.keys import AssetKey
from assetflow.opening.logs import run_lines
from assetflow.project import Project
from assetflow.server.processes.pages import Page
from assetflow.server.processes.standing import differences, standing_of
from assetflow.server.processes.wire import Message, receive, send
from assetflow.store.records import EventRecord, EventRow

Asked = Mapping[str, Any]
Document = Mapping[str, object]

_ALL_RUNS = 1_000_000

_STATUS: tuple[tuple[type[AssetflowError], int], ...] = (
    (UnknownAsset, 404),
    (UnknownRun, 404),
    (UnknownVersion, 404),
    (PlanOutdated, 409),
    (UsageError, 400),
    (StoreError, 503),
)


def answer(project: Project, connection: socket.socket, message: Message) -> None:
    """Answer questions until nobody asks any more."""
    desk = Desk(project)
    while True:
        asked, _ = receive(connection)
        if asked is None:
            return
        send(connection, desk.answer(asked))


def answer_once(project: Project, connection: socket.socket, message: Message) -> None:
    """Answer the question in the message that named this job."""
    send(connection, Desk(project).answer(cast("Message", message["asked"])))


def refusal(error: BaseException) -> dict[str, object]:
    """An error as an answer: its document, and the HTTP status that it stands for."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return {"status": status, "document": document_of(error)}


class Desk:
    """Answers for one project; what it has read stays, and costs what has changed since."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.live = project.live()

    def answer(self, asked: Message) -> dict[str, object]:
        """The document that answers a question, with an HTTP status."""
        try:
            document = QUESTIONS[cast("str", asked["ask"])](self, cast("Asked", asked.get("with", {})))
        except Exception as error:
            return refusal(error)
        return {"status": 200, "document": document}

    def key(self, asked: Asked) -> AssetKey:
        """The asset that a question is about. Raises UnknownAsset."""
        return self.project.graph.require(asked["asset"])


def _page(asked: Asked) -> Page:
    return Page(asked["limit"], asked["after"])


def plan(desk: Desk, asked: Asked) -> Document:
    """What would run now, and why."""
    options = {
        name: asked[name]
        for name in ("force", "due", "workers", "retry_failed", "include_late", "observe", "strict_observe")
    }
    partitions = asked["partitions"]
    if not asked["explain"]:
        return desk.live.plan(asked["select"], partitions, estimate=True, **options).to_dict()
    made = desk.project.plan(asked["select"], partitions, **options)
    pairs = zip(made.steps, made.traces(), strict=True)
    return {**made.to_dict(), "steps": [{**step.to_dict(), "trace": trace.to_dict()} for step, trace in pairs]}


def status(desk: Desk, asked: Asked) -> Document:
    """Counts by state, watermarks and freshness."""
    found = desk.project.status(asked["select"], observe=asked["observe"]).to_dict()
    rows = cast("list[dict[str, object]]", found["assets"])
    return {**found, **_page(asked).of("assets", rows, lambda row: row["asset"])}


def why(desk: Desk, asked: Asked) -> Document:
    """The state of an asset or a partition, with its causes."""
    return desk.live.why(desk.key(asked), asked["partition"], observe=asked["observe"]).to_dict()


def lineage(desk: Desk, asked: Asked) -> Document:
    """What something was made from, or what was made from it; edges are those between the nodes of the page."""
    direction = cast("Direction", asked["direction"])
    found = desk.project.catalog.lineage(desk.key(asked), asked["partition"], direction=direction, depth=asked["depth"])
    document = cast("dict[str, list[dict[str, object]]]", found.to_dict())
    page = _page(asked).of("nodes", document["nodes"], lambda row: row["id"])
    shown = {row["id"] for row in cast("list[dict[str, object]]", page["nodes"])}
    edges = document["edges"]
    if page["next"] is not None or asked["after"] is not None:
        edges = [edge for edge in edges if edge["from"] in shown or edge["to"] in shown]
    return {**page, "edges": edges}


def versions(desk: Desk, asked: Asked) -> Document:
    """The versions of an asset or a partition, the newest first."""
    rows = desk.project.versions(desk.key(asked), asked["partition"])
    return _page(asked).of("versions", rows, lambda row: row["version"])


def assets(desk: Desk, asked: Asked) -> Document:
    """What is declared, upstreams first."""
    return _page(asked).of("assets", asset_rows(desk.project.graph), lambda row: row["asset"])


def asset(desk: Desk, asked: Asked) -> Document:
    """One asset: what is declared, its state, and its columns."""
    key = desk.key(asked)
    graph = desk.project.graph
    node = graph.node_of(key)
    row = asset_row(graph, node, node.outputs.index(key))
    state = desk.project.status(key, observe=False).to_dict()
    mine = [each for each in cast("list[dict[str, object]]", state["assets"]) if each["asset"] == key]
    code = desk.project.code.codes.computations.get(node.name)
    return {**row, "status": mine[0], "code_version": None if code is None else str(code.version)}


def runs(desk: Desk, asked: Asked) -> Document:
    """Runs, the newest first."""
    rows = desk.project.runs(_ALL_RUNS)
    return _page(asked).of("runs", rows, lambda row: row["run_id"])


def run(desk: Desk, asked: Asked) -> Document:
    """One run with a page of its steps."""
    found = desk.project.run(asked["run_id"])
    steps = cast("list[dict[str, object]]", found["steps"])
    numbered = [{**step, "step": place} for place, step in enumerate(steps)]
    return {**found, **_page(asked).of("steps", numbered, lambda row: row["step"])}


def logs(desk: Desk, asked: Asked) -> Document:
    """What user code printed and logged in a run: a page of lines, each with its number."""
    start: int = 0 if asked["after"] is None else asked["after"] + 1
    stop = start + asked["limit"]
    lines = enumerate(run_lines(desk.project.setting, asked["run_id"], asked["step"]))
    found = [{"line": number, **line.to_dict()} for number, line in islice(lines, start, stop + 1)]
    more = len(found) > asked["limit"]
    return {"run_id": asked["run_id"], "lines": found[: asked["limit"]], "next": stop - 1 if more else None}


def explain(desk: Desk, asked: Asked) -> Document:
    """Why something ran in one run and not in another."""
    return desk.project.explain(asked["first"], asked["second"], asked["asset"], asked["partition"]).to_dict()


def query(desk: Desk, asked: Asked) -> Document:
    """The answer of one select statement."""
    return desk.project.catalog.answer(asked["sql"], limit=asked["limit"]).to_dict()


def preview(desk: Desk, asked: Asked) -> Document:
    """The first rows of what is published."""
    return desk.project.catalog.preview(
        desk.key(asked), asked["partition"], version=asked["version"], limit=asked["limit"]
    ).to_dict()


def rollback(desk: Desk, asked: Asked) -> Document:
    """Publish an earlier version again."""
    _audit(desk, asked)
    return desk.project.rollback(
        desk.key(asked),
        asked["partition"],
        to=asked["to"],
        with_downstream=asked["with_downstream"],
        reason=asked["reason"],
    )


def accept(desk: Desk, asked: Asked) -> Document:
    """Take what is published as what today's code and inputs give."""
    _audit(desk, asked)
    return desk.project.accept(desk.key(asked), asked["reason"])


def cancel(desk: Desk, asked: Asked) -> Document:
    """Ask a run to stop."""
    desk.project.cancel(asked["run_id"])
    _audit(desk, asked)
    return {"run_id": asked["run_id"], "cancel_asked": True}


def audit(desk: Desk, asked: Asked) -> Document:
    """Record that somebody did something."""
    _audit(desk, asked)
    return {}


def _audit(desk: Desk, asked: Asked) -> None:
    record_action(desk.project, cast("Mapping[str, object]", asked["action"]))


def record_action(project: Project, action: Mapping[str, object]) -> None:
    """Append an event of kind ``action``: what was done, by whom and from where. Raises StoreError."""
    event = EventRecord(datetime.now(UTC), "action", payload=action)
    project.store.writer.record_steps([], [event])
    project.store.writer.flush()


def standing(desk: Desk, asked: Asked) -> Document:
    """What is not up to date; with ``before``, what has become so, or is so no longer."""
    made = desk.live.plan(observe=False)
    found: dict[str, object] = {"standing": standing_of(made, desk.project.setting)}
    before = asked.get("before")
    return found if before is None else {**found, **differences(made, before, desk.project.setting)}


def events(desk: Desk, asked: Asked) -> Document:
    """Events of the store after a number, at most so many."""
    rows = desk.project.store.reader.events_since(asked["since"], limit=asked["limit"])
    return {"events": _event_rows(desk, rows), "last": rows[-1].seq if rows else asked["since"]}


def last_event(desk: Desk, asked: Asked) -> Document:
    """The number of the last event."""
    reader = desk.project.store.reader

    def reached(seq: int) -> bool:
        return bool(reader.events_since(seq - 1, limit=1))

    low, high = 0, 1
    while reached(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) else (low, middle)
    return {"last": low}


def _event_rows(desk: Desk, rows: list[EventRow]) -> list[dict[str, object]]:
    setting = desk.project.setting
    names = partition_names(setting.graph, setting.spaces, setting.uids, setting.reader) if rows else None

    def partition(event: EventRecord) -> str | None:
        if names is None or event.asset is None or event.ordinal is None:
            return None
        return names.keys(event.asset, np.array([event.ordinal], np.int64), event.uid)[0]

    return [
        {
            "seq": row.seq,
            "occurred_at": row.event.occurred_at.isoformat(),
            "kind": row.event.kind,
            "asset": row.event.asset,
            "partition": partition(row.event),
            "run_id": row.event.run_id,
            "payload": dict(row.event.payload),
        }
        for row in rows
    ]


QUESTIONS: Mapping[str, Callable[[Desk, Asked], Document]] = {
    each.__name__: each
    for each in (
        *(plan, status, why, lineage, versions, assets, asset, runs, run, logs, explain, query, preview),
        *(rollback, accept, cancel, audit, standing, events, last_event),
    )
}
"""By name: everything that can be asked."""
