"""The body of a site's answer: of known length, chunked, or until the connection ends.

`answers` uses it. Each class takes the site's bytes and returns what the browser is sent. Chunks
are parsed as Chromium parses them (net/http/http_chunked_decoder.cc).
"""

import re
from typing import Protocol

#: Chromium reads no more of a chunk's size line than this.
_MAX_LINE_BYTES = 16_384
_SIZE = re.compile(rb"0*([0-9A-Fa-f]{1,15}) *(?:;.*)?", re.DOTALL)
_STRICT_SIZE = re.compile(rb"[0-9A-Fa-f]+\r")
#: What lies between the data of two chunks.
_NEXT_CHUNK = re.compile(rb"\r\n([1-9A-Fa-f][0-9A-Fa-f]{0,14})\r\n")
LAST_CHUNK = b"0\r\n\r\n"


class Body(Protocol):
    """A body's framing. `is_strict`: it conforms to the standard, and no bytes follow the body."""

    done: bool
    is_strict: bool

    def feed(self, data: bytes) -> bytes:
        """Take data from the site; returns what to send to the browser."""

    def end(self) -> bytes:
        """What to send to the browser when the site's connection ends before the body."""


class Sized:
    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.is_strict = True

    def feed(self, data: bytes) -> bytes:
        self.is_strict = len(data) <= self._left
        data = data[: self._left]
        self._left -= len(data)
        self.done = self._left == 0
        return data

    def end(self) -> bytes:
        return b""


class UntilEnd:
    """Sent to the browser in chunks, so that it can tell the end from a broken connection."""

    done = False
    is_strict = False

    def feed(self, data: bytes) -> bytes:
        return chunk(data)

    def end(self) -> bytes:
        return LAST_CHUNK


class Chunked:
    """All chunks of one read are sent as one chunk."""

    def __init__(self) -> None:
        self._line = b""
        self._left = 0
        self._after_data = False
        self._in_trailers = False
        self._is_whole = False
        self.done = False
        self.is_strict = True

    def feed(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._after_data = self._left == 0
                continue
            # The fast path: sites may send millions of chunks.
            if self._after_data and not self._line and (next_ := _NEXT_CHUNK.match(data, at)):
                self._left = int(next_[1], 16)
                at = next_.end()
                continue
            line_end = data.find(b"\n", at) + 1
            self._line += data[at : line_end or size]
            at = line_end or size
            if line_end:
                line, self._line = self._line[:-1], b""
                self._take(line)
            elif len(self._line) > _MAX_LINE_BYTES:
                self._abort()
        self.is_strict &= at == size
        written = chunk(b"".join(pieces))
        return written + LAST_CHUNK if self._is_whole else written

    def end(self) -> bytes:
        return b""

    def _take(self, line: bytes) -> None:
        """Parse a line between the data of two chunks."""
        content = line.removesuffix(b"\r")
        if self._in_trailers:
            self.done = self._is_whole = not content
            self.is_strict &= not content
        elif self._after_data:
            self._after_data = False
            if content:
                self._abort()
        elif size := _SIZE.fullmatch(content):
            self._left = int(size[1], 16)
            self._in_trailers = self._left == 0
            self.is_strict &= _STRICT_SIZE.fullmatch(line) is not None
        else:
            self._abort()

    def _abort(self) -> None:
        """End without a last chunk. So the browser knows that the body is incomplete."""
        self.done = True
        self.is_strict = False


def chunk(data: bytes) -> bytes:
    """A chunk of the data. Nothing for no data, since an empty chunk would be the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
