"""How much memory a worker has taken: its own pages, without files that are only mapped, and those of its children."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

PROC = "/proc"


def memory_of(pid: int) -> int:
    """Bytes that a process and its children hold; 0 for one that is no more."""
    if not os.path.isdir(f"{PROC}/self"):
        return _asked_of_ps(pid)
    pending, total = [pid], 0
    while pending:
        each = pending.pop()
        total += _own(each)
        with suppress(OSError), open(f"{PROC}/{each}/task/{each}/children", "rb") as file:
            pending += map(int, file.read().split())
    return total


def _own(pid: int) -> int:
    total = 0
    with suppress(OSError), open(f"{PROC}/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                total += int(line.split()[1]) * 1024
    return total


def _asked_of_ps(pid: int) -> int:
    with suppress(OSError, ValueError):
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)
        return int(done.stdout) * 1024
    return 0
