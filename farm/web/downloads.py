"""Sends stored files: ranges, ETags, and a bounded number of downloads at the same time.

A slow client keeps a request thread for as long as it reads. So downloads may use a bounded number
of threads. When all of them are in use, a new download makes the farm disconnect the slowest client
(`serving.sending`). Request threads call `Downloads`.
"""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import falcon

from farm.bundle import Member
from farm.errors import Busy, NotFound, RangeNotSatisfiable
from farm.job import file_name
from farm.storage import NotStored, Storage, Stored
from farm.web.negotiation import has_tag
from farm.web.serving.sending import ClientSocket

NO_FILE = "The job has no file (any more): it failed, was cancelled, or has expired."
#: How long a disconnected download's thread may take to free its place.
_FREED_S = 1.0
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Downloads:
    """All downloads of a worker process. `at_once`: the number of concurrent downloads."""

    def __init__(self, storage: Storage, at_once: int) -> None:
        self._storage = storage
        self._places = threading.BoundedSemaphore(at_once)
        self._sockets: set[ClientSocket] = set()
        self._lock = threading.Lock()

    def answer(
        self, req: falcon.Request, resp: falcon.Response, job_id: str, part: Member | None = None
    ) -> None:
        """Answer with a job's file or a part of it, or with the range that the client asks for.

        Raises `Busy`, `NotFound`, `RangeNotSatisfiable` or `StorageUnavailable`.
        """
        stream = self.send(req, lambda: self._answer(req, resp, file_name(job_id), part))
        if resp.content_length and req.method == "GET":
            resp.stream = stream
        else:
            stream.close()

    def _answer(
        self, req: falcon.Request, resp: falcon.Response, name: str, part: Member | None
    ) -> Iterator[bytes]:
        """Set the headers. Returns the pieces to send."""
        pieces: Iterator[bytes] = iter(())
        offset = 0 if part is None else part.offset
        try:
            stored = self._storage.stat(name)
            if part is not None:
                etag = f'{stored.etag[:-1]}-{part.offset}"'
                stored = replace(stored, size=part.size, etag=etag)
            if has_tag(req.get_header("If-None-Match"), stored.etag):
                resp.status = falcon.HTTP_NOT_MODIFIED
            else:
                start, length = _asked_range(req, stored)
                if req.method == "GET":
                    pieces = self._storage.stream(name, offset + start, length)
                resp.content_length = length
                resp.set_header("Accept-Ranges", "bytes")
                if length < stored.size:
                    resp.status = falcon.HTTP_PARTIAL_CONTENT
                    resp.content_range = (start, start + length - 1, stored.size)
        except NotStored as exc:
            raise NotFound(NO_FILE) from exc
        resp.set_header("ETag", stored.etag)
        return pieces

    def send(self, req: falcon.Request, make: Callable[[], Iterator[bytes]]) -> "_Stream":
        """The pieces that `make` returns. They occupy a place until they are sent. Raises `Busy`.

        The place is acquired before `make` is called, since a storage may be slow too.
        """
        if not (
            self._places.acquire(blocking=False)
            or (self._disconnect_slowest() and self._places.acquire(timeout=_FREED_S))
        ):
            raise Busy("Too many downloads are under way; try again in a moment.")
        sock = req.env.get("gunicorn.socket")
        sockets = {sock} if isinstance(sock, ClientSocket) else set()
        with self._lock:
            self._sockets |= sockets

        def end() -> None:
            with self._lock:
                self._sockets -= sockets
            self._places.release()

        try:
            return _Stream(make(), end)
        except BaseException:
            end()
            raise

    def _disconnect_slowest(self) -> bool:
        """Disconnect the slowest client if it reads too slowly. False if no client is slow."""
        with self._lock:
            slow = [sock for sock in self._sockets if sock.is_slow]
        if slow:
            min(slow, key=ClientSocket.bytes_per_s).disconnect("another download needed its place")
        return bool(slow)


class _Stream:
    """The pieces of a file. The WSGI server calls `close` after sending, and after an error."""

    def __init__(self, pieces: Iterator[bytes], end: Callable[[], None]) -> None:
        self._pieces = pieces
        self._end = end
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._end()


def _asked_range(req: falcon.Request, stored: Stored) -> tuple[int, int]:
    """The start and length of the range to send. A header that is not one valid range is ignored,
    and the whole file is sent (RFC 9110).
    """
    if req.method != "GET":
        return 0, stored.size
    match = _RANGE.fullmatch((req.get_header("Range") or "").strip())
    only_if = req.get_header("If-Range")
    if match is None or (only_if is not None and only_if != stored.etag):
        return 0, stored.size
    first, last = match.groups()
    if not first and not last:
        return 0, stored.size
    if not first:
        start, end = max(0, stored.size - int(last)), stored.size
    else:
        start, end = int(first), min(int(last) + 1 if last else stored.size, stored.size)
        if last and int(last) < int(first):
            return 0, stored.size
    if start >= end:
        raise RangeNotSatisfiable(stored.size)
    return start, end - start
