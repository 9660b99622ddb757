"""Reading a request's body: never more bytes than there are for bodies."""

from collections.abc import Iterator
from contextlib import contextmanager

import falcon

from farm.settings import MAX_BODY_BYTES
from farm.web.routes import Resource
from farm.web.serving.budget import BodyBudget, Share
from farm.web.serving.incoming import Incoming, malformed_framing, no_room, too_large, too_short

_CHUNK_BYTES = 1 << 20


class Bodies:
    """All bodies of a worker, which hold `budget_bytes` together.

    The farm's own gunicorn worker has counted a body while it arrived (`Incoming`); from another
    WSGI server's input it is read here.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget = BodyBudget(budget_bytes)

    @contextmanager
    def read(self, req: falcon.Request, resource: Resource) -> Iterator[bytes]:
        """The whole body, of a type that its resource takes, held within the budget meanwhile.

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
        # Not `bounded_stream`, which reads a chunked body as empty.
        return req.stream.read(_CHUNK_BYTES)
    except Exception as exc:
        # Each WSGI server has errors of its own for a body that is framed wrongly.
        raise malformed_framing() from exc
