"""Sends answers to clients.

Request threads send. A slow client holds its thread for as long as it likes. So only a bounded
number of threads and bytes may wait for clients. When the bound is reached, the slowest client is
disconnected. Each answer also has a deadline, since a client that reads one byte a second passes
any timeout of a single `send`.
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

#: Bytes that all waiting threads may have left to send, together.
_MAX_WAITING_BYTES = 1 << 28
#: No client counts as slow before this.
_GRACE_S = 2.0
#: A client that reads less may be disconnected when there is no room.
_SLOW_BYTES_PER_S = 32_000
_PIECE_BYTES = 1 << 18


class Senders:
    """The threads of a worker that wait for their clients. Thread-safe."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._waiting: dict[ClientSocket, int] = {}  # and how many bytes each has left to send
        self._lock = threading.Lock()

    @contextmanager
    def waiting(self, sock: "ClientSocket", count: int) -> Iterator[None]:
        """Wait until the client has read `count` bytes.

        May disconnect a slower one to make room.
        """
        with self._lock:
            slowest = min(self._waiting, key=ClientSocket.bytes_per_s, default=None)
            many = len(self._waiting) >= MAX_SENDING
            much = sum(self._waiting.values()) + count > _MAX_WAITING_BYTES
            if slowest is not None and (many or (much and slowest.is_slow)):
                slowest.disconnect("too many clients were waiting")
                del self._waiting[slowest]
            self._waiting[sock] = count
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(sock, None)


class ClientSocket:
    """A client's socket as gunicorn writes to it. The main loop reads from the socket itself."""

    def __init__(self, sock: socket.socket, senders: Senders) -> None:
        self._sock = sock
        self._senders = senders
        self._deadline = 0.0
        #: Whether the answer came from the cache. Then it does not count for FARM_MAX_REQUESTS.
        self.is_cache_hit = False
        self.begin_answer()

    def begin_answer(self) -> None:
        self.is_cache_hit = False
        self._deadline = 0.0
        # Only of what did not fit into the socket's buffer: the bytes sent, and the time it took.
        self._sent = 0
        self._waited_s = 0.0
        self._waits_since: float | None = None

    def sendall(self, data: bytes) -> None:
        """Send all of it.

        Raises `OSError` if the client is gone, was disconnected, or is out of time.
        """
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
        """Send without waiting; returns how many bytes the socket has taken."""
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
                    self.disconnect("its deadline has passed")
                    raise BrokenPipeError(errno.EPIPE, "The client has not read in time.")
                sent = self.try_send(view[:_PIECE_BYTES])
                view = view[sent:]
                self._sent += sent
        finally:
            self._waits_since = None
            self._waited_s += time.monotonic() - began

    def bytes_per_s(self) -> float:
        """How fast the client reads while a thread waits for it; infinite before the first wait.

        It starts as just slow. So a client that has only begun is not slower than one that reads
        nothing.
        """
        waited_s = self._waited()
        if not waited_s:
            return math.inf
        return (self._sent + _SLOW_BYTES_PER_S * _GRACE_S) / (waited_s + _GRACE_S)

    @property
    def is_slow(self) -> bool:
        """Whether it has read so little for so long that it may be disconnected."""
        return self._waited() > _GRACE_S and self.bytes_per_s() < _SLOW_BYTES_PER_S

    def _waited(self) -> float:
        since = self._waits_since
        return self._waited_s + (time.monotonic() - since if since else 0)

    def disconnect(self, cause: str) -> None:
        log.info("answer broken off", cause=cause)
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        """Does nothing: the main loop closes the socket."""

    def setblocking(self, flag: bool) -> None:
        """Does nothing: the socket never blocks, whatever gunicorn asks for."""

    def settimeout(self, seconds: float | None) -> None:
        """Does nothing: the socket never blocks."""

    def recv(self, count: int) -> bytes:
        """Always empty: only the main loop reads from the socket."""
        return b""
