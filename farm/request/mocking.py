"""Which of the page's requests are answered by the render request, instead of by a site."""

from collections.abc import Iterator

from pydantic import field_validator

from farm.request.group import Group, option, problem
from farm.request.headers import OF_THE_CONNECTION, check_headers, headers_option
from farm.request.patterns import MAX_LENGTH, Pattern
from farm.request.source import MAX_CONTENT_TYPE, Base64, check_media_type

_MAX_MOCKS = 50
_MAX_HEADERS = 50
_MAX_HEADERS_BYTES = 32_768


class Mock(Group):
    url: Pattern = option(
        ...,
        "A regular expression (Rust's syntax) that is looked for in a request's URL: "
        "`/data\\.json$`.",
        schema={"minLength": 1, "maxLength": MAX_LENGTH},
    )
    status: int = option(200, "The HTTP status of the answer.", ge=200, le=599)
    headers: dict[str, str] = headers_option("The headers of the answer.", _MAX_HEADERS)
    content_type: str | None = option(
        None,
        "The media type of the answer, unless it is in `headers`.",
        max_length=MAX_CONTENT_TYPE,
    )
    text: str | None = option(None, "The body of the answer, as text. Default: an empty body.")
    base64: Base64 | None = option(
        None, "The body of the answer, in base64; not together with `text`."
    )

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers, _MAX_HEADERS_BYTES, _check_header)
        return headers

    @field_validator("content_type")
    @classmethod
    def _media_type(cls, content_type: str) -> str:
        return check_media_type(content_type)

    def conflicts(self) -> Iterator[str]:
        yield from super().conflicts()
        if self.text is not None and self.base64 is not None:
            yield "has text and base64; give one of them"


class Mocking(Group):
    mock: tuple[Mock, ...] = option(
        (),
        "Requests of the page that are answered here and not sent, by the first whose `url` meets "
        "them; documents are loaded all the same.",
        max_length=_MAX_MOCKS,
    )


def _check_header(name: str, lower: str, value: str) -> None:
    if lower in OF_THE_CONNECTION or lower == "content-encoding":
        raise problem(f"{name} is the browser's alone")
