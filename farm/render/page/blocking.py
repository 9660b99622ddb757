"""Requests of a page that are not sent: kinds of them, patterns of URLs, what lists name."""

from typing import Any

from farm.render.browser.devtools import Params
from farm.render.browser.page import Page
from farm.render.page import filters
from farm.render.page.filters import Listed
from farm.render.page.interception import Paused
from farm.request.network import Block

#: Chromium's `Network.ResourceType`s of what a request calls so.
_KINDS = {
    "image": ("Image",),
    "media": ("Media", "TextTrack"),
    "font": ("Font",),
    "stylesheet": ("Stylesheet",),
    "script": ("Script",),
    "xhr": ("XHR",),
    "fetch": ("Fetch",),
    "websocket": ("WebSocket",),
    "other": (
        "CSPViolationReport",
        "EventSource",
        "FedCM",
        "Manifest",
        "Other",
        "Ping",
        "Prefetch",
        "SignedExchange",
    ),
}
#: Of how many the answer tells the URL, and how much of it.
_MAX_TOLD = 20
_MAX_TEXT = 300


class Blocking:
    """Of one page, whose own document is always loaded."""

    def __init__(self, page: Page, block: Block, own_url: str | None) -> None:
        """Raises `FiltersMissing`."""
        self._page = page
        self._lists: list[Listed] = []
        if block.ads:
            self._lists.append(filters.ads(page, own_url))
        if block.cookie_banners:
            self._lists.append(filters.asks_for_consent)
        self._kinds = {kind for name in block.resources for kind in _KINDS[name]}
        self._urls = [pattern.split("*") for pattern in block.urls]
        self.patterns: list[Params] = [
            *({"resourceType": kind} for kind in sorted(self._kinds)),
            *({"urlPattern": _escaped(pattern)} for pattern in block.urls),
            *({"urlPattern": "*"} for _ in self._lists[:1]),
        ]
        #: As the answer tells it: how many requests were blocked, and the first of them.
        self.blocked: dict[str, Any] = {"count": 0, "urls": []}

    def handle(self, paused: Paused) -> None:
        is_document = paused.kind == "Document"
        if is_document and paused.frame == self._page.id:
            return
        if self._is_blocked(paused.url, paused.kind):
            self._note(paused.url)
            # A frame stays empty, where Chromium would show a page of its own about it.
            paused.fail("Aborted" if is_document else "BlockedByClient")

    def _is_blocked(self, url: str, kind: str) -> bool:
        return (
            kind in self._kinds
            or any(_fits(url, parts) for parts in self._urls)
            or any(is_listed(url, kind) for is_listed in self._lists)
        )

    def _note(self, url: str) -> None:
        self.blocked["count"] += 1
        told: list[str] = self.blocked["urls"]
        if len(told) < _MAX_TOLD and url[:_MAX_TEXT] not in told:
            told.append(url[:_MAX_TEXT])


def _escaped(pattern: str) -> str:
    """As Chromium reads it, to which `?` is any character, unless behind a backslash."""
    return pattern.replace("\\", "\\\\").replace("?", "\\?")


def _fits(url: str, parts: list[str]) -> bool:
    """Whether the URL consists of the parts, in their order, with any text between them.

    In a time that grows with the length of the URL only: patterns and URLs are strangers'.
    """
    first, *others = parts
    if not others:
        return url == first
    *middle, last = others
    if len(url) < len(first) + len(last) or not url.startswith(first) or not url.endswith(last):
        return False
    position, end = len(first), len(url) - len(last)
    for part in middle:
        found = url.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True
