"""One load of a project, in a process of its own: it imports the definitions once, and everything that needs the
user's code from then on is done by copies of it. An edit changes nothing in them.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import cast

from assetflow.documents import document_of
from assetflow.execution.sources import SourceFinder
from assetflow.fingerprint.sources import project_predicate
from assetflow.graph.declared import graph_document
from assetflow.keys import AssetKey
from assetflow.opening.loading import working_in
from assetflow.project import Project
from assetflow.server.processes.forking import Forker, may_be_copied
from assetflow.server.processes.jobs import JOBS
from assetflow.server.processes.noting import noting_files
from assetflow.server.processes.wire import Message, receive, send


def load(connection: socket.socket) -> None:
    """Load the project that the first message names, tell what it declares or what is wrong, and serve copies."""
    message, _ = receive(connection)
    if message is None:
        return
    root = Path(cast("str", message["root"]))
    began = time.perf_counter()
    with noting_files(project_predicate(root, [root / ".assetflow"])) as noted:
        try:
            project = Project.open(root)
            told = _told(project)
        except BaseException as error:
            _answer(connection, {**document_of(error), "files": noted, "seconds": time.perf_counter() - began})
            return
    _answer(connection, {**told, "files": noted, "seconds": time.perf_counter() - began})
    _keep_sources(project)
    with working_in(root):
        fresh = f"from assetflow.server.processes.loading import work_fresh; work_fresh({{descriptor}}, {str(root)!r})"
        Forker(connection, partial(work, project), None if may_be_copied(sockets=1) else fresh).serve()


def load_fresh(descriptor: int) -> None:
    """The same in a fresh interpreter."""
    load(_adopted(descriptor))


def work(project: Project, connection: socket.socket) -> None:
    """Do the job that the first message names."""
    message, _ = receive(connection)
    if message is not None:
        JOBS[cast("str", message["job"])](project, connection, message)


def work_fresh(descriptor: int, root: str) -> None:
    """The same in a fresh interpreter, which loads the project itself."""
    connection = _adopted(descriptor)
    with Project.open(root) as project, working_in(project.root):
        work(project, connection)


def _adopted(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def _keep_sources(project: Project) -> None:
    """From now on, what runs import is what the project's files hold at this moment."""
    sys.dont_write_bytecode = True
    project.sources.complete()
    SourceFinder(project.sources).install()


def _answer(connection: socket.socket, message: Message) -> None:
    try:
        send(connection, message)
    except OSError:
        os._exit(0)  # a newer save has made this load pointless


def _told(project: Project) -> Message:
    graph, codes = project.graph, project.code.codes
    code = {
        key: str(codes.computations[name].version) for key, name in graph.owner.items() if name in codes.computations
    }
    checks = {f"{key}:{name}": str(version) for (key, name), version in codes.checks.items()}
    storage = project.storage.root
    return {
        "name": project.name,
        "root": str(project.root),
        "environment": project.environment,
        "storage": str(storage),
        "graph": graph_document(graph),
        "code": code,
        "checks": checks,
        "schemas": {key: _columns(project, key) for key in graph.specs},
    }


def _columns(project: Project, key: AssetKey) -> list[list[object]]:
    from assetflow.definitions.schema import schema_columns

    schema = project.graph.specs[key].schema
    columns = schema_columns(schema) if schema else ()
    return [[each.name, getattr(each.type, "__name__", str(each.type)), each.nullable] for each in columns]
