"""Cookies that a page has before it is loaded."""

import re
from typing import Literal, Self

from pydantic import field_validator, model_validator

from farm.parsing import parse_url
from farm.request.group import Group, option, problem
from farm.request.source import URL_SCHEMA
from farm.request.texts import in_utf8

_MAX_NAME = 256
#: Chromium accepts no larger cookies and no longer attributes.
_MAX_COOKIE_BYTES = 4_096
_MAX_ATTRIBUTE = 1_024
#: The last second of the year 9999.
_MAX_EXPIRES_S = 253_402_300_799

#: Characters that RFC 6265bis forbids in cookies.
_NOT_IN_COOKIE = re.compile(r"[\x00-\x1f\x7f;]")
_DOMAIN = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)


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
        "The cookie is for the host of this URL; not together with `domain`.",
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
        return in_utf8(name)

    @field_validator("value")
    @classmethod
    def _value(cls, value: str) -> str:
        if _NOT_IN_COOKIE.search(value) or value != value.strip():
            raise problem("must have no control character, semicolon or space around it")
        return in_utf8(value)

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
        return in_utf8(path)

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
    def is_for_own_host(self) -> bool:
        """Whether the cookie is for the page's own host."""
        return self.domain is None and self.url is None
