"""The way to the cache's Redis, on which a slow answer ends in time.

A socket's own timeout counts for each read: an answer that comes in drops would hold a request up
for as long as it likes.
"""

import socket
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: How fast what is sent or answered has to pass, beside the timeout. Slower is as good as dead.
_BYTES_PER_S = 10_000_000


class _PacedSocket:
    """A socket on which a question and its answer each take its timeout and their bytes' time."""

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
            if left < -seconds:  # one that is a little late may be a busy machine's
                raise TimeoutError
            self._socket.settimeout(max(0.001, left))
        try:
            data = self._socket.recv(size)
        finally:
            self._socket.settimeout(seconds)
        self._received += len(data)
        return data


class _Paced:
    """Before one of redis-py's kinds of connection, whose `_connect` makes the socket."""

    def _connect(self) -> _PacedSocket:
        return _PacedSocket(super()._connect())  # type: ignore[misc]


def connect(url: str, connect_s: float, timeout_s: float) -> redis.Redis:
    """A client each of whose calls takes at most twice `timeout_s` and the time of its bytes.

    If its connection was stale, it takes that once more, and each step of making a new one; the
    lookup of a host's name is the system's, and takes what that takes.
    """
    pool = redis.ConnectionPool.from_url(
        url,
        # Each thread has one at the most, so a bound would only fail calls.
        max_connections=1 << 16,
        # A stale connection is tried again with a new one; a server that is slow stays so.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.exceptions.ConnectionError,)),
        driver_info=None,
    )
    # Else the URL's own parameters would come first.
    pool.connection_kwargs |= {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_s,
        "decode_responses": False,
    }
    pool.connection_class = type("Paced", (_Paced, pool.connection_class), {})
    return redis.Redis(connection_pool=pool)
