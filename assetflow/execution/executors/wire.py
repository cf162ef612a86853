"""Messages between the coordinator and its workers: pickles with their length before them, over one socket each."""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterator

_LENGTH = struct.Struct("!Q")
_READ_AT_ONCE = 1 << 18


def send(connection: socket.socket, message: object) -> None:
    """Send one message. Raises OSError when nobody is there any more, and what pickling the message raises."""
    payload = pickle.dumps(message, protocol=5)
    connection.sendall(_LENGTH.pack(len(payload)) + payload)


def receive(connection: socket.socket) -> object:
    """Wait for one message. Raises EOFError when the other side has gone."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return pickle.loads(_exactly(connection, length))


def _exactly(connection: socket.socket, count: int) -> bytearray:
    received = bytearray(count)
    view = memoryview(received)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return received


class Inbox:
    """Takes what has arrived on a socket without waiting, and gives the messages that are complete."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = bytearray()
        self.closed = False

    def messages(self) -> Iterator[object]:
        """The messages that have arrived; ``closed`` is set once there can be no more."""
        while not self.closed:
            try:
                data = self._connection.recv(_READ_AT_ONCE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.closed = not data
            self._held += data
            if len(data) < _READ_AT_ONCE:
                break
        place, size = 0, _LENGTH.size
        while len(self._held) - place >= size:
            (length,) = _LENGTH.unpack_from(self._held, place)
            if len(self._held) - place - size < length:
                break
            start = place + size
            yield pickle.loads(memoryview(self._held)[start : start + length])
            place = start + length
        if place:
            self._held = self._held[place:]
