"""Counts a page's requests for a report: how much was loaded, what was slow, what failed.

Only requests over the network count: not `data:` and `blob:`, and not WebSockets.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Network/
"""

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from farm.egress import Note
from farm.parsing import without_login
from farm.render.browser.devtools import Params
from farm.render.browser.page import Page
from farm.render.page.loading import reason_of

#: How many characters of a URL are reported, and how many are searched for logins that must not be.
MAX_URL = 300
_LONGEST_URL = 4_096
_MAX_SLOWEST = 20
_MAX_FAILED = 50
_MAX_BLOCKED = 50
_MAX_REDIRECTS = 20
#: Requests that may be pending at the same time. Of further ones only the number is known.
_MAX_OPEN = 10_000
#: Chromium's reason for a request that a DevTools command has blocked.
_BLOCKED_BY_FARM = "inspector"


def reportable_url(url: str) -> str:
    return without_login(url[:_LONGEST_URL])[:MAX_URL]


@dataclass
class _Open:
    url: str
    kind: str
    #: By Chromium's clock, in seconds.
    began: float
    status: int | None = None


@dataclass
class Traffic:
    """The traffic of one page, from before its render's first command."""

    page: Page
    count: int = 0
    bytes: int = 0
    failed_count: int = 0
    blocked_count: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)
    #: Requests that the caller wanted to be blocked.
    blocked: list[dict[str, Any]] = field(default_factory=list)
    #: Redirects of the main frame's documents, wherever the page has navigated.
    redirects: list[dict[str, Any]] = field(default_factory=list)
    _slowest: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)
    _open: dict[str, _Open] = field(default_factory=dict)
    _number: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.page.sessions.on("Network.requestWillBeSent", self._on_request)
        self.page.sessions.on("Network.responseReceived", self._on_response)
        self.page.sessions.on("Network.loadingFinished", self._on_finished)
        self.page.sessions.on("Network.loadingFailed", self._on_failed)

    @property
    def slowest(self) -> list[dict[str, Any]]:
        """The slowest requests, the slowest one first."""
        return [told for _, _, told in sorted(self._slowest, reverse=True)]

    def explain(self, notes: Iterable[Note]) -> None:
        """Give requests without an answer the egress proxy's reason for their host."""
        reasons = {
            note.host.lower(): ("the egress policy refuses it: " * note.refused) + note.reason
            for note in notes
        }
        for told in self.failed:
            host = (urlsplit(told["url"]).hostname or "").lower()
            if "status" not in told:
                told["reason"] = reasons.get(host, told["reason"])

    def _on_request(self, params: Params) -> None:
        name, url = params["requestId"], params["request"]["url"]
        if not url.startswith(("http://", "https://")):
            return
        if (answer := params.get("redirectResponse")) is not None:
            self._redirect(params, answer)
        elif name in self._open:  # reported by two processes
            return
        self.count += 1
        if len(self._open) < _MAX_OPEN:
            kind = params.get("type", "Other").lower()
            self._open[name] = _Open(reportable_url(url), kind, params["timestamp"])

    def _redirect(self, params: Params, answer: Params) -> None:
        if (request := self._open.pop(params["requestId"], None)) is None:
            return
        request.status = answer["status"]
        is_document = params.get("type") == "Document" and params.get("frameId") == self.page.id
        if is_document and len(self.redirects) < _MAX_REDIRECTS:
            self.redirects.append({"url": request.url, "status": answer["status"]})
        self._end(request, params["timestamp"], answer.get("encodedDataLength", 0))

    def _on_response(self, params: Params) -> None:
        if (request := self._open.get(params["requestId"])) is not None:
            request.status = params["response"]["status"]

    def _on_finished(self, params: Params) -> None:
        if (request := self._open.pop(params["requestId"], None)) is not None:
            self._end(request, params["timestamp"], params["encodedDataLength"])
            if request.status is not None and request.status >= 400:
                self._fail(request, f"its answer has the status {request.status}")

    def _on_failed(self, params: Params) -> None:
        if (request := self._open.pop(params["requestId"], None)) is None:
            return
        self._end(request, params["timestamp"], 0)
        if params.get("blockedReason") == _BLOCKED_BY_FARM:
            self.blocked_count += 1
            if len(self.blocked) < _MAX_BLOCKED:
                self.blocked.append({"url": request.url, "reason": "the request blocks it"})
        else:
            self._fail(request, _reason(params))

    def _end(self, request: _Open, now: float, size: float) -> None:
        spent_ms = max(0.0, (now - request.began) * 1000)
        self.bytes += int(size)
        told = {
            "url": request.url,
            "status": request.status,
            "type": request.kind,
            "ms": round(spent_ms, 1),
            "bytes": int(size),
        }
        told = {name: value for name, value in told.items() if value is not None}
        # The number makes entries comparable that took the same time: dictionaries are not.
        heapq.heappush(self._slowest, (spent_ms, next(self._number), told))
        if len(self._slowest) > _MAX_SLOWEST:
            heapq.heappop(self._slowest)

    def _fail(self, request: _Open, reason: str) -> None:
        self.failed_count += 1
        if len(self.failed) < _MAX_FAILED:
            told = {"url": request.url, "type": request.kind, "reason": reason}
            status = {} if request.status is None else {"status": request.status}
            self.failed.append(told | status)


def _reason(params: Params) -> str:
    """The reason of a `Network.loadingFailed` event, in words."""
    if (cause := params.get("blockedReason")) is not None:
        return f"the browser blocks it: {cause}"
    if (cors := params.get("corsErrorStatus")) is not None:
        return f"its site does not allow it to the page's: {cors['corsError']}"
    if params.get("canceled"):
        return "the page cancelled it"
    error: str = params["errorText"]
    return reason_of(error) or error
