"""Whether the process that owns a run is still there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from assetflow.store.records import ProcessRecord

_PROC = Path("/proc")


def this_process() -> ProcessRecord:
    """Identify the running process well enough that a later one can tell whether it is gone."""
    pid = os.getpid()
    return ProcessRecord(socket.gethostname(), _boot_id(), pid, _start_of(pid) or 0.0)


def this_user() -> str:
    """Who does something, for records: ``user@host``."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def is_gone(process: ProcessRecord) -> bool:
    """Whether the process is known to have ended; False when that cannot be known (another machine).

    >>> is_gone(this_process())
    False
    """
    if process.host != socket.gethostname():
        return False
    if process.boot_id != _boot_id():
        return True
    started = _start_of(process.pid)
    if started is None:
        return True
    return started != process.started and 0.0 not in (started, process.started)


def _boot_id() -> str:
    """What changes when the machine starts anew; empty where the system does not tell.

    Guessing it from clocks would be worse: they are set, and stand still while a laptop sleeps.
    """
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _start_of(pid: int) -> float | None:
    """When the process started, in clock ticks since boot; 0.0 where only its existence can be seen."""
    try:
        stat = (_PROC / f"{pid}/stat").read_text()
    except OSError:  # none is there, or it is hidden from other users
        return _exists(pid)
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return None if state in "ZX" else float(fields[18])


def _exists(pid: int) -> float | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0.0
    return 0.0
