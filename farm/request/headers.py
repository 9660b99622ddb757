"""Validates HTTP headers in a request: those of pages, mocked answers and webhooks."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from farm.request.group import option, problem

_MAX_NAME = 256
_MAX_VALUE = 8_192
#: RFC 9110, 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
#: Headers that belong to a connection, so that no request may set them (RFC 9110, 7.6.1 among
#: others).
OF_THE_CONNECTION = frozenset(
    {
        *("connection", "content-length", "expect", "host", "http2-settings", "keep-alive"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)


def headers_option(text: str, at_most: int) -> Any:
    """A field of a group: headers by name. The group must call `check_headers`."""
    return option(
        {},
        text,
        unit="names",
        max_length=at_most,
        schema={"additionalProperties": {"type": "string", "maxLength": _MAX_VALUE}},
        repr=False,
    )


def check_headers(
    headers: Mapping[str, str], max_bytes: int, check_name: Callable[[str, str, str], None]
) -> None:
    """Raises a problem if a name or a value is not valid.

    `check_name` is called with each name, the name in lower case, and the value. `max_bytes` bounds
    all names and values together.
    """
    names = {name.lower() for name in headers}
    if len(names) < len(headers):
        raise problem("has a name twice; names are the same in upper and lower case")
    for name, value in headers.items():
        if len(name) > _MAX_NAME or not _TOKEN.fullmatch(name):
            raise problem(f"each name must be a token of HTTP of at most {_MAX_NAME} characters")
        check_name(name, name.lower(), value)
        if len(value) > _MAX_VALUE or not _VALUE.fullmatch(value):
            raise problem(
                f"the value of {name} must be of at most {_MAX_VALUE:,} printable ASCII"
                " characters, without space around it"
            )
    if sum(len(name) + len(value) for name, value in headers.items()) > max_bytes:
        raise problem(f"has more than {max_bytes:,} characters")
