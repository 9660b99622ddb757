"""What a page sends and loads, as Puppeteer's users say it."""

import re
from typing import Any, Literal

from farm.web.compat.puppeteer.declared import Body, field
from farm.web.compat.puppeteer.draft import Draft

#: A regular expression as JavaScript writes it, `/…/`; in use are some without the second slash.
_SLASHED = re.compile(r"/(\^.*?|.*?(?=/[a-z]*$))(?:/[a-z]*)?", re.DOTALL)

#: Puppeteer's types of requests, and what the farm calls them. It names some kinds alike.
KINDS = {
    "stylesheet": "stylesheet",
    "image": "image",
    "media": "media",
    "font": "font",
    "script": "script",
    "xhr": "xhr",
    "fetch": "fetch",
    "websocket": "websocket",
    **dict.fromkeys(("texttrack", "prefetch", "eventsource", "manifest", "signedexchange"), "other"),
    **dict.fromkeys(("ping", "cspviolationreport", "preflight", "other", "fedcm"), "other"),
}
Kind = Literal[
    *("document", "stylesheet", "image", "media", "font", "script", "xhr", "fetch", "websocket"),
    *("texttrack", "prefetch", "eventsource", "manifest", "signedexchange", "ping"),
    *("cspviolationreport", "preflight", "other", "fedcm"),
]


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
        if self.expires is not None and self.expires < 0:  # Chromium's word for none
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
        draft.refuse("rejectResourceTypes", "the page itself is a document")
    _block(draft, {KINDS[kind] for kind in kinds if kind != "document"})


def allow_kinds(draft: Draft, kinds: list[Kind]) -> None:
    """All others are blocked."""
    allowed = {KINDS[kind] for kind in kinds if kind != "document"}
    if kinds:
        _block(draft, set(KINDS.values()) - allowed)


def _block(draft: Draft, kinds: set[str]) -> None:
    if kinds:
        before = draft.get("options.block.resources") or ()
        draft.set("options.block.resources", sorted({*before, *kinds}))


def reject_patterns(draft: Draft, expressions: list[str]) -> None:
    if expressions:
        draft.add("options.block.matching", *map(_plain, expressions))


def _plain(expression: str) -> str:
    """Without slashes around it, which URLs cannot meet."""
    slashed = _SLASHED.fullmatch(expression)
    return slashed[1] if slashed else expression
