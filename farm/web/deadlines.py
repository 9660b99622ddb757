"""Ending what blocks on a slow client's socket."""

import heapq
import itertools
import math
import socket
import threading
import time
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
        self._seconds = seconds
        self._how = how

    def start(self) -> None:
        if self._sock is not None:
            _watch.add(self, time.monotonic() + self._seconds)

    def cancel(self) -> None:
        self._sock = None

    def __enter__(self) -> "SocketDeadline":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def end(self) -> None:
        sock = self._sock
        if sock is not None:
            self.passed = True
            with suppress(OSError):
                sock.shutdown(self._how)


class _Watch:
    """Ends what is due: one thread for all, since to start one takes a tenth of a millisecond.

    What was cancelled is forgotten only when it would have been due; it holds no socket any more.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._deadlines: list[tuple[float, int, SocketDeadline]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None

    def add(self, deadline: SocketDeadline, due: float) -> None:
        """`due` by `time.monotonic()`."""
        with self._change:
            entry = (due, next(self._count), deadline)
            heapq.heappush(self._deadlines, entry)
            if self._thread is None:  # not before: it would not outlive a fork
                thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                thread.start()
                self._thread = thread
            elif self._deadlines[0] is entry:
                self._change.notify()

    def _run(self) -> None:
        while True:
            with self._change:
                while (left_s := self._left_s()) > 0:
                    self._change.wait(min(left_s, threading.TIMEOUT_MAX))
                deadline = heapq.heappop(self._deadlines)[2]
            deadline.end()

    def _left_s(self) -> float:
        return self._deadlines[0][0] - time.monotonic() if self._deadlines else math.inf


_watch = _Watch()


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
