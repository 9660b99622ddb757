"""What the page sends, and what it may load.

Secrets are among these: no message tells a value, and none is in a `repr`.
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
#: Of a user's name, and of a password.
_MAX_NAME = 256
#: Of all names and values together, in bytes: sites refuse more.
_MAX_HEADERS_BYTES = 32_768


class Credentials(Group):
    """Of HTTP authentication."""

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
        "Headers of requests to whatever origin, by their URLs. Where several have the same name, "
        "the last one wins, and over `headers`.",
        max_length=MAX_SCOPES,
        repr=False,
    )
    cookies: tuple[Cookie, ...] = option(
        (),
        "Cookies that are there before the page is loaded; the page's own unless they say else.",
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
        """The first option that is for the page's own origin, if one is asked for."""
        if self.headers:
            return "headers"
        if self.auth is not None:
            return "auth"
        if any(cookie.is_pages_own for cookie in self.cookies):
            return "cookies"
        return None


#: Chromium sends none of these with such a method (https://fetch.spec.whatwg.org/#forbidden-request-header).
_METHODS = ("x-http-method", "x-http-method-override", "x-method-override")
_FORBIDDEN_METHOD = re.compile(r"\b(connect|trace|track)\b", re.IGNORECASE)


def check_own_origin(options: Network, addresses: Iterable[str | None]) -> None:
    """Raises a problem where the page has none of the `addresses` that `options` could be for."""
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
