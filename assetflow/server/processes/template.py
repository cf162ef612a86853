"""The template: a process with the libraries that a project is likely to use, of which loading processes are copies.

It never loads user code, so that every load begins from the same state.
"""

from __future__ import annotations

import gc
import os
import socket
from contextlib import suppress
from importlib import import_module

from assetflow.server.processes.forking import Forker, may_be_copied

WARM = (
    *("numpy", "pyroaring", "blake3", "pyarrow", "pyarrow.dataset", "pyarrow.parquet", "pandas"),
    *("assetflow.project", "assetflow.results", "assetflow.opening.loading", "assetflow.opening.live"),
    *("assetflow.opening.code", "assetflow.opening.setting", "assetflow.catalog.status", "assetflow.store.sqlite"),
    *("assetflow.catalog.evidence", "assetflow.execution.observe", "assetflow.planner.estimates"),
    *("assetflow.graph.declared", "assetflow.server.processes.loading", "assetflow.server.processes.answering"),
)
"""What most loads need, and what costs most: a table library that is imported anew takes longer than all the rest."""

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def main(descriptor: int) -> None:
    """Serve copies of this process until the server has gone."""
    os.set_inheritable(descriptor, False)
    control = socket.socket(fileno=descriptor)
    _warm()
    from assetflow.server.processes.loading import load

    gc.collect()
    gc.freeze()
    Forker(control, load, None if may_be_copied(sockets=1) else FRESH).serve()


FRESH = "from assetflow.server.processes.loading import load_fresh; load_fresh({descriptor})"


def _warm() -> None:
    """Import; libraries that start threads when they are loaded are asked not to."""
    given = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    for name in WARM:
        with suppress(ImportError):
            import_module(name)
    for name, value in given.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
