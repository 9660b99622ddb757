"""Puts a request's body together from bytes as they arrive, without waiting for them.

The main loop feeds it. The application, in a request thread, takes the body from it.
"""

import re
from typing import Protocol

from farm.errors import BodyTooLarge, Busy, FarmError, InvalidRequest
from farm.settings import MAX_BODY_BYTES
from farm.web.serving.budget import Share

#: Received at a time, so that no body holds up the main loop.
_PIECE_BYTES = 1 << 18
#: The same for a chunked body, where a piece may be thousands of tiny chunks.
_CHUNKS_PIECE_BYTES = 2048
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\t \x21-\x7e\x80-\xff]*)?")
_MAX_LINE_BYTES = 4096
_MAX_TRAILERS_BYTES = 8192


class Framing(Protocol):
    """Finds where a body ends."""

    whole: bool
    #: The bytes after the body, which belong to the next request.
    rest: bytes

    @property
    def wanted(self) -> int:
        """How many bytes to receive next."""

    @property
    def announced(self) -> int | None:
        """How many bytes are still to come. None if that is unknown."""

    def feed(self, data: bytes) -> bytes:
        """The body's content among the bytes. Raises `InvalidRequest`."""


class Length:
    """Framing by `Content-Length`."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.whole = length == 0
        self.rest = b""

    @property
    def wanted(self) -> int:
        return min(self._left, _PIECE_BYTES)

    @property
    def announced(self) -> int | None:
        return self._left

    def feed(self, data: bytes) -> bytes:
        content, self.rest = data[: self._left], data[self._left :]
        self._left -= len(content)
        self.whole = self._left == 0
        return content


class Chunked:
    """Framing by chunks (RFC 9112, 7.1), as strict as gunicorn's. Trailers are dropped."""

    def __init__(self) -> None:
        self.whole = False
        self.rest = b""
        self._buffer = bytearray()
        self._left = 0  # bytes of the current chunk
        self._step = self._read_size
        self._trailers = 0

    @property
    def wanted(self) -> int:
        return min(max(self._left + 2, _CHUNKS_PIECE_BYTES), _PIECE_BYTES)

    @property
    def announced(self) -> int | None:
        return None

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        content = bytearray()
        while self._step(content):
            pass
        if self.whole:
            self.rest = bytes(self._buffer)
        return bytes(content)

    # Each step reads one part if it has arrived whole, and returns whether to try the next part.

    def _read_size(self, content: bytearray) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise malformed_framing()
        self._left = int(match[1], 16)
        self._step = self._read_data if self._left else self._read_trailer
        return True

    def _read_data(self, content: bytearray) -> bool:
        data = self._buffer[: self._left]
        del self._buffer[: self._left]
        content += data
        self._left -= len(data)
        if self._left:
            return False
        self._step = self._read_data_end
        return True

    def _read_data_end(self, content: bytearray) -> bool:
        if not b"\r\n".startswith(self._buffer[:2]):
            raise malformed_framing()
        if len(self._buffer) < 2:
            return False
        del self._buffer[:2]
        self._step = self._read_size
        return True

    def _read_trailer(self, content: bytearray) -> bool:
        line = self._line()
        if line is None:
            return False
        self._trailers += len(line)
        if self._trailers > _MAX_TRAILERS_BYTES:
            raise malformed_framing()
        self.whole = not line
        return not self.whole

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end > _MAX_LINE_BYTES or (end < 0 and len(self._buffer) > _MAX_LINE_BYTES):
            raise malformed_framing()
        if end < 0:
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n"):
            raise malformed_framing()
        return line[:-2]


class Incoming:
    """The part of a body that has arrived. The application has it as `wsgi.input`."""

    def __init__(self, framing: Framing, share: Share) -> None:
        self._framing = framing
        self._share = share
        self._data = bytearray()
        self._dropped = False
        #: Bytes of content that have arrived.
        self.arrived = 0
        #: Why the body will never be complete.
        self.failure: FarmError | None = None

    @property
    def whole(self) -> bool:
        return self._framing.whole

    @property
    def rest(self) -> bytes:
        return self._framing.rest

    @property
    def wanted(self) -> int:
        return self._framing.wanted

    @property
    def announced(self) -> int | None:
        return self._framing.announced

    def feed(self, data: bytes) -> None:
        """Add bytes. Raises `BodyTooLarge` or `InvalidRequest`."""
        content = self._framing.feed(data)
        self.arrived += len(content)
        if self.arrived > MAX_BODY_BYTES:
            raise too_large()
        if not self._dropped:
            self._data += content

    def ended_early(self) -> InvalidRequest:
        """The error for a client that has closed before the body's end."""
        return malformed_framing() if self.announced is None else too_short()

    def count(self) -> bool:
        """Charge the budget for what has arrived; returns whether it had room."""
        return self._share.grow_to(len(self._data))

    def drop(self) -> None:
        """Discard what has arrived and what will arrive."""
        self._dropped = True
        self._data.clear()
        self._share.release()

    def fail(self, error: FarmError) -> None:
        self.failure = error
        self.drop()

    def take(self) -> bytes:
        """The whole body. It stays charged until `drop`. Raises why it is not available."""
        if self.failure is not None:
            raise self.failure
        if self._dropped or not self.whole:
            raise Busy()  # the budget had no room a moment ago, or the caller was not authenticated
        data = bytes(self._data)
        self._data.clear()
        return data

    def read(self, size: int = -1) -> bytes:
        """WSGI requires this method. The farm takes bodies whole."""
        return b""


def malformed_framing() -> InvalidRequest:
    return InvalidRequest("The body broke off or is framed wrongly.")


def too_short() -> InvalidRequest:
    return InvalidRequest("The body is shorter than its Content-Length says.")


def no_room() -> Busy:
    return Busy("Too many large requests are under way; try again in a moment.")


def too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body may have at most {MAX_BODY_BYTES:,} bytes.")
