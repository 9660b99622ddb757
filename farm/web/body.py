"""Reads request bodies within the memory budget for bodies.

Resources call `Bodies.read` in request threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import falcon

from farm.settings import MAX_BODY_BYTES
from farm.web.routes import Resource
from farm.web.serving.budget import BodyBudget, Share
from farm.web.serving.incoming import Incoming, malformed_framing, no_room, too_large, too_short

_CHUNK_BYTES = 1 << 20


class Bodies:
    """All bodies of a worker process, which together hold at most `budget_bytes`.

    The farm's own gunicorn worker reads and counts a body while it arrives (`Incoming`). With any
    other WSGI server, the body is read here.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget = BodyBudget(budget_bytes)

    @contextmanager
    def read(self, req: falcon.Request, resource: Resource) -> Iterator[bytes]:
        """The whole body. It counts against the budget until the `with` ends.

        Raises `UnsupportedMediaType`, `BodyTooLarge`, `BodyTimeout`, `Busy` or `InvalidRequest`.
        """
        resource.check_media_type(req.content_type)
        if (req.content_length or 0) > MAX_BODY_BYTES:
            raise too_large()
        stream = req.env["wsgi.input"]
        if isinstance(stream, Incoming):
            try:
                yield stream.take()
            finally:
                stream.drop()
            return
        share = Share(self._budget)
        try:
            yield _read_stream(req, share)
        finally:
            share.release()


def _read_stream(req: falcon.Request, share: Share) -> bytes:
    body = bytearray()
    while chunk := _read_chunk(req):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large()
        if not share.grow_to(len(body)):
            raise no_room()
    if len(body) < (req.content_length or 0):
        raise too_short()
    return bytes(body)


def _read_chunk(req: falcon.Request) -> bytes:
    try:
        # `bounded_stream` would read a chunked body as empty.
        return req.stream.read(_CHUNK_BYTES)
    except Exception as exc:
        # Each WSGI server raises errors of its own for a body with wrong framing.
        raise malformed_framing() from exc
