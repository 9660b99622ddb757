"""What a page loads: its pending requests, and the workers that make requests.

`activity` updates it from the page's events.

Sources: https://chromedevtools.github.io/devtools-protocol/tot/Network/ and …/tot/Inspector/
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from farm.render.browser.devtools import Params, Session

#: Types of requests that have no end, or that do not change the picture.
_NOT_WAITED_FOR = frozenset(
    {"WebSocket", "EventSource", "Ping", "Media", "Prefetch", "Manifest", "CSPViolationReport"}
)
#: Types that do not delay the load event.
_BESIDE_LOAD = frozenset({"Fetch", "XHR"})
#: An answer that is still incomplete after so long counts as a stream.
_OPEN_ANSWER_S = 2.0
#: A worker whose script has not completed after so long counts as busy for ever.
_WORKER_START_S = 2.0
#: No page makes more requests to be drawn.
_MAX_REQUESTS = 10_000


def _is_prefetch(request: Params) -> bool:
    """Whether it is for a later page. The type of `<link rel=prefetch>` is only `Other`."""
    purpose: str = request.get("headers", {}).get("Sec-Purpose", "")
    return purpose.startswith("prefetch")


@dataclass
class Request:
    url: str
    kind: str
    frame: str
    #: The loader id of the document that made it; empty for a worker's request, or a worker's
    #: script.
    loader: str
    #: The worker that made it, if one did.
    worker: Session | None = None
    #: When its answer began (`time.monotonic()`).
    answered: float | None = None


@dataclass
class _Start:
    """The start of a worker whose script has not completed."""

    url: str
    #: When it is no longer waited for.
    until: float


@dataclass
class Requests:
    """The requests and workers of one page."""

    #: How many requests and workers have begun so far, and how many of them have ended.
    begun: int = 0
    ended: int = 0
    #: When an event of a request that delays the load event came last.
    last_progress: float = field(default_factory=time.monotonic)
    #: When the last one ended; minus infinity if none has.
    _last_end: float = -math.inf
    _under_way: dict[str, Request] = field(default_factory=dict)
    #: None for a worker whose script has run.
    _workers: dict[Session, _Start | None] = field(default_factory=dict)

    @property
    def progress(self) -> tuple[int, int]:
        """Changes whenever anything begins or ends: an answer may cause requests once drawn."""
        return self.begun, self.ended

    @property
    def workers(self) -> list[Session]:
        """The workers that live."""
        return list(self._workers)

    @property
    def are_too_many(self) -> bool:
        """Whether following so many requests would keep the browser's thread busy."""
        return self.begun > _MAX_REQUESTS

    def quiet_in(self, quiet_s: float) -> float:
        """Seconds until no awaited request has been pending for so long, if none begins.

        Infinity means that an event must come first.
        """
        now = time.monotonic()
        left = self._last_end + quiet_s - now
        for start in self._starts:
            left = max(left, start.until - now)
        for request in self._under_way.values():
            if request.answered is None:
                return math.inf
            left = max(left, request.answered + _OPEN_ANSWER_S - now)
        return max(0.0, left)

    @property
    def waited_for(self) -> list[str]:
        """The URLs of the requests and worker scripts that are waited for."""
        now = time.monotonic()
        requests = [
            request.url
            for request in self._under_way.values()
            if request.answered is None or request.answered + _OPEN_ANSWER_S > now
        ]
        return [*requests, *(start.url for start in self._starts if start.until > now)]

    def find(self, name: str) -> Request | None:
        """A pending request, by its id."""
        return self._under_way.get(name)

    def begin(self, params: Params) -> None:
        """A request has begun. `params` are those of `Network.requestWillBeSent`."""
        url, kind = params["request"]["url"], params.get("type", "Other")
        request = Request(url, kind, params.get("frameId", ""), params["loaderId"])
        has_no_end = kind in _NOT_WAITED_FOR or _is_prefetch(params["request"])
        if has_no_end or (url.startswith("data:") and request.loader):
            return
        self.begun += 1
        self._under_way[params["requestId"]] = request
        if not request.loader and url.startswith(("blob:", "data:")):
            request.answered = time.monotonic()  # a worker's script: see `note_headers`
        self.note_progress(request)

    def note_answer(self, request: Request) -> None:
        request.answered = time.monotonic()
        self.note_progress(request)

    def note_headers(self, name: str) -> None:
        """The only event of a worker's script if the worker is ended before its script begins."""
        request = self._under_way.get(name)
        if request is not None and not request.loader:
            request.answered = request.answered or time.monotonic()

    def note_progress(self, request: Request) -> None:
        if request.kind not in _BESIDE_LOAD:
            self.last_progress = time.monotonic()

    def end(self, name: str) -> None:
        if (request := self._under_way.pop(name, None)) is not None:
            self._note_end()
            self.note_progress(request)

    def drop(self, is_over: Callable[[Request], bool]) -> None:
        """Forget requests that get no more events: their frame, document or worker is gone."""
        for name in [name for name, request in self._under_way.items() if is_over(request)]:
            del self._under_way[name]

    def begin_worker(self, url: str, session: Session) -> None:
        """A worker was made. It waits for the farm before it runs its script."""
        self.begun += 1
        self._workers[session] = _Start(url, time.monotonic() + _WORKER_START_S)

    def note_worker_ran(self, session: Session) -> None:
        """The worker's script has completed. The page's messages are delivered to it only now."""
        self._workers[session] = None
        self._note_end()

    def end_worker(self, session: Session) -> None:
        self._workers.pop(session, None)
        self.drop(lambda request: request.worker is session)

    @property
    def _starts(self) -> list[_Start]:
        return [start for start in self._workers.values() if start is not None]

    def _note_end(self) -> None:
        self.ended += 1
        self._last_end = time.monotonic()
