"""Messages between the server and its processes: a length, then JSON; file descriptors travel beside the length."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import cast

from assetflow.documents import dumps

HEAD = struct.Struct("!I")
"""Before each message: how many bytes of JSON follow."""

Message = dict[str, object]

_MOST_DESCRIPTORS = 4


def packed(message: Mapping[str, object]) -> bytes:
    """A message as bytes.

    >>> packed({"job": "load"})
    b'\\x00\\x00\\x00\\x0f{"job": "load"}'
    """
    body = dumps(message).encode("ascii")
    return HEAD.pack(len(body)) + body


def send(connection: socket.socket, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
    """Send a message, with file descriptors. Raises OSError when nobody listens any more."""
    data = packed(message)
    sent = socket.send_fds(connection, [data], list(descriptors)) if descriptors else 0
    connection.sendall(data[sent:])


def receive(connection: socket.socket) -> tuple[Message | None, list[int]]:
    """The next message and the descriptors that came with it; None when the other side has gone."""
    head, descriptors, _, _ = socket.recv_fds(connection, HEAD.size, _MOST_DESCRIPTORS)
    try:
        head += _exactly(connection, HEAD.size - len(head)) if head else b""
        if len(head) < HEAD.size:
            return None, []
        body = _exactly(connection, HEAD.unpack(head)[0])
        return cast("Message", json.loads(body)), descriptors
    except ConnectionError:
        for descriptor in descriptors:
            os.close(descriptor)
        return None, []


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionResetError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
