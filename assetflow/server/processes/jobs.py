"""What a copy of a loaded project can be started for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from assetflow.project import Project
from assetflow.server.processes.answering import answer, answer_once
from assetflow.server.processes.running import run
from assetflow.server.processes.wire import Message

JOBS: Mapping[str, Callable[[Project, socket.socket, Message], None]] = {
    "answer": answer,
    "once": answer_once,
    "run": run,
}
"""``answer`` questions until the server has gone, one of them ``once``, or carry out one ``run``."""
