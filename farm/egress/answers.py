"""Parses a site's answer as Chromium parses it, and writes it again as clean HTTP/1.1.

`proxy` uses it for plain HTTP requests, in the proxy process's only thread.

Sites send answers that no standard allows and every browser accepts. So the rules here are those of
Chromium's net/http: `http_stream_parser.cc` says where a head begins and how a body is framed,
`http_util.cc` what a line is, and `http_response_headers.cc` what a status line and a length are.
An answer that Chromium refuses raises `BadAnswer`.

The answer that is written has one length or is chunked, whatever the site sent. So the browser and
the proxy always agree about where an answer ends. `reusable` says whether the site's own framing
was unambiguous. If it was not, both connections are closed after the answer.
"""

import re

from farm.egress.bodies import Body, Chunked, Sized, UntilEnd

#: Chromium reads no more of a head than this.
_MAX_HEAD_BYTES = 262_144
#: No site sends so many lines. The bound keeps the parsing of a head to milliseconds; Chromium has
#: none.
_MAX_HEAD_LINES = 5_000
#: Informational answers (100, 103) before the final answer. Chromium has no bound.
_MAX_INFORMATIONAL = 20
#: Chromium accepts bytes without a status line (HTTP/0.9) from this port only.
_HTTP_PORT = 80

NOT_HTTP = "its answer is not HTTP"
HEAD_TOO_LARGE = "the headers of its answer are too large"
TWO_LENGTHS = "its answer has two different lengths"
TWO_PLACES = "its answer redirects to two different places"
TWO_DISPOSITIONS = "its answer has two different Content-Disposition headers"
PROXY_AUTHENTICATION = "its answer asks for a proxy's password"
TOO_MANY_INFORMATIONAL = "it sends informational answers and no page"
TOO_MANY_CODINGS = "its answer is encoded too many times"

#: Up to four bytes of junk may precede the status line.
_STATUS_LINE = re.compile(rb".{0,4}?(?=http)", re.DOTALL | re.IGNORECASE)
_DECIDING_BYTES = 8
_HEAD_END = re.compile(rb"\n\r?\n")
_VERSION = re.compile(rb"http/(\d)[^.]*\.(\d)", re.IGNORECASE)
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#: A header and its folded continuation lines. Malformed lines match nowhere.
_HEADER = re.compile(rb"^(" + _TOKEN + rb")[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_FOLD = re.compile(rb"\n[ \t]+")
_STRICT_HEAD = re.compile(
    rb"HTTP/1\.1 [2-5]\d\d(?: [^\r\n]*)?\r\n(?:" + _TOKEN + rb":[^\r\n]*\r\n)*+\r\n"
)
_LENGTH = re.compile(rb"\d{1,18}")
#: No Content and Reset Content have no body, whatever their head says.
_EMPTY = (204, 205)
#: Hop-by-hop headers (RFC 9110, 7.6.1), and those that are written again.
_HOP_BY_HOP = {
    b"connection",
    b"content-length",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}

#: The headers that are parsed. All others are forwarded unparsed.
_READ = {
    b"connection",
    b"content-disposition",
    b"content-encoding",
    b"content-length",
    b"location",
    b"transfer-encoding",
}

#: Eleven codings crash the network service of Chromium 156, and with it the browser.
_MAX_CODINGS = 5

Headers = list[tuple[bytes, bytes]]


class BadAnswer(Exception):
    """Chromium would not accept the answer. `str()` is the reason in words."""


class Answer:
    """The answer to one request. `feed` it what the site sends, until it is `done`."""

    def __init__(self, method: bytes, port: int) -> None:
        self._method = method
        self._port = port
        self._raw = bytearray()
        self._body: Body | None = None
        self._informational = 0
        #: Whether the site closed the connection within the head.
        self._is_cut = False
        self.done = False
        #: Whether the connections to the site and to the browser can take another request.
        self.reusable = True

    def feed(self, data: bytes) -> bytes:
        """Take data from the site; returns what to send to the browser.

        `b""` means that the site closed the connection. Raises `BadAnswer`, and `EOFError` if the
        site sent no answer at all.
        """
        if self._body is not None:
            return self._feed_body(data, at_end=not data)
        self._raw += data
        while (head := self._next_head(at_end=not data)) is not None:
            if head.status // 100 == 1:
                self._skip_informational(head)
                continue
            written = self._start_answer(head)
            received, self._raw = bytes(self._raw), bytearray()
            return written + self._feed_body(received, at_end=not data)
        return b""

    def _next_head(self, at_end: bool) -> "_Head | None":
        """Remove the next whole head from the received bytes; None if it is not complete yet.

        If the site closed the connection, an incomplete head counts as whole.
        """
        raw = self._raw
        start = _STATUS_LINE.match(raw)
        if start is None:
            if not at_end and len(raw) < _DECIDING_BYTES:
                return None
            if not raw:
                raise EOFError
            return self._without_head()
        end = _HEAD_END.search(raw, start.end())
        size = end.end() if end is not None else len(raw)
        if size > _MAX_HEAD_BYTES or (end is None and size == _MAX_HEAD_BYTES):
            raise BadAnswer(HEAD_TOO_LARGE)
        if end is None and not at_end:
            return None
        self._is_cut = end is None
        self.reusable &= start.end() == 0 and not self._is_cut
        head = _Head(bytes(raw[start.end() : size]))
        del raw[:size]
        return head

    def _without_head(self) -> "_Head":
        """The head of an HTTP/0.9 answer. Raises `BadAnswer` where Chromium does not accept one."""
        is_shoutcast = self._raw[:3].lower() == b"icy"
        if self._informational or not (self._port == _HTTP_PORT or is_shoutcast):
            raise BadAnswer(NOT_HTTP)
        return _Head(b"HTTP/0.9 200 OK")

    def _skip_informational(self, head: "_Head") -> None:
        self._informational += 1
        if self._informational > _MAX_INFORMATIONAL:
            raise BadAnswer(TOO_MANY_INFORMATIONAL)
        if head.status == 101:
            self.reusable = False

    def _start_answer(self, head: "_Head") -> bytes:
        if head.status == 407:
            raise BadAnswer(PROXY_AUTHENTICATION)
        self.reusable &= head.is_strict
        length = head.length
        if self._is_cut or head.status in _EMPTY:
            self.reusable &= not length
            length = 0
        headers = list(head.headers)
        if self._method == b"HEAD" or head.status == 304:
            self._body = Sized(0)
        elif length is not None:
            self._body = Sized(length)
        else:
            self._body = Chunked() if head.is_chunked else UntilEnd()
            headers.append((b"Transfer-Encoding", b"chunked"))
        if length is not None:
            headers.append((b"Content-Length", b"%d" % length))
        self.reusable &= not isinstance(self._body, UntilEnd)
        if not self.reusable:
            headers.append((b"Connection", b"close"))
        lines = [b"HTTP/1.1 " + head.status_line, *(b"%b: %b" % pair for pair in headers)]
        written = b"\r\n".join([*lines, b"", b""])
        if len(written) > _MAX_HEAD_BYTES:
            raise BadAnswer(HEAD_TOO_LARGE)
        return written

    def _feed_body(self, data: bytes, at_end: bool) -> bytes:
        """Take data of the body. Sets `done` when the framing or the site's connection ends it."""
        assert self._body is not None
        written = self._body.feed(data)
        if at_end and not self._body.done:
            written += self._body.end()
        self.done = self._body.done or at_end
        self.reusable &= self._body.is_strict and not at_end
        return written


class _Head:
    """A head as Chromium understands it. `is_strict`: every byte conforms to the standard."""

    def __init__(self, raw: bytes) -> None:
        """`raw` begins with the status line. Raises `BadAnswer`."""
        if b"\0" in raw:
            raise BadAnswer(NOT_HTTP)
        # Chromium ends a line at any run of CR and LF.
        first, _, lines = re.sub(rb"[\r\n]+", b"\n", raw).partition(b"\n")
        if lines.count(b"\n") > _MAX_HEAD_LINES:
            raise BadAnswer(HEAD_TOO_LARGE)
        self.status, self.status_line = _status(first)
        #: The headers that are forwarded.
        self.headers: Headers = []
        self._read: dict[bytes, list[bytes]] = {}
        for name, raw_value in _HEADER.findall(lines):
            value = (_FOLD.sub(b" ", raw_value) if b"\n" in raw_value else raw_value).strip(b" \t")
            key = name.lower()
            if key in _READ:
                self._read.setdefault(key, []).append(value)
            if key not in _HOP_BY_HOP:
                self.headers.append((name, value))
        lengths = self._items(b"content-length")
        codings = self._items(b"transfer-encoding")
        version = _VERSION.match(first)
        is_new = version is not None and (version[1], version[2]) >= (b"1", b"1")
        self.is_chunked = is_new and b"chunked" in codings
        #: The length of the body. None if the framing or the connection's end gives it.
        self.length: int | None = None
        if not self.is_chunked:
            _require_one(lengths, TWO_LENGTHS)
            if lengths and _LENGTH.fullmatch(lengths[0]):
                self.length = int(lengths[0])
        if len(self._items(b"content-encoding")) > _MAX_CODINGS:
            raise BadAnswer(TOO_MANY_CODINGS)
        _require_one(self._read.get(b"location", []), TWO_PLACES)
        _require_one(self._read.get(b"content-disposition", []), TWO_DISPOSITIONS)
        self.is_strict = (
            _STRICT_HEAD.fullmatch(raw) is not None
            and len(lengths) + len(codings) <= 1
            and (self.is_chunked or not codings)
            and (self.length is not None or not lengths)
            and b"close" not in self._items(b"connection")
        )

    def _items(self, name: bytes) -> list[bytes]:
        values = self._read.get(name, [])
        return [item.strip(b" \t").lower() for value in values for item in value.split(b",")]


def _status(line: bytes) -> tuple[int, bytes]:
    """The status, and the status line without its version; `200 OK` if it has no status."""
    text = line.partition(b" ")[2].lstrip(b" ")
    digits = text[: len(text) - len(text.lstrip(b"0123456789"))]
    if not digits:
        return 200, b"200 OK"
    # The line may have thousands of digits: only four are converted.
    return int(digits.lstrip(b"0")[:4] or b"0"), digits + b" " + text[len(digits) :].strip(b" ")


def _require_one(values: list[bytes], reason: str) -> None:
    if len(set(values)) > 1:
        raise BadAnswer(reason)
