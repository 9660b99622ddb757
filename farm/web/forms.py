"""Parses `multipart/form-data` (RFC 7578): a body in memory becomes a `Form`.

The parser is strict: a form that is not certainly valid is refused, as with JSON. The package
`multipart` finds the parts. This module sets its limits, turns its errors into sentences, and reads
file names as clients encode them. `request_forms` and the Gotenberg routes call it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import falcon
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from farm.errors import InvalidRequest, Problem

MAX_PARTS = 1_000
#: The limit of a part's names, in characters. The names of assets have the same one.
_MAX_NAME = 500
#: The header lines of a part. Parsing headers takes far longer than parsing data, and browsers send
#: two lines.
_MAX_HEADER_LINES = 8
#: The bytes of a header line. A file name of 255 bytes takes a thousand, encoded in two ways.
_MAX_HEADER_BYTES = 2_048
#: The header bytes of all parts. Sixteen times as many take a second to parse.
_MAX_HEADERS_BYTES = 1 << 20
#: The length is RFC 2046's limit. The RFC allows only some of these characters.
_BOUNDARY = re.compile(r"[ !#-\[\]-~]{0,69}[!#-\[\]-~]")
#: A quoted string, also one without its last quote. Possessive, so that it never backtracks.
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*+"?')
#: `filename*=UTF-8''na%C3%AFve.png`, which .NET sends beside `filename` (RFC 5987).
_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=([^;]*)", re.IGNORECASE)
_UTF8_VALUE = re.compile(
    r"utf-8'[\w-]*'((?:[\w!#$&+.^`|~-]|%[\da-f]{2})*+)", re.IGNORECASE | re.ASCII
)
_UTF8_NAMES = ("utf-8", "utf8", "us-ascii", "ascii")
#: Transfer encodings that leave the bytes unchanged.
_TRANSFER_ENCODINGS = ("binary", "8bit", "7bit")


@dataclass(frozen=True)
class Part:
    """One part of a form.

    `filename`: None if the part has none; it may be empty. `content_type`: the part's header with
    its parameters. `charset`: one of these parameters.
    """

    name: str
    filename: str | None
    content_type: str | None
    data: bytes = field(repr=False)
    charset: str | None = None

    @property
    def text(self) -> str:
        """The data as UTF-8, without a byte order mark. Raises `InvalidRequest`."""
        if (self.charset or "utf-8").lower() not in _UTF8_NAMES:
            raise self.wrong("must be UTF-8; its Content-Type names another charset")
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise self.wrong(f"must be UTF-8; byte {exc.start} is wrong") from exc

    def wrong(self, problem: str) -> InvalidRequest:
        """An error about this part, under its file name or else its field name."""
        return InvalidRequest.of(Problem(self.filename or self.name, problem))


@dataclass(frozen=True)
class Form:
    """All parts, in the order in which they came."""

    parts: tuple[Part, ...]

    @property
    def files(self) -> tuple[Part, ...]:
        """The parts that have a file name."""
        return tuple(part for part in self.parts if part.filename is not None)

    def text(self, name: str) -> str | None:
        """A field's text; the first if the field is given twice, as most servers do.

        Code that must refuse a repeated field calls `texts`. Raises `InvalidRequest` for a text
        that is not UTF-8.
        """
        return next(self._texts(name), None)

    def texts(self, name: str) -> tuple[str, ...]:
        """All texts of a field. Raises `InvalidRequest`."""
        return tuple(self._texts(name))

    def _texts(self, name: str) -> Iterator[str]:
        return (part.text for part in self.parts if part.name == name and part.filename is None)


def parse_form(body: bytes, content_type: str) -> Form:
    """The form in a body. `content_type`: the request's header, which names the boundary.

    Raises `InvalidRequest`. It takes about as long as copying the body, whatever the body contains.
    """
    boundary = _boundary(content_type)
    if b"--" + boundary not in body:
        raise InvalidRequest("The form does not have the boundary that its Content-Type names.")
    parser = PushMultipartParser(
        boundary,
        max_header_size=_MAX_HEADER_BYTES,
        max_header_count=_MAX_HEADER_LINES,
        strict=True,
    )
    parts = tuple(_parts(parser, body))
    try:
        parser.close()
    except MultipartError as exc:
        raise InvalidRequest("The form is cut off: its last boundary is missing.") from exc
    return Form(parts)


def _boundary(content_type: str) -> bytes:
    _, parameters = falcon.parse_header(content_type)
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise InvalidRequest(
            "The Content-Type of a form must name its boundary, of 1 to 70 ASCII characters."
        )
    return boundary.encode()


def _parts(parser: PushMultipartParser, body: bytes) -> Iterator[Part]:
    count = 0
    header_bytes = 0
    segment: MultipartSegment | None = None
    pieces: list[bytes] = []
    try:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment, pieces = event, []
                count += 1
                if count > MAX_PARTS:
                    raise InvalidRequest(f"The form has more than {MAX_PARTS:,} parts.")
                header_bytes += sum(len(name) + len(value) for name, value in event.headerlist)
                if header_bytes > _MAX_HEADERS_BYTES:
                    raise InvalidRequest("The headers of the form's parts are too large together.")
            elif event is not None:
                pieces.append(event)
            else:
                assert segment is not None
                data = b"".join(pieces)
                if data.startswith(b"--" + parser.boundary):
                    # An empty part without a line end of its own. Some parsers end the part here,
                    # others do not.
                    raise InvalidRequest(_malformed(count, in_data=True))
                yield _part(segment, data, count)
                segment = None
    except ParserLimitReached as exc:
        raise InvalidRequest(
            f"Part {count + 1} of the form has too large a header: at most {_MAX_HEADER_LINES} "
            f"lines of {_MAX_HEADER_BYTES:,} bytes."
        ) from exc
    except MultipartError as exc:
        raise InvalidRequest(_malformed(count, in_data=segment is not None)) from exc


def _malformed(count: int, *, in_data: bool) -> str:
    if in_data:
        return (
            f"Part {count} of the form does not end as it must: with a line end (CRLF), its "
            "boundary and another line end, and where its Content-Length says, if it has one."
        )
    return (
        f"Part {count + 1} of the form is malformed: it must begin with its boundary and header "
        "lines in UTF-8 that end with CRLF, one of them Content-Disposition: form-data with a name."
    )


def _part(segment: MultipartSegment, data: bytes, number: int) -> Part:
    filename = _filename(segment, number)
    for name in (segment.name, filename or ""):
        if len(name) > _MAX_NAME:
            raise InvalidRequest(
                f"Part {number} of the form has too long a name: at most {_MAX_NAME} characters."
            )
    part = Part(segment.name, filename, segment.header("Content-Type"), data, segment.charset)
    encoding = segment.header("Content-Transfer-Encoding", "binary")
    if encoding.strip().lower() not in _TRANSFER_ENCODINGS:
        # RFC 7578 has deprecated this header.
        raise part.wrong("must be sent as it is, without a Content-Transfer-Encoding")
    return part


def _filename(segment: MultipartSegment, number: int) -> str | None:
    disposition = _QUOTED.sub("", segment["Content-Disposition"])
    extended = _EXTENDED_NAME.search(disposition)
    filename: str | None = segment.filename
    if extended:
        value = _UTF8_VALUE.fullmatch(extended[1].strip())
        try:
            filename = unquote(value[1] if value else "%ff", errors="strict")
        except UnicodeDecodeError as exc:
            raise InvalidRequest(
                f"Part {number} of the form has a filename* that is not UTF-8''… as in RFC 5987."
            ) from exc
    # Old browsers on Windows sent the file's whole path.
    return None if filename is None else filename.rpartition("\\")[2]
