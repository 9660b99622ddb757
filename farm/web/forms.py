"""Reading `multipart/form-data` (RFC 7578): a body in memory becomes a `Form`.

The form is read strictly, as JSON is: what cannot be read for certain is refused. `multipart` finds
the parts; this module bounds it, turns its errors into sentences, and reads names as clients write
them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import falcon
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from farm.errors import InvalidRequest, Problem

MAX_PARTS = 1_000
#: As for the names of assets.
_MAX_NAME = 500
#: Of each part, since reading headers takes far longer than reading data. Browsers send two lines.
_MAX_HEADER_LINES = 8
#: Of each line; a file's name of 255 bytes takes a thousand, written in two ways.
_MAX_HEADER_BYTES = 2_048
#: Of all parts together, since they take a second for sixteen times as much.
_MAX_HEADERS_BYTES = 1 << 20
#: RFC 2046 has it no longer, nor with other characters than a part of these.
_BOUNDARY = re.compile(r"[ !#-\[\]-~]{0,69}[!#-\[\]-~]")
#: Also a string that never ends; possessive, so that it never looks back.
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*+"?')
#: `filename*=UTF-8''na%C3%AFve.png`, which .NET sends beside `filename` (RFC 5987).
_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=([^;]*)", re.IGNORECASE)
_UTF8_VALUE = re.compile(
    r"utf-8'[\w-]*'((?:[\w!#$&+.^`|~-]|%[\da-f]{2})*+)", re.IGNORECASE | re.ASCII
)
_UTF8_NAMES = ("utf-8", "utf8", "us-ascii", "ascii")
#: Those that leave the bytes as they are.
_TRANSFER_ENCODINGS = ("binary", "8bit", "7bit")


@dataclass(frozen=True)
class Part:
    """One part; `filename` is None where none is given, and may be empty.

    `content_type` is the part's own header with its parameters, of which `charset` is one.
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
        """The error that says so, by the name that a user knows the part by."""
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
        """A field's text, the first where it is given twice, as most servers read forms.

        Who takes a field only once looks at `texts`. Raises `InvalidRequest` if it is not UTF-8.
        """
        return next(self._texts(name), None)

    def texts(self, name: str) -> tuple[str, ...]:
        """All texts that are given for a field. Raises `InvalidRequest`."""
        return tuple(self._texts(name))

    def _texts(self, name: str) -> Iterator[str]:
        return (part.text for part in self.parts if part.name == name and part.filename is None)


def parse_form(body: bytes, content_type: str) -> Form:
    """The form in a body; `content_type` is the request's, with the boundary.

    Raises `InvalidRequest`. Takes the time that it takes to copy the body, whatever is in it.
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
                    # An empty part without a line end of its own: to some this is a part's end.
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
        # RFC 7578 has done away with it.
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
    # Old browsers sent the path that the file has on the user's Windows.
    return None if filename is None else filename.rpartition("\\")[2]
