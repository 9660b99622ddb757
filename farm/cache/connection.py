"""Connects to the cache's Redis, and bounds the time of each whole call.

`Store` uses it, in the threads that wait for renders. A socket's own timeout bounds each read only:
an answer that arrives byte by byte could delay a request without end.
"""

import socket
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: The rate at which data must be sent and received. A call may take its timeout and, in addition,
#: the time that its bytes need at this rate.
_BYTES_PER_S = 10_000_000


class _PacedSocket:
    """A socket whose timeout bounds a whole request, and its whole answer.

    Each of the two also gets the time that its bytes need at `_BYTES_PER_S`.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._asked = 0.0
        self._received = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendall(self, data: bytes) -> None:
        seconds = self._socket.gettimeout()
        if seconds:
            self._socket.settimeout(seconds + len(data) / _BYTES_PER_S)
        try:
            self._socket.sendall(data)
        finally:
            self._socket.settimeout(seconds)
        self._asked = time.monotonic()
        self._received = 0

    def recv(self, size: int) -> bytes:
        seconds = self._socket.gettimeout()
        if seconds:
            left = self._asked + seconds + self._received / _BYTES_PER_S - time.monotonic()
            if left < -seconds:  # an answer that is a little late may come from a busy machine
                raise TimeoutError
            self._socket.settimeout(max(0.001, left))
        try:
            data = self._socket.recv(size)
        finally:
            self._socket.settimeout(seconds)
        self._received += len(data)
        return data


class _Paced:
    """A mixin for redis-py's connection classes: their `_connect` makes the socket."""

    def _connect(self) -> _PacedSocket:
        return _PacedSocket(super()._connect())  # type: ignore[misc]


def connect(url: str, connect_s: float, timeout_s: float) -> redis.Redis:
    """A client whose calls each take at most twice `timeout_s` and the time of their bytes.

    If the connection was stale, a call also takes the time of a new connection and of a second try.
    The operating system looks up the host's name, and no timeout bounds that.
    """
    pool = redis.ConnectionPool.from_url(
        url,
        # Each thread uses one connection at most, so a lower bound would only make calls fail.
        max_connections=1 << 16,
        # Retry if the connection was stale. Do not retry if the server is slow: it stays slow.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.exceptions.ConnectionError,)),
        driver_info=None,
    )
    # Set here, since parameters of the URL would override those given to `from_url`.
    pool.connection_kwargs |= {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_s,
        "decode_responses": False,
    }
    pool.connection_class = type("Paced", (_Paced, pool.connection_class), {})
    return redis.Redis(connection_pool=pool)
