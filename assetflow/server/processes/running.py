"""One run, in a process of its own: it tells how it goes, and an interrupt cancels it."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any, NoReturn, cast

from assetflow.execution.result import RunEvent
from assetflow.project import Project
from assetflow.server.processes.answering import record_action, refusal
from assetflow.server.processes.wire import Message, send

_EVERY = 0.1
"""Seconds between two reports of partitions that are done."""


def run(project: Project, connection: socket.socket, message: Message) -> None:
    """Materialize, or retry a run, as the message says."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    asked = cast("Mapping[str, Any]", message["asked"])
    options = {name: value for name, value in asked.items() if name not in ("select", "partitions", "run_id")}
    teller = _Teller(connection)
    try:
        record_action(project, cast("Mapping[str, object]", message["action"]))
        if "run_id" in asked:
            result = project.retry(asked["run_id"], on_event=teller.tell, trigger="ui", **options)
        else:
            result = project.materialize(
                asked["select"], asked["partitions"], on_event=teller.tell, trigger="ui", **options
            )
    except KeyboardInterrupt:
        send(connection, {"refused": {"status": 409, "document": _canceled()}})
    except Exception as error:
        send(connection, {"refused": refusal(error)})
    else:
        send(connection, {"finished": result.to_dict()})


def _canceled() -> dict[str, object]:
    hint = "nothing was started"
    return {"error": {"type": "Interrupted", "message": "canceled", "hint": hint, "location": None}}


class _Teller:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._told = 0.0
        self._alone = False

    def tell(self, event: RunEvent) -> None:
        """Tell the server; where it has gone, the run is canceled."""
        now = time.monotonic()
        if self._alone or (event.kind == "partition" and now - self._told < _EVERY):
            return
        self._told = now
        told: dict[str, object] = {
            "run_id": event.run_id,
            "kind": event.kind,
            "done": event.done,
            "total": event.total,
            "seconds": round(event.seconds, 3),
            "left": event.left if event.left_complete else None,
            "asset": event.computation,
            "partition": event.partition,
            "outcome": event.outcome,
        }
        try:
            send(self._connection, {"event": told})
        except OSError:
            self._alone = True
            raise KeyboardInterrupt from None


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
