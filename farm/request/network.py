"""What the page sends, and what it may load.

Some of the values are secrets, so no message and no `repr` contains a value.
"""

import re
from collections.abc import Iterable

from pydantic import field_validator

from farm.request.blocking import NO_BLOCK, Block
from farm.request.cookies import Cookie
from farm.request.group import Group, option, problem
from farm.request.headers import OF_THE_CONNECTION, check_headers, headers_option
from farm.request.patterns import MAX_LENGTH, Pattern
from farm.request.texts import in_utf8

MAX_HEADERS = 50
MAX_SCOPES = 64
MAX_COOKIES = 100
#: The longest user name, and the longest password.
_MAX_NAME = 256
#: Names and values of all headers together. Sites refuse more.
_MAX_HEADERS_BYTES = 32_768


class Credentials(Group):
    """Credentials for HTTP authentication."""

    username: str = option(..., "The user's name.", max_length=_MAX_NAME, repr=False)
    password: str = option(..., "The user's password.", max_length=_MAX_NAME, repr=False)

    @field_validator("username", "password")
    @classmethod
    def _text(cls, text: str) -> str:
        if any(character < " " or character == "\x7f" for character in text):
            raise problem("must have no control character")
        return in_utf8(text)


class ScopedHeaders(Group):
    url: Pattern = option(
        ...,
        "A regular expression of Rust's syntax that is looked for in a request's URL: "
        "`^https://([a-z0-9-]+\\.)*example\\.com/`.",
        schema={"minLength": 1, "maxLength": MAX_LENGTH},
    )
    headers: dict[str, str] = headers_option("Headers of requests to these URLs.", MAX_HEADERS)

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers, _MAX_HEADERS_BYTES, _check_header)
        return headers


class Network(Group):
    headers: dict[str, str] = headers_option(
        "Headers of every request to the page's own origin, and of no other.", MAX_HEADERS
    )
    scoped_headers: tuple[ScopedHeaders, ...] = option(
        (),
        "Headers of requests to any origin, selected by URL. If several set the same header, the "
        "last one wins, also over `headers`.",
        max_length=MAX_SCOPES,
        repr=False,
    )
    cookies: tuple[Cookie, ...] = option(
        (),
        "Cookies that are set before the page is loaded. One without `domain` and `url` is for the "
        "page's own host.",
        max_length=MAX_COOKIES,
        repr=False,
    )
    auth: Credentials | None = option(
        None, "For HTTP authentication of the page's own origin.", repr=False
    )
    block: Block = option(NO_BLOCK, "Requests of the page that are not sent.")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers, _MAX_HEADERS_BYTES, _check_header)
        return headers

    @property
    def needs_own_origin(self) -> str | None:
        """The first option of the request that needs a page with an origin; None if none does."""
        if self.headers:
            return "headers"
        if self.auth is not None:
            return "auth"
        if any(cookie.is_for_own_host for cookie in self.cookies):
            return "cookies"
        return None


#: Chromium does not send these headers with the methods below
#: (https://fetch.spec.whatwg.org/#forbidden-request-header).
_METHODS = ("x-http-method", "x-http-method-override", "x-method-override")
_FORBIDDEN_METHOD = re.compile(r"\b(connect|trace|track)\b", re.IGNORECASE)


def check_own_origin(options: Network, addresses: Iterable[str | None]) -> None:
    """Raises a problem if `options` need an origin and the page has none of the `addresses`."""
    if (name := options.needs_own_origin) is None or any(each is not None for each in addresses):
        return
    what = "a cookie without domain and url needs" if name == "cookies" else f"{name} needs"
    raise problem(f"{what} a page with an origin of its own: a url, or html with a baseUrl")


def _check_header(name: str, lower: str, value: str) -> None:
    if lower in OF_THE_CONNECTION or lower == "cookie2" or lower.startswith(("proxy-", "sec-")):
        raise problem(f"{name} is set by the browser alone")
    if lower in ("cookie", "set-cookie"):
        raise problem(f"{name} cannot be set here; use cookies")
    if lower in _METHODS and _FORBIDDEN_METHOD.search(value):
        raise problem(f"{name} must not name CONNECT, TRACE or TRACK, which browsers do not send")
