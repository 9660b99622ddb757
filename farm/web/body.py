"""Reading a request's body: never more bytes, threads or time than there are for bodies.

A thread that reads from a slow sender is held for as long as the sender likes, and a few large
bodies fill a small machine. So bodies have a deadline each, a bounded share of the threads, and a
byte budget together; the bytes count until the answer is made.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import falcon

from farm.errors import BodyTimeout, BodyTooLarge, Busy, InvalidRequest, UnsupportedMediaType
from farm.settings import MAX_BODY_BYTES
from farm.web.deadlines import SocketDeadline

_CHUNK_BYTES = 1 << 20
#: How long a request waits for its turn to read when all readers are busy.
_TURN_S = 0.5


class Bodies:
    """All bodies of a worker. `budget_bytes`: held at once; `readers`: threads reading at once."""

    def __init__(self, budget_bytes: int, deadline_s: float, readers: int) -> None:
        self._left = budget_bytes
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._readers = threading.BoundedSemaphore(readers)

    @contextmanager
    def read(self, req: falcon.Request) -> Iterator[bytes]:
        """The whole body, held within the budget for as long as the `with`.

        Raises `UnsupportedMediaType`, `BodyTooLarge`, `BodyTimeout`, `Busy` or `InvalidRequest`.
        """
        media_type = (req.content_type or "").partition(";")[0].strip().lower()
        if media_type != falcon.MEDIA_JSON:
            raise UnsupportedMediaType()
        if (req.content_length or 0) > MAX_BODY_BYTES:
            raise _too_large()
        share = _Share(self)
        try:
            share.grow_to(req.content_length or 0)
            yield self._read(req, share)
        finally:
            share.grow_to(0)

    def _read(self, req: falcon.Request, share: "_Share") -> bytes:
        if not self._readers.acquire(timeout=_TURN_S):
            raise Busy()
        try:
            return self._read_stream(req, share)
        finally:
            self._readers.release()

    def _read_stream(self, req: falcon.Request, share: "_Share") -> bytes:
        body = bytearray()
        sock = req.env.get("gunicorn.socket")
        with SocketDeadline(sock, self._deadline_s, socket.SHUT_RD) as deadline:
            while chunk := _read_chunk(req, deadline):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
                share.grow_to(max(len(body), req.content_length or 0))
        if deadline.passed:
            raise BodyTimeout()
        if len(body) < (req.content_length or 0):
            raise InvalidRequest("The body is shorter than its Content-Length says.")
        return bytes(body)

    def _take(self, count: int) -> None:
        with self._lock:
            if count > self._left:
                raise Busy("Too many large requests are under way; try again in a moment.")
            self._left -= count


class _Share:
    """The bytes that one body has of the budget."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._held = 0

    def grow_to(self, count: int) -> None:
        self._bodies._take(count - self._held)
        self._held = count


def _read_chunk(req: falcon.Request, deadline: SocketDeadline) -> bytes:
    try:
        # Not `bounded_stream`, which reads a chunked body as empty.
        return req.stream.read(_CHUNK_BYTES)
    except Exception as exc:
        # Each WSGI server has errors of its own for a body that is framed wrongly.
        if deadline.passed:
            raise BodyTimeout() from exc
        raise InvalidRequest("The body broke off or is framed wrongly.") from exc


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body may have at most {MAX_BODY_BYTES:,} bytes.")
