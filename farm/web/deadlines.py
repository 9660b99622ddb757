"""Ending what blocks on a slow client's socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import falcon

#: Larger ones cost no copy, and smaller ones more calls.
_PIECE_BYTES = 1 << 20


class SocketDeadline:
    """Shuts a socket down (or half of it) when the time is over, so that what blocks in it ends.

    A timeout on the socket would bound only each `recv` or `send`, and a client of one byte a
    second passes that for ever. No socket: nothing to bound.
    """

    def __init__(self, sock: socket.socket | None, seconds: float, how: int) -> None:
        """`how`: `socket.SHUT_RD` ends reading and leaves the way open for an answer."""
        self.passed = False
        self._sock = sock
        self._how = how
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def start(self) -> None:
        if self._sock is not None:
            self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()

    def __enter__(self) -> "SocketDeadline":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def _pass(self) -> None:
        self.passed = True
        assert self._sock is not None
        with suppress(OSError):
            self._sock.shutdown(self._how)


class Sending:
    """An answer's bytes on their way; the WSGI server closes it when they are sent, or cannot be.

    A thread that sends to a slow client is held for as long as the client likes.
    """

    def __init__(self, req: falcon.Request, data: bytes, seconds: float) -> None:
        self._data = data
        sock = req.env.get("gunicorn.socket")
        self._deadline = SocketDeadline(sock, seconds, socket.SHUT_RDWR)

    def __iter__(self) -> Iterator[bytes]:
        self._deadline.start()
        for start in range(0, len(self._data), _PIECE_BYTES):
            yield self._data[start : start + _PIECE_BYTES]

    def close(self) -> None:
        self._deadline.cancel()
