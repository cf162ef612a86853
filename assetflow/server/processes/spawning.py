"""Starting the template, before anything else is imported: it gets ready while the server does."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from signal import SIGKILL

from assetflow.server.processes.forking import interpreter


@dataclass(frozen=True, slots=True)
class Spawned:
    """A template that was started: its process, our end of its socket, and where what it prints can be read."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    output: int

    def abandon(self) -> None:
        """End it, when nothing comes of it."""
        self.connection.close()
        os.close(self.output)
        with suppress(OSError):
            os.killpg(self.process.pid, SIGKILL)
        self.process.wait()


def spawn_template() -> Spawned:
    """Start a template."""
    mine, theirs = socket.socketpair()
    read, write = os.pipe()
    descriptor = theirs.fileno()
    with theirs:
        process = subprocess.Popen(
            interpreter(f"from assetflow.server.processes.template import main; main({descriptor})"),
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
            pass_fds=(descriptor,),
            process_group=0,  # Ctrl-C at the terminal is for the server to take
        )
    os.close(write)
    return Spawned(process, mine, read)
