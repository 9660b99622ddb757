"""What the page sends, and what it may load.

Secrets are among these: no message tells a value, and none is in a `repr`.
"""

import re
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import field_validator, model_validator

from farm.parsing import parse_url
from farm.request.group import Group, option, problem
from farm.request.headers import OF_THE_CONNECTION, check_headers, headers_option
from farm.request.patterns import MAX_LENGTH, Pattern, check_pattern
from farm.request.source import URL_SCHEMA

MAX_HEADERS = 50
MAX_SCOPES = 64
MAX_COOKIES = 100
MAX_PATTERNS = 100
#: Of a cookie's name.
_MAX_NAME = 256
#: Of all names and values together, in bytes: sites refuse more.
_MAX_HEADERS_BYTES = 32_768
#: Chromium takes no larger cookies, and no longer attributes.
_MAX_COOKIE_BYTES = 4_096
_MAX_ATTRIBUTE = 1_024
#: The last second of the year 9999.
_MAX_EXPIRES_S = 253_402_300_799

#: What RFC 6265bis has no cookie consist of.
_NOT_IN_COOKIE = re.compile(r"[\x00-\x1f\x7f;]")
_DOMAIN = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)
Resource = Literal[
    "image", "media", "font", "stylesheet", "script", "xhr", "fetch", "websocket", "other"
]


class Cookie(Group):
    name: str = option(..., "The cookie's name.", min_length=1, max_length=_MAX_NAME)
    value: str = option(..., "The cookie's value.", max_length=_MAX_COOKIE_BYTES, repr=False)
    domain: str | None = option(
        None, "The cookie is sent to this host and the hosts below it.", max_length=_MAX_ATTRIBUTE
    )
    path: str = option(
        "/", "The cookie is sent to paths that begin with this one.", max_length=_MAX_ATTRIBUTE
    )
    url: str | None = option(
        None,
        "An address whose host it is for; not together with `domain`.",
        schema=URL_SCHEMA,
    )
    expires: float | None = option(
        None,
        "When the cookie expires. Default: with the page.",
        unit="seconds since 1970",
        ge=0,
        le=_MAX_EXPIRES_S,
    )
    http_only: bool = option(False, "Scripts cannot read the cookie.")
    secure: bool = option(False, "The cookie is sent over TLS only.")
    same_site: Literal["Strict", "Lax", "None"] | None = option(
        None, "Whether pages of other sites send the cookie. Default: as Chromium does."
    )

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if _NOT_IN_COOKIE.search(name) or "=" in name or name != name.strip():
            raise problem("must have no control character, semicolon, = or space around it")
        return _in_utf8(name)

    @field_validator("value")
    @classmethod
    def _value(cls, value: str) -> str:
        if _NOT_IN_COOKIE.search(value) or value != value.strip():
            raise problem("must have no control character, semicolon or space around it")
        return _in_utf8(value)

    @field_validator("domain")
    @classmethod
    def _domain(cls, domain: str) -> str:
        if not _DOMAIN.fullmatch(domain):
            raise problem("must be a host name")
        return domain.lower()

    @field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        if not path.startswith("/") or _NOT_IN_COOKIE.search(path):
            raise problem("must begin with / and have no control character or semicolon")
        return _in_utf8(path)

    @field_validator("url")
    @classmethod
    def _url(cls, url: str) -> str:
        return parse_url(url)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.domain is not None and self.url is not None:
            raise problem("has a domain and a url; give one of them")
        if len(self.name.encode()) + len(self.value.encode()) > _MAX_COOKIE_BYTES:
            raise problem(f"its name and value have more than {_MAX_COOKIE_BYTES:,} bytes")
        if self.same_site == "None" and not self.secure:
            raise problem("with sameSite None it must be secure")
        prefix = self.name.lower()
        if prefix.startswith(("__secure-", "__host-")) and not self.secure:
            raise problem("by its name it must be secure")
        if prefix.startswith("__host-") and (self.domain is not None or self.path != "/"):
            raise problem("by its name it must have no domain, and the path /")
        if self.secure and (self.url or "").startswith("http:"):
            raise problem("a secure cookie is not for an http URL")
        return self

    @property
    def is_pages_own(self) -> bool:
        return self.domain is None and self.url is None


class Credentials(Group):
    """Of HTTP authentication."""

    username: str = option(..., "The user's name.", max_length=_MAX_NAME, repr=False)
    password: str = option(..., "The user's password.", max_length=_MAX_NAME, repr=False)

    @field_validator("username", "password")
    @classmethod
    def _text(cls, text: str) -> str:
        if any(character < " " or character == "\x7f" for character in text):
            raise problem("must have no control character")
        return _in_utf8(text)


class Block(Group):
    """What the page does not load; requests for it are not sent."""

    resources: tuple[Resource, ...] = option(
        (), "Kinds of requests that are not sent.", max_length=20
    )
    urls: tuple[str, ...] = option(
        (),
        "Patterns of whole URLs, in which `*` stands for any text.",
        max_length=MAX_PATTERNS,
        schema={"items": {"type": "string", "minLength": 1, "maxLength": _MAX_ATTRIBUTE}},
    )
    matching: tuple[str, ...] = option(
        (),
        "Regular expressions (Rust's syntax) that are looked for in a request's URL.",
        max_length=MAX_PATTERNS,
        schema={"items": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}},
    )
    ads: bool = option(False, "Ads and trackers that EasyList and EasyPrivacy know.")
    cookie_banners: bool = option(
        False, "Banners that ask for consent: their scripts are not loaded, and they are hidden."
    )

    @field_validator("urls")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not 1 <= len(pattern) <= _MAX_ATTRIBUTE or not pattern.isprintable():
                raise problem(f"each must be of 1 to {_MAX_ATTRIBUTE:,} printable characters")
        return patterns

    @field_validator("matching")
    @classmethod
    def _expressions(cls, expressions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_pattern(each) for each in expressions)

    @property
    def is_asked_for(self) -> bool:
        return self != _NO_BLOCK


_NO_BLOCK = Block.model_construct()


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
    block: Block = option(_NO_BLOCK, "Requests of the page that are not sent.")

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


def _in_utf8(text: str) -> str:
    """JSON can spell half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise problem("must be valid Unicode") from None
    return text
