"""Blocks requests of a page: by their type, by patterns of URLs, and by lists."""

from typing import Any

from farm.render.browser.devtools import Params, Wait
from farm.render.browser.page import Page
from farm.render.page import filters
from farm.render.page.filters import Listed
from farm.render.page.interception import Paused
from farm.render.page.matching import Matching
from farm.render.page.traffic import reportable_url
from farm.request.blocking import Block

#: Chromium's types of the requests that it pauses, by the names that the API uses. Chromium gives
#: one type to `fetch()` and XMLHttpRequest, and pauses no WebSocket.
_TYPES = {
    "image": ("Image",),
    "media": ("Media",),
    "font": ("Font",),
    "stylesheet": ("Stylesheet",),
    "script": ("Script",),
    "xhr": ("XHR",),
    "fetch": ("XHR",),
    "websocket": (),
    "other": ("CSPViolationReport", "Fetch", "Other", "Ping", "XHR"),
}
#: Types that have the same name in Chromium.
_PLAIN = ("image", "media", "font", "stylesheet", "script")
#: Makes connections to URLs of these schemes fail, in documents and in workers.
_NO_WEB_SOCKETS = {
    "matchedNetworkConditions": [
        {
            "urlPattern": f"{scheme}://*:*/*",
            "offline": True,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": -1,
        }
        for scheme in ("ws", "wss")
    ]
}
#: How many blocked URLs the answer lists.
_MAX_TOLD = 20


class Blocking:
    """Blocks requests of one page. The page's own document is always loaded."""

    def __init__(self, page: Page, block: Block, own_url: str | None) -> None:
        """Raises `FiltersMissing`."""
        self._page = page
        self._lists: list[Listed] = []
        if block.ads:
            self._lists.append(filters.ads(page, own_url))
        if block.cookie_banners:
            self._lists.append(filters.asks_for_consent)
        self._kinds = set(block.resources)
        if "fetch" in self._kinds:
            self._kinds.add("xhr")
        self._matching = Matching(block.matching)
        self._urls = [pattern.split("*") for pattern in block.urls]
        self.patterns: list[Params] = [
            *({"resourceType": each} for kind in block.resources for each in _TYPES[kind]),
            *({"urlPattern": _escaped(pattern)} for pattern in block.urls),
            *({"urlPattern": "*"} for _ in (*self._lists, *block.matching)[:1]),
        ]
        #: For the answer: the number of blocked requests, and the first URLs.
        self.blocked: dict[str, Any] = {"count": 0, "urls": []}

    def handle(self, paused: Paused) -> None:
        is_document = paused.kind == "Document"
        if is_document and paused.frame == self._page.id:
            return
        if self._is_blocked(paused):
            self._note(paused.url)
            # With `Aborted` a frame stays empty; otherwise Chromium would show an error page in it.
            paused.fail("Aborted" if is_document else "BlockedByClient")

    def block_web_sockets(self) -> Wait | None:
        """Block WebSockets, if the request asks for that."""
        if "websocket" not in self._kinds:
            return None
        command = "Network.emulateNetworkConditionsByRule", _NO_WEB_SOCKETS
        self._page.is_altered = True
        self._page.sessions.on("Network.webSocketCreated", lambda params: self._note(params["url"]))
        self._page.sessions.prepare_child.append(lambda _, session: session.post(*command))
        return self._page.session.begin(*command)

    def _is_blocked(self, paused: Paused) -> bool:
        url = paused.url
        return (
            _kind_of(paused) in self._kinds
            or any(_fits(url, parts) for parts in self._urls)
            or self._matching.find(url) is not None
            or any(is_listed(url, paused.kind) for is_listed in self._lists)
        )

    def _note(self, url: str) -> None:
        self.blocked["count"] += 1
        told: list[str] = self.blocked["urls"]
        url = reportable_url(url)
        if len(told) < _MAX_TOLD and url not in told:
            told.append(url)


def _kind_of(paused: Paused) -> str:
    """The type of a request, by its name in the API."""
    if paused.kind == "XHR" and paused.header("Accept") != "text/event-stream":
        return "xhr"
    named = paused.kind.lower()
    return named if named in ("document", *_PLAIN) else "other"


def _escaped(pattern: str) -> str:
    """The pattern in Chromium's syntax, in which `?` is any character unless after a backslash."""
    return pattern.replace("\\", "\\\\").replace("?", "\\?")


def _fits(url: str, parts: list[str]) -> bool:
    """Whether the URL consists of the parts, in order, with any text between them.

    The time grows only with the length of the URL, since patterns and URLs are untrusted.
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
