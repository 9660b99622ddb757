"""Answers on their way.

A thread that sends to a slow client is held for as long as the client likes. So it is for a bounded
number of threads and bytes: beyond these the slowest client is broken off. Each answer also has a
deadline, since a client of one byte a second passes any timeout of a single `send`.
"""

import errno
import math
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

from farm.settings import MAX_SENDING

log = structlog.get_logger()

#: What they may have left to send, together.
_MAX_WAITING_BYTES = 1 << 28
#: No client is called slow before this.
_GRACE_S = 2.0
#: A client that reads less is broken off where room is short.
_SLOW_BYTES_PER_S = 32_000
_PIECE_BYTES = 1 << 18


class Senders:
    """The threads of a worker that wait for their clients."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._waiting: dict[ClientSocket, int] = {}  # and what each has to send
        self._lock = threading.Lock()

    @contextmanager
    def waiting(self, sock: "ClientSocket", count: int) -> Iterator[None]:
        """Wait for the client to read `count` bytes, and have a slower one make way if need be."""
        with self._lock:
            slowest = min(self._waiting, key=ClientSocket.bytes_per_s, default=None)
            many = len(self._waiting) >= MAX_SENDING
            much = sum(self._waiting.values()) + count > _MAX_WAITING_BYTES
            if slowest is not None and (many or (much and slowest.is_slow)):
                slowest.break_off("others had no room")
                del self._waiting[slowest]
            self._waiting[sock] = count
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(sock, None)


class ClientSocket:
    """The socket of a client, as gunicorn writes to it; the main loop reads from it."""

    def __init__(self, sock: socket.socket, senders: Senders) -> None:
        self._sock = sock
        self._senders = senders
        self._deadline = 0.0
        #: Whether the answer was found and not made, so that it does not count as work.
        self.is_found = False
        self.begin_answer()

    def begin_answer(self) -> None:
        self.is_found = False
        self._deadline = 0.0
        # Of what did not fit into the socket's buffer: what was sent, and the time that it took.
        self._sent = 0
        self._waited_s = 0.0
        self._waits_since: float | None = None

    def sendall(self, data: bytes) -> None:
        """Raises `OSError` when the client is gone, broken off, or out of time."""
        if not self._deadline:
            self._deadline = time.monotonic() + self._senders.deadline_s
        view = memoryview(data)
        sent = self.try_send(view)
        if sent < len(view):
            with self._senders.waiting(self, len(view) - sent):
                self._send_waiting(view[sent:])

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def try_send(self, data: bytes | memoryview) -> int:
        """How many bytes the socket takes at once."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    def _send_waiting(self, view: memoryview) -> None:
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        began = self._waits_since = time.monotonic()
        try:
            while view:
                left_s = self._deadline - time.monotonic()
                if left_s <= 0 or not poll.poll(left_s * 1000):
                    self.break_off("it had its time")
                    raise BrokenPipeError(errno.EPIPE, "The client has not read in time.")
                sent = self.try_send(view[:_PIECE_BYTES])
                view = view[sent:]
                self._sent += sent
        finally:
            self._waits_since = None
            self._waited_s += time.monotonic() - began

    def bytes_per_s(self) -> float:
        """What the client reads while it is waited for.

        At first it counts as just slow, so that a client that has only begun is not the slowest
        beside those that read nothing. Infinite before the first wait.
        """
        waited_s = self._waited()
        if not waited_s:
            return math.inf
        return (self._sent + _SLOW_BYTES_PER_S * _GRACE_S) / (waited_s + _GRACE_S)

    @property
    def is_slow(self) -> bool:
        """Whether it has read so little for so long that it may be broken off."""
        return self._waited() > _GRACE_S and self.bytes_per_s() < _SLOW_BYTES_PER_S

    def _waited(self) -> float:
        since = self._waits_since
        return self._waited_s + (time.monotonic() - since if since else 0)

    def break_off(self, cause: str) -> None:
        log.info("answer broken off", cause=cause)
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        """Nothing: the main loop closes it."""

    def setblocking(self, flag: bool) -> None:
        """Nothing: it never blocks, whatever gunicorn says."""

    def settimeout(self, seconds: float | None) -> None:
        """Nothing, likewise."""

    def recv(self, count: int) -> bytes:
        """The end, always: what arrives is the main loop's."""
        return b""
