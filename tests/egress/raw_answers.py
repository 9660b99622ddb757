"""Answers as sites send them, byte for byte, and what Chromium makes of each without a proxy.

Observed with Chromium 156; `test_answers_in_chromium.py` observes it again.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from farm.egress import answers

HTML = b"<body style='margin:0;background:lime'>page"

_LINE = b"HTTP/1.1 200 OK\r\n"
_TYPE = b"Content-Type: text/html\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(HTML)
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_LAST = b"0\r\n\r\n"
_MAX_HEAD_BYTES = 262_144


@dataclass(frozen=True)
class Case:
    """`body`: the content that Chromium takes, None where it refuses the answer; `reason`: why.

    `is_cut`: Chromium shows what arrived, and knows that there was more.
    """

    raw: bytes
    body: bytes | None = HTML
    reason: str = ""
    is_cut: bool = False


def _with(*lines: bytes) -> Case:
    """A page whose head has these lines too."""
    return Case(_LINE + _TYPE + b"".join(lines) + _LENGTH + b"\r\n" + HTML)


def _begun(line: bytes) -> Case:
    """A page with another status line."""
    return Case(line + _TYPE + _LENGTH + b"\r\n" + HTML)


def _until_end(*lines: bytes) -> Case:
    return Case(_LINE + _TYPE + b"".join(lines) + b"\r\n" + HTML)


def _chunks(raw: bytes = b"", *lines: bytes, body: bytes = HTML, is_cut: bool = False) -> Case:
    raw = raw or _chunk(HTML) + _LAST
    head = _LINE + _TYPE + b"".join(lines or [_CHUNKED]) + b"\r\n"
    return Case(head + raw, body, is_cut=is_cut)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _refused(reason: str, raw: bytes) -> Case:
    return Case(raw, None, reason)


def _filled_up_to(size: int) -> bytes:
    """A page whose head has so many bytes."""
    filling = size - len(_LINE + _TYPE + _LENGTH) - len(b"X: \r\n\r\n")
    return _with(b"X: " + b"a" * filling + b"\r\n").raw


_COUNT = b"%x" % len(HTML)

ANSWERS: Mapping[str, Case] = {
    "as the standard has it": _with(),
    # lines
    "a line without a colon": _with(b"nonsense\r\n"),
    "space before a colon": _with(b"X-A : b\r\n"),
    "space before the type's colon": Case(
        _LINE + b"Content-Type : text/html\r\n" + _LENGTH + b"\r\n" + HTML
    ),
    "space before the length's colon": Case(
        _LINE + _TYPE + b"Content-Length : 5\r\n\r\n" + HTML, HTML[:5]
    ),
    "space in a name": _with(b"X A: b\r\n"),
    "no name": _with(b": b\r\n"),
    "a name that is no token": _with(b"X(A): b\r\n"),
    "a name in UTF-8": _with("X-Ä: b\r\n".encode()),
    "a value in UTF-8": _with("X-A: ä€\r\n".encode()),
    "control characters in a value": _with(b"X-A: a\x01\x7fb\r\n"),
    "a bare CR in a value": _with(b"X-A: a\rb\r\n"),
    "a header behind a bare CR": Case(
        _LINE + _TYPE + b"X-A: a\rContent-Length: 5\r\n\r\n" + HTML, HTML[:5]
    ),
    "a folded first line": Case(_LINE + b" folded: x\r\n" + _TYPE + _LENGTH + b"\r\n" + HTML),
    "a folded value": _with(b"X-A: b\r\n c\r\n\td\r\n"),
    "a folded length": Case(_LINE + _TYPE + b"Content-Length:\r\n 5\r\n\r\n" + HTML, HTML[:5]),
    "LF alone": Case(_with().raw.replace(b"\r\n", b"\n")),
    "LF alone at the end of the head": Case(_LINE + _TYPE + _LENGTH + b"\n" + HTML),
    "CR alone": Case(_with().raw.replace(b"\r\n", b"\r"), b""),
    "NUL in a value": _refused(answers.NOT_HTTP, _with(b"X-A: a\0b\r\n").raw),
    "NUL in the status line": _refused(answers.NOT_HTTP, _begun(b"HTTP/1.1 200 \0\r\n").raw),
    # status lines
    "CRLF before the status line": Case(b"\r\n" + _with().raw),
    "four bytes of junk": Case(b"abcd" + _with().raw),
    "five bytes of junk": _refused(answers.NOT_HTTP, b"abcde" + _with().raw),
    "http/1.1": _begun(b"http/1.1 200 OK\r\n"),
    "HTTP/1.0": _begun(b"HTTP/1.0 200 OK\r\n"),
    "HTTP/2": _begun(b"HTTP/2 200\r\n"),
    "HTTP/2.0": _begun(b"HTTP/2.0 200 OK\r\n"),
    "HTTP/0.9": _begun(b"HTTP/0.9 200 OK\r\n"),
    "HTTP without a version": _begun(b"HTTP 200 OK\r\n"),
    "no status": _begun(b"HTTP/1.1\r\n"),
    "a status that is no number": _begun(b"HTTP/1.1 abc\r\n"),
    "a status of two digits": _begun(b"HTTP/1.1 99 X\r\n"),
    "a status of four digits": _begun(b"HTTP/1.1 1000 X\r\n"),
    "a status with a reason at once": _begun(b"HTTP/1.1 200OK\r\n"),
    "a status behind spaces": _begun(b"HTTP/1.1   200   OK  \r\n"),
    "a status behind tabs": _begun(b"HTTP/1.1\t200\tOK\r\n"),
    "a reason in UTF-8": _begun("HTTP/1.1 200 schön\r\n".encode()),
    "ICY": Case(b"ICY 200 OK\r\n\r\npage", b"ICY 200 OK\r\n\r\npage"),
    "not HTTP": _refused(answers.NOT_HTTP, HTML),
    "not HTTP, and short": _refused(answers.NOT_HTTP, b"page"),
    "a password for a proxy": _refused(
        answers.PROXY_AUTHENTICATION, _begun(b"HTTP/1.1 407 X\r\n").raw
    ),
    # informational answers
    "100": Case(b"HTTP/1.1 100 Continue\r\n\r\n" + _with().raw),
    "103 with a length": Case(
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + _with().raw
    ),
    "101 that nobody asked for": Case(
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + _with().raw
    ),
    "101 and no HTTP": _refused(answers.NOT_HTTP, b"HTTP/1.1 101 X\r\n\r\n" + HTML),
    # lengths
    "an empty length": _until_end(b"Content-Length: \r\n"),
    "abc as a length": _until_end(b"Content-Length: abc\r\n"),
    "-1 as a length": _until_end(b"Content-Length: -1\r\n"),
    "a plus before a length": _until_end(b"Content-Length: +5\r\n"),
    "letters behind a length": _until_end(b"Content-Length: 5abc\r\n"),
    "a hexadecimal length": _until_end(b"Content-Length: 0x5\r\n"),
    "a space in a length": _until_end(b"Content-Length: 1 2\r\n"),
    "zeros before a length": Case(_LINE + _TYPE + b"Content-Length: 005\r\n\r\n" + HTML, HTML[:5]),
    "a length that no number holds": _until_end(b"Content-Length: 99999999999999999999\r\n"),
    "one length twice": _with(_LENGTH),
    "one length twice in a line": _with(_LENGTH[:-2] + b", %d\r\n" % len(HTML)),
    "two lengths": _refused(answers.TWO_LENGTHS, _with(b"Content-Length: 5\r\n").raw),
    "two lengths in a line": _refused(
        answers.TWO_LENGTHS, _until_end(b"Content-Length: 5, 6\r\n").raw
    ),
    "a length, and one that is none": _refused(
        answers.TWO_LENGTHS, _with(b"Content-Length: -1\r\n").raw
    ),
    "more than the length": Case(_with().raw + b"HTTP/1.1 200 OK\r\n\r\nmore"),
    "less than the length": Case(
        _LINE + _TYPE + b"Content-Length: 999\r\n\r\n" + HTML, is_cut=True
    ),
    # transfer codings
    "no coding": _with(b"Transfer-Encoding: \r\n"),
    "identity": _with(b"Transfer-Encoding: identity\r\n"),
    "identity until the end": _until_end(b"Transfer-Encoding: identity\r\n"),
    "chunked": _chunks(_chunk(HTML[:9]) + _chunk(HTML[9:]) + _LAST),
    "CHUNKED": _chunks(b"", _CHUNKED.upper()),
    "chunked twice": _chunks(b"", _CHUNKED, _CHUNKED),
    "chunked twice in a line": _chunks(b"", b"Transfer-Encoding: chunked, chunked\r\n"),
    "gzip, chunked": _chunks(b"", b"Transfer-Encoding: gzip, chunked\r\n"),
    "chunked and a length": _chunks(b"", _CHUNKED, b"Content-Length: 3\r\n"),
    "chunked and two lengths": _chunks(
        b"", _CHUNKED, b"Content-Length: 3\r\nContent-Length: 4\r\n"
    ),
    "chunked in a later version": Case(
        b"HTTP/3.7 200 OK\r\n" + _TYPE + _CHUNKED + b"\r\n" + _chunk(HTML) + _LAST
    ),
    "chunks in HTTP/1.0": Case(
        b"HTTP/1.0 200 OK\r\n" + _TYPE + _CHUNKED + b"\r\n" + _chunk(HTML), _chunk(HTML)
    ),
    # chunks
    "LF alone in chunks": _chunks(_COUNT + b"\n" + HTML + b"\n0\n\n"),
    "chunk extensions": _chunks(_COUNT + b";a=b;c\r\n" + HTML + b"\r\n0;x\r\n\r\n"),
    "spaces behind a size": _chunks(_COUNT + b"   \r\n" + HTML + b"\r\n" + _LAST),
    "zeros before a size": _chunks(b"0" * 20 + _COUNT + b"\r\n" + HTML + b"\r\n000\r\n\r\n"),
    "trailers": _chunks(_chunk(HTML) + b"0\r\nX-A: b\r\nnonsense\r\n\r\n"),
    "more than the chunks": _chunks(_chunk(HTML) + _LAST + b"HTTP/1.1 200 OK\r\n\r\nmore"),
    "no last chunk": _chunks(_chunk(HTML), is_cut=True),
    "half a last chunk": _chunks(_chunk(HTML) + b"0\r\n", is_cut=True),
    "half a chunk": _chunks(b"fff\r\n" + HTML, is_cut=True),
    "no chunk": _chunks(b"\r\n", body=b"", is_cut=True),
    "a size that is none": _chunks(b"0x5\r\n12345\r\n" + _LAST, body=b"", is_cut=True),
    "a size behind a tab": _chunks(b"\t5\r\n12345\r\n" + _LAST, body=b"", is_cut=True),
    "an extension without an end": _chunks(
        _COUNT + b";" + b"a" * 40_000 + b"\r\n" + HTML, body=b"", is_cut=True
    ),
    # heads
    "no body": Case(_LINE + _TYPE + b"\r\n", b""),
    "half a head": Case(_LINE + _TYPE + b"Content-Len", b""),
    "half a status line": Case(b"HTTP/1.1 20", b""),
    "a redirect to two places": _refused(
        answers.TWO_PLACES,
        b"HTTP/1.1 302 X\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
    ),
    "two dispositions": _refused(
        answers.TWO_DISPOSITIONS,
        _with(b"Content-Disposition: inline\r\nContent-Disposition: inline; a=b\r\n").raw,
    ),
    "as large a head as may be": Case(_filled_up_to(_MAX_HEAD_BYTES)),
    "a head that is too large": _refused(
        answers.HEAD_TOO_LARGE, _filled_up_to(_MAX_HEAD_BYTES + 1)
    ),
}


class RawSite:
    """Sends each of `ANSWERS` at its path, by its name, and ends the connection."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.url = "http://{}:{}".format(*server.getsockname())

    def serve(self) -> None:
        while True:
            try:
                browser, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(browser,), daemon=True).start()

    def _answer(self, browser: socket.socket) -> None:
        with browser:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (received := browser.recv(65_536)):
                    return
                head += received
            name = unquote(head.split()[1].decode()).removeprefix("/")
            try:
                browser.sendall(ANSWERS[name].raw if name in ANSWERS else _begun(_LINE).raw)
                browser.shutdown(socket.SHUT_WR)
                while browser.recv(65_536):
                    pass
            except OSError:
                pass  # it was refused before its end


@contextmanager
def raw_site() -> Iterator[RawSite]:
    server = socket.create_server(("127.0.0.1", 0), backlog=100)
    site = RawSite(server)
    threading.Thread(target=site.serve, daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
