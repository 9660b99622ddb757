"""Parses answers while they arrive, so that a large file is in memory only once.

A file in a JSON answer is base64. It is decoded piece by piece, and the rest of the answer is
parsed without it.
"""

import binascii
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.client.errors import NotAFarm

#: The mark before a file. No string in JSON can contain it, since quotes in strings are escaped.
_FILE = re.compile(rb'(?<!\\)"imageBase64"[ ]{0,4}:[ ]{0,4}"')
#: At least the length of the mark.
_MARK_BYTES = 64


@dataclass
class JsonAnswer:
    """A JSON object, and the bytes of the files in it, in their order."""

    data: dict[str, Any]
    files: list[bytes]


def read_json(headers: Mapping[str, str], pieces: Iterable[bytes]) -> JsonAnswer:
    """The JSON object and the files. Raises `NotAFarm` if the answer is not such an object."""
    reader = _Reader()
    try:
        for piece in pieces:
            reader.feed(piece)
        data = json.loads(reader.text)
    # binascii's error is a ValueError. JSON that is nested too deeply raises RecursionError.
    except (ValueError, RecursionError) as exc:
        raise _not_json(headers) from exc
    if not isinstance(data, dict):
        raise _not_json(headers)
    return JsonAnswer(data, reader.files)


def read_bytes(headers: Mapping[str, str], pieces: Iterable[bytes]) -> tuple[str, bytes]:
    """The media type and the file of an answer that is the file itself."""
    file = io.BytesIO()
    for piece in pieces:
        file.write(piece)
    return headers.get("Content-Type", "application/octet-stream"), file.getvalue()


def _not_json(headers: Mapping[str, str]) -> NotAFarm:
    kind = headers.get("Content-Type", "no content type").partition(";")[0]
    return NotAFarm(
        f"The answer ({kind}) is not a farm's JSON: the address leads to another server, or a "
        "proxy changes answers."
    )


@dataclass
class _Reader:
    """Separates the files from the rest of a JSON text."""

    text: bytearray = field(default_factory=bytearray)
    files: list[bytes] = field(default_factory=list)
    #: The position from which the text is searched for the next file.
    _searched: int = 0
    _file: io.BytesIO | None = None
    #: Base64 that is not yet a multiple of four characters.
    _rest: bytes = b""

    def feed(self, piece: bytes) -> None:
        while piece:
            piece = self._feed_text(piece) if self._file is None else self._feed_file(piece)

    def _feed_text(self, piece: bytes) -> bytes:
        """Returns the bytes after the mark of a file; empty if there is no mark."""
        self.text += piece
        mark = _FILE.search(self.text, self._searched)
        if mark is None:
            self._searched = max(self._searched, len(self.text) - _MARK_BYTES)
            return b""
        self._searched = mark.end()
        after = bytes(self.text[mark.end() :])
        del self.text[mark.end() :]
        self._file, self._rest = io.BytesIO(), b""
        return after

    def _feed_file(self, piece: bytes) -> bytes:
        """Returns the bytes from the quote at the file's end; empty before the end."""
        assert self._file is not None
        base64, quote, after = piece.partition(b'"')
        whole = self._rest + base64
        end = len(whole) if quote else len(whole) // 4 * 4
        self._file.write(binascii.a2b_base64(whole[:end], strict_mode=True))
        self._rest = whole[end:]
        if not quote:
            return b""
        # `getvalue` shares the buffer, and copies nothing.
        self.files.append(self._file.getvalue())
        self._file = None
        return quote + after
