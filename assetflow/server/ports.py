"""The port to listen on: who has it where it is taken, and which one is free."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress

from assetflow.errors import UsageError
from assetflow.server.guard import is_loopback

DEFAULT_PORT = 8470
_TRIED = 100


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at an address: ``localhost`` is both of its kinds. Raises UsageError."""
    names = ("127.0.0.1", "::1") if host == "localhost" else (host,)
    found: list[socket.socket] = []
    for name in names:
        try:
            found.append(_listening(name, found[0].getsockname()[1] if found else port))
        except OSError as error:
            if found and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # a machine without IPv6
            for each in found:
                each.close()
            raise _refused(name, port, error) from None
    return found


def _listening(name: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.listen(128)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _refused(name: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        who = owner_of(port)
        told = f"port {port} is taken" + (f" by {who}" if who else "")
        free = next_free(name, port)
        return UsageError(told, hint=f"assetflow dev --port {free}" if free else "choose another one with --port")
    if error.errno == errno.EACCES:
        return UsageError(f"port {port} is not yours to use", hint="choose one from 1024 on")
    return UsageError(
        f"it cannot listen on {name}, port {port}: {error.strerror or error}",
        hint="give an address of this machine with --host, or leave it out",
    )


def next_free(name: str, port: int) -> int | None:
    """The next port that is free."""
    for other in range(port + 1, min(port + _TRIED, 65_536)):
        with suppress(OSError):
            _listening(name, other).close()
            return other
    return None


def owner_of(port: int) -> str | None:
    """The process that listens on a port, in words, where that can be seen.

    >>> owner_of(0) is None
    True
    """
    inodes = {row[9] for row in _listeners() if int(row[1].rpartition(":")[2], 16) == port}
    wanted = {f"socket:[{inode}]" for inode in inodes}
    if not wanted:
        return None
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{descriptor}") in wanted:
                        return _named(pid)
    return None


def _listeners() -> list[list[str]]:
    rows: list[list[str]] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), open(table) as file:
            rows += [row for line in file.readlines()[1:] if (row := line.split())[3] == "0A"]
    return rows


def _named(pid: str) -> str:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = [word.decode("utf-8", "replace") for word in file.read().split(b"\0") if word]
    if any(word.endswith("assetflow") for word in words) and "dev" in words:
        with suppress(OSError):
            return f"another assetflow dev, of the project in {os.readlink(f'/proc/{pid}/cwd')} (process {pid})"
    command = " ".join([os.path.basename(words[0]), *words[1:3]]) if words else "a process"
    return f"{command[:60]} (process {pid})"


def addresses(host: str, port: int) -> tuple[str, list[str]]:
    """The URL to open on this machine, and the names by which the server may be called."""
    names = ["localhost", "127.0.0.1", "::1"]
    if is_loopback(host):
        shown = host
    else:
        own = socket.gethostname()
        wildcard = host in ("0.0.0.0", "::", "")
        shown = own if wildcard else host
        names += [own] if wildcard else [host, own]
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}", names
