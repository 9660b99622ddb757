"""The fields for what a page sends and loads, as Puppeteer's users write them."""

import re
from typing import Any, Literal

from farm.web.compat.puppeteer.declared import Body, field
from farm.web.compat.puppeteer.draft import Draft

#: A regular expression in JavaScript's form, `/…/`. Clients also send some without the second
#: slash.
_SLASHED = re.compile(r"/(\^.*?|.*?(?=/[a-z]*$))(?:/[a-z]*)?", re.DOTALL)

#: Puppeteer's types of requests that the farm has a name for. All others are `other`.
_NAMED = ("stylesheet", "image", "media", "font", "script", "xhr", "fetch", "websocket")
_OTHER = "other"
#: Blocking one of these types also blocks the other.
_ALIKE = frozenset({"xhr", "fetch"})
# fmt: off
Kind = Literal[
    "document", "stylesheet", "image", "media", "font", "script", "texttrack", "xhr", "fetch",
    "prefetch", "eventsource", "websocket", "manifest", "signedexchange", "ping",
    "cspviolationreport", "preflight", "fedcm", "other",
]
# fmt: on
#: As browserless distinguishes base64 from other texts.
_BASE64 = re.compile(r"(?:[0-9a-zA-Z+/]{4})*(?:[0-9a-zA-Z+/]{2}==|[0-9a-zA-Z+/]{3}=)?", re.ASCII)


class Cookie(Body):
    name: str
    value: str
    domain: str | None = None
    path: str | None = None
    url: str | None = None
    expires: float | None = None
    http_only: bool | None = None
    secure: bool | None = None
    same_site: Literal["Strict", "Lax", "None"] | None = None
    priority: str | None = None
    same_party: bool | None = None
    source_scheme: str | None = None
    source_port: int | None = None

    def ours(self) -> dict[str, Any]:
        given = self.model_dump(by_alias=True, exclude_none=True)
        for name in ("priority", "sameParty", "sourceScheme", "sourcePort"):
            given.pop(name, None)
        if self.domain and self.url:
            del given["url"]
        if self.expires is not None and self.expires < 0:  # a negative value means none in Chromium
            del given["expires"]
        return {name: value for name, value in given.items() if value != ""}


class Authenticate(Body):
    username: str = field(
        ..., "options.auth.username", "Sent to the page's own origin only; not with `html`."
    )
    password: str = field(..., "options.auth.password")


def put_cookies(draft: Draft, cookies: list[Cookie]) -> None:
    if cookies:
        draft.set("options.cookies", [cookie.ours() for cookie in cookies])


def put_headers(draft: Draft, headers: dict[str, str]) -> None:
    draft.set("options.headers", {**(draft.get("options.headers") or {}), **headers})


def reject_kinds(draft: Draft, kinds: list[Kind]) -> None:
    if "document" in kinds:
        draft.refuse("rejectResourceTypes", "must not have document: the page itself is one")
    _block(draft, _named(kinds))


def allow_kinds(draft: Draft, kinds: list[Kind]) -> None:
    """Block all other types."""
    allowed = _named(kinds)
    if not _ALIKE.isdisjoint(allowed):
        allowed |= _ALIKE
    if kinds:
        _block(draft, {*_NAMED, _OTHER} - allowed)


def _named(kinds: list[Kind]) -> set[str]:
    """The types by the farm's names."""
    return {kind if kind in _NAMED else _OTHER for kind in kinds if kind != "document"}


def _block(draft: Draft, kinds: set[str]) -> None:
    if kinds:
        before = draft.get("options.block.resources") or ()
        draft.set("options.block.resources", sorted({*before, *kinds}))


def reject_patterns(draft: Draft, expressions: list[str]) -> None:
    if expressions:
        draft.add("options.block.matching", *map(_plain, expressions))


def _plain(expression: str) -> str:
    """The expression without enclosing slashes, which would match no URL."""
    slashed = _SLASHED.fullmatch(expression)
    return slashed[1] if slashed else expression


class Response(Body):
    status: int | None = None
    headers: dict[str, Any] | None = None
    content_type: str | None = None
    body: str | None = None


class Interceptor(Body):
    pattern: str
    response: Response

    def ours(self) -> dict[str, Any]:
        response = self.response
        mock: dict[str, Any] = {"url": _plain(self.pattern)}
        if response.status is not None:
            mock["status"] = response.status
        if response.headers:
            mock["headers"] = {name: str(value) for name, value in response.headers.items()}
        if response.content_type:
            mock["contentType"] = response.content_type
        if response.body:
            is_base64 = _BASE64.fullmatch(response.body) is not None
            mock["base64" if is_base64 else "text"] = response.body
        return mock


def put_interceptors(draft: Draft, interceptors: list[Interceptor]) -> None:
    if interceptors:
        draft.set("options.mock", [each.ours() for each in interceptors])
