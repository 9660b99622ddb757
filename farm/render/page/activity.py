"""Follows what a page does while it is rendered, by its events.

`Activity` keeps three things up to date: which document the page shows and how far that is loaded,
whether the page is about to navigate, and what it loads (`requests`). Steps of a render read them
and wait for them to change. No step relies on a promise in the page, since a navigation can destroy
it.

A page's events arrive in order, and before the answers to commands that were sent after their
cause. So a request that a page's script has started is known when a call into the page is answered.
A worker's requests are an exception: the browser's main process reports the worker
(`Page.catch_up`).

Source: https://chromedevtools.github.io/devtools-protocol/tot/Page/
"""

import asyncio
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from farm.render.browser.devtools import DevToolsError, Params, Session, TimedOut, Wait
from farm.render.browser.page import Page
from farm.render.page.navigation import Answer, Document, DocumentGone, Navigation
from farm.render.page.requests import Requests

#: A redirect by `<meta http-equiv=refresh>` is followed if its delay is no longer than this.
_SOON_S = 1.0
#: Workers that a page may have at the same time: two for each core, and at least 32. More running
#: threads would leave other pages no processor.
_MAX_WORKERS = max(32, 2 * (os.cpu_count() or 1))
#: How long a navigation that does not complete may hold commands back.
_SUSPENDED_S = 1.0
#: Chromium may not start a navigation that a script has requested, and does not report that.
_MAY_NOT_BEGIN_S = 1.0
#: Chromium's types of requests for fonts and style sheets.
_STYLE_TYPES = frozenset({"Font", "Stylesheet"})


@dataclass
class Activity:
    """What one page does, from before its render's first command."""

    page: Page
    document: Document = field(default_factory=Document)
    requests: Requests = field(default_factory=Requests)
    #: Called once, when an empty `about:blank` replaces written HTML, with its URL. It starts a
    #: navigation and returns its URL. It runs in an event handler, so it must not wait.
    on_lost: Callable[[str], str] | None = None
    _navigation: Navigation | None = None
    _answers: dict[str, Answer] = field(default_factory=dict)
    _change: Wait | None = None
    #: Waits for commands of the present document. They fail when the document goes.
    _document_waits: set[Wait] = field(default_factory=set)

    def __post_init__(self) -> None:
        handlers: dict[str, Callable[[Params], None]] = {
            "Page.frameNavigated": self._on_navigated,
            "Page.navigatedWithinDocument": self._on_navigated_within,
            "Page.frameDetached": self._on_detached,
            "Page.domContentEventFired": self._on_parsed,
            "Page.loadEventFired": self._on_loaded,
            "Page.frameStoppedLoading": self._on_stopped,
            "Page.frameScheduledNavigation": self._on_scheduled,
            "Page.frameClearedScheduledNavigation": self._on_cleared,
            "Page.frameRequestedNavigation": self._on_requested,
            "Page.frameStartedNavigating": self._on_started,
            "Network.requestWillBeSent": self._on_request,
            "Network.responseReceived": self._on_response,
            "Network.responseReceivedExtraInfo": self._on_headers,
            "Network.dataReceived": self._on_data,
            "Network.loadingFinished": self._on_finished,
            "Network.loadingFailed": self._on_failed,
        }
        self.page.sessions.forget_handlers()
        for event, handler in handlers.items():
            self.page.sessions.on(event, handler)
        self.page.sessions.on_worker = self._on_worker

    # ---- For steps

    @property
    def is_navigating(self) -> bool:
        """Whether a navigation has started, so that the document will load no further."""
        return self._navigation is not None and self._navigation.loader is not None

    @property
    def is_lost(self) -> bool:
        """Whether the document is empty until a navigation shows its HTML again."""
        return self.document.is_lost and self.navigating_to is not None

    @property
    def navigating_to(self) -> str | None:
        """The URL that the page is about to navigate to; None if it stays."""
        navigation = self._navigation
        if navigation is None:
            return None
        if navigation.loader is None and time.monotonic() > navigation.until:
            return None
        return navigation.url

    def quiet_in(self, quiet_s: float) -> float:
        """Seconds until the page counts as quiet if nothing more happens; 0 if it is quiet.

        A page is quiet when it does not navigate and has waited for no request for `quiet_s`.
        Infinity means that an event must come first.
        """
        if self.navigating_to is not None:
            navigation = self._navigation
            assert navigation is not None
            return (
                math.inf if navigation.loader else max(0.001, navigation.until - time.monotonic())
            )
        return self.requests.quiet_in(quiet_s)

    @property
    def under_way(self) -> list[str]:
        """The URLs that the page waits for."""
        navigating_to = self.navigating_to
        return [*self.requests.waited_for, *([navigating_to] if navigating_to is not None else [])]

    def wait_until(self, is_so: Callable[[], bool], until: float) -> bool:
        """Wait for events until it is so. False if it is not by `until` (monotonic)."""
        while not is_so():
            left = until - time.monotonic()
            if left <= 0:
                return False
            self.wait_for_change(left)
        return True

    def wait_until_gone(self, document: Document, timeout_s: float) -> bool:
        """Wait until the page shows another document. False if it does not in time."""
        return self.wait_until(lambda: document.is_gone, time.monotonic() + timeout_s)

    def wait_for_change(self, timeout_s: float) -> None:
        """Wait for the next event, or for so long. Raises `TargetGone` or `BrowserGone`."""
        wait = self._change = self.page.session.wait()
        try:
            with suppress(TimedOut):
                wait.wait(None if timeout_s == math.inf else timeout_s)
        finally:
            self._change = None
            self.page.session.drop(wait)

    def await_answer(self, wait: Wait, timeout_s: float | None = None) -> Params:
        """Wait for a command's answer, as long as the page shows the command's document.

        Chromium may never answer a command to a document that has gone, and holds commands back
        while a page is about to navigate to another site. Raises `DocumentGone` in both cases,
        `TimedOut`, and what `Session.send` does.
        """
        self._document_waits.add(wait)
        try:
            answer: Params = wait.wait(timeout_s)
            return answer
        finally:
            self._document_waits.discard(wait)

    def _fail_waits(self) -> None:
        for wait in list(self._document_waits):
            wait.fail(DocumentGone("the page goes elsewhere"))

    # ---- Events

    def _notify(self) -> None:
        if self._change is not None:
            self._change.give()

    def _is_main(self, params: Params) -> bool:
        return bool(params.get("frameId") == self.page.id)

    def _on_worker(self, info: Params, session: Session) -> None:
        self.requests.begin_worker(info["url"], session)
        if len(self.requests.workers) > _MAX_WORKERS:
            self.page.kill()
        session.on("Network.requestWillBeSent", partial(self._on_worker_request, session))
        session.on("Inspector.workerScriptLoaded", lambda _: self._on_worker_ran(session))
        session.on_end = partial(self._on_worker_gone, session)
        self._notify()

    def _on_worker_request(self, session: Session, params: Params) -> None:
        """Runs after `_on_request`, which does not know which worker made the request."""
        if (request := self.requests.find(params["requestId"])) is not None:
            request.worker = session

    def _on_worker_ran(self, session: Session) -> None:
        self.requests.note_worker_ran(session)
        self._notify()

    def _on_worker_gone(self, session: Session) -> None:
        self.requests.end_worker(session)
        self._notify()

    def _on_navigated(self, params: Params) -> None:
        frame = params["frame"]
        loader = frame["loaderId"]
        if frame["id"] == self.page.id:
            answer = self._answers.pop(loader, Answer())
            failed = frame.get("unreachableUrl")
            self.document.is_gone = True
            self.document = Document(
                loader,
                failed or frame["url"] + frame.get("urlFragment", ""),
                answer.status,
                has_body=answer.has_body,
                is_error_page=failed is not None,
            )
            self._navigation = None
            self._restore_if_lost()
            self._answers.clear()
            self.requests.drop(lambda request: request.loader != loader)
            self._fail_waits()
        else:
            self.requests.drop(
                lambda request: request.frame == frame["id"] and request.loader != loader
            )
        self.requests.last_progress = time.monotonic()
        self._notify()

    def _restore_if_lost(self) -> None:
        document, restore = self.document, self.on_lost
        if restore is not None and document.url.startswith("about:blank"):
            self.on_lost = None
            document.is_lost = True
            with suppress(DevToolsError):  # the page is gone
                url = restore(document.url)
                self._navigation = Navigation(url, time.monotonic() + _MAY_NOT_BEGIN_S)

    def _on_navigated_within(self, params: Params) -> None:
        if self._is_main(params):
            if self._navigation is not None and self._navigation.loader is None:
                self._navigation = None
            self.document.url = params["url"]
            self._notify()

    def _on_detached(self, params: Params) -> None:
        if params.get("reason") == "remove":
            self.requests.drop(lambda request: request.frame == params["frameId"])
            self._notify()

    def _on_parsed(self, _: Params) -> None:
        self.document.parsed = True
        self._notify()

    def _on_loaded(self, _: Params) -> None:
        self.document.parsed = self.document.loaded = True
        self._notify()

    def _on_stopped(self, params: Params) -> None:
        if self._is_main(params):
            self.document.loaded = True
            self._notify()

    def _on_scheduled(self, params: Params) -> None:
        if self._is_main(params) and params["delay"] <= _SOON_S and self._navigation is None:
            until = time.monotonic() + params["delay"] + _MAY_NOT_BEGIN_S
            self._navigation = Navigation(params["url"], until, scheduled=True)
            self._notify()

    def _on_cleared(self, params: Params) -> None:
        if self._is_main(params) and self._navigation is not None and self._navigation.scheduled:
            self._navigation = None
            self._notify()

    def _on_requested(self, params: Params) -> None:
        if self._is_main(params) and params.get("disposition", "currentTab") == "currentTab":
            self._navigation = Navigation(params["url"], time.monotonic() + _MAY_NOT_BEGIN_S)
            self._notify()

    def _on_started(self, params: Params) -> None:
        if self._is_main(params):
            if params["navigationType"] in ("sameDocument", "historySameDocument"):
                return
            navigation = self._navigation = Navigation(params["url"], math.inf, params["loaderId"])
            asyncio.get_running_loop().call_later(_SUSPENDED_S, self._on_late, navigation)
            self._notify()

    def _on_late(self, navigation: Navigation) -> None:
        if self._navigation is navigation:
            self._fail_waits()

    def _on_request(self, params: Params) -> None:
        if self.requests.are_too_many:
            return
        self.requests.begin(params)
        if self.requests.are_too_many:
            self._stop_counting()
        self._notify()

    def _on_response(self, params: Params) -> None:
        if (request := self.requests.find(params["requestId"])) is None:
            return
        self.requests.note_answer(request)
        if request.kind in _STYLE_TYPES and request.frame == self.page.id:
            self.document.style_requests[request.url] = params["requestId"]
        if request.frame == self.page.id and params["requestId"] == request.loader:
            self._answers[request.loader] = Answer(params["response"]["status"])
            if self.document.loader == request.loader:
                self.document.status = params["response"]["status"]
        self._notify()

    def _on_headers(self, params: Params) -> None:
        self.requests.note_headers(params["requestId"])
        self._notify()

    def _on_data(self, params: Params) -> None:
        if (request := self.requests.find(params["requestId"])) is not None:
            self.requests.note_progress(request)
            if params["requestId"] == self.document.loader:
                self.document.has_body = True
            elif (answer := self._answers.get(params["requestId"])) is not None:
                answer.has_body = True

    def _on_finished(self, params: Params) -> None:
        self._end(params["requestId"])

    def _on_failed(self, params: Params) -> None:
        name = params["requestId"]
        navigation = self._navigation
        if navigation is not None and navigation.loader == name and params.get("canceled"):
            self._navigation = None  # else Chromium shows its own error page next
        if name == self.document.loader:
            self.document.failure = params["errorText"]
        self._end(name)

    def _end(self, name: str) -> None:
        self.requests.end(name)
        self._notify()

    def _stop_counting(self) -> None:
        """The page makes requests without end: stop waiting for any."""
        self.requests.drop(lambda _: True)
        for session in self.page.sessions:
            with suppress(DevToolsError):
                session.post("Network.disable")
