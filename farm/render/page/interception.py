"""Pauses requests of a page before they are sent, for all steps that handle requests.

Interception is off until the first handler is added. From then on, every request of the page, its
frames and its workers that matches one of the patterns is paused. The handlers get it in their
order, and the first that answers it ends it. If none does, the request goes on as it is, or with
the headers that handlers have set. A redirect is a request of its own, without the changed headers.

Only requests that Chromium would send anyway are paused. A request that goes on goes through the
egress proxy as always, so the egress policy still applies.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Fetch/
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from farm.render.browser.devtools import DevToolsError, Params, Session, Wait
from farm.render.browser.page import Page

#: Chromium does not pause requests that a page's service worker answers.
_NO_SERVICE_WORKER = {"bypass": True}


class Paused:
    """A paused request. It is answered once."""

    def __init__(self, session: Session, params: Params) -> None:
        self._session = session
        self._id: str = params["requestId"]
        #: The URL without its fragment.
        self.url: str = params["request"]["url"]
        self.method: str = params["request"]["method"]
        #: Chromium's `Network.ResourceType`: `Document`, `Image`, `Fetch`, …
        self.kind: str = params["resourceType"]
        #: The id of the frame that it is for; for a worker, its page's.
        self.frame: str = params.get("frameId", "")
        #: The headers that are known before the network adds its own; without cookies.
        self.headers: dict[str, str] = dict(params["request"]["headers"])
        self._has_changed = False
        self.answered = False

    def header(self, name: str) -> str | None:
        """The value of a header. Upper and lower case make no difference."""
        name = name.lower()
        return next((value for each, value in self.headers.items() if each.lower() == name), None)

    def set_headers(self, headers: Mapping[str, str]) -> None:
        """Set headers for when the request goes on. They replace those of the same names."""
        names = {name.lower() for name in headers}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in names}
        self.headers = {**kept, **headers}
        self._has_changed = True

    def fulfil(self, status: int, headers: Mapping[str, str], body: bytes | str) -> None:
        """Answer the request here; it is not sent.

        `body`: bytes, or text that is already base64.
        """
        answer = {
            "responseCode": status,
            "responseHeaders": _as_list(headers),
            "body": body if isinstance(body, str) else base64.b64encode(body).decode("ascii"),
        }
        self._answer("Fetch.fulfillRequest", answer)

    def fail(self, reason: str = "BlockedByClient") -> None:
        """End the request; it is not sent. `reason`: one of Chromium's `Network.ErrorReason`."""
        self._answer("Fetch.failRequest", {"errorReason": reason})

    def go_on(self) -> None:
        changes = {"headers": _as_list(self.headers)} if self._has_changed else {}
        self._answer("Fetch.continueRequest", changes)

    def _answer(self, method: str, params: Params) -> None:
        self.answered = True
        with suppress(DevToolsError):  # the page is gone
            self._session.post(method, {"requestId": self._id, **params}, self._end)

    def _end(self) -> None:
        """Chromium has rejected the answer, and the request would stay paused.

        Not to be sent before the rejection: if the site asks for a password meanwhile, the request
        is paused again, and this would end that pause for ever.
        """
        with suppress(DevToolsError):
            self._session.post(
                "Fetch.failRequest", {"requestId": self._id, "errorReason": "Failed"}
            )


#: Called in a callback of the loop, so it cannot wait. It answers the request, or leaves it.
Handler = Callable[[Paused], None]
#: Returns the user name and password for an `authChallenge` of the request with that id. None if
#: there are none; then the page gets what the site answers without them.
AuthHandler = Callable[[str, Params], tuple[str, str] | None]
#: Requests of a page that may be paused; no page makes more to be drawn. Each keeps the browser's
#: thread busy for a moment, and a page can repeat a request that fails at once for ever.
_MAX_PAUSED = 20_000


class Interception:
    """The interception of one page, for one render.

    A handler checks itself which request it gets.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._handlers: list[Handler] = []
        self._patterns: list[Params] = []
        self._auth: AuthHandler | None = None
        self._listening: set[Session] = set()
        self._paused = 0

    def add(self, handler: Handler, patterns: Sequence[Params], first: bool = False) -> Wait:
        """Pass requests to `handler`, before all other handlers if `first`.

        `patterns`: the `RequestPattern`s of Chromium for what the handler must see; it may see
        others too. Returns the wait for the page itself; frames and workers are not waited for.
        Raises `TargetGone` or `BrowserGone`.
        """
        self._handlers.insert(0 if first else len(self._handlers), handler)
        self._patterns.extend(patterns)
        return self._enable()

    def answer_auth(self, handler: AuthHandler, patterns: Sequence[Params]) -> Wait:
        """Call `handler` when a site asks for a password for a request that the patterns match."""
        self._auth = handler
        self._patterns.extend(patterns)
        return self._enable()

    def _enable(self) -> Wait:
        self._page.is_altered = True
        if self._prepare_child not in self._page.sessions.prepare_child:
            self._page.sessions.prepare_child.append(self._prepare_child)
        main, *children = self._page.sessions
        for child in children:
            with suppress(DevToolsError):
                self._prepare_child({}, child)
        self._listen(main)
        main.post("Network.setBypassServiceWorker", _NO_SERVICE_WORKER)
        return main.begin("Fetch.enable", self._wanted)

    @property
    def _wanted(self) -> Params:
        return {"patterns": self._patterns, "handleAuthRequests": self._auth is not None}

    def _prepare_child(self, _: Params, session: Session) -> None:
        # Chromium 156 reports all requests to the page's own session, before a child's session can
        # be set up. Other versions have reported a frame's requests to the frame's session. None
        # reports one to both.
        self._listen(session)
        session.post("Network.setBypassServiceWorker", _NO_SERVICE_WORKER)
        session.post("Fetch.enable", self._wanted)

    def _listen(self, session: Session) -> None:
        if session in self._listening:
            return
        self._listening.add(session)
        session.on("Fetch.requestPaused", partial(self._on_paused, session))
        session.on("Fetch.authRequired", partial(self._on_auth, session))

    def _on_paused(self, session: Session, params: Params) -> None:
        self._paused += 1
        if self._paused == _MAX_PAUSED:
            self._page.kill()
        paused = Paused(session, params)
        for handler in self._handlers:
            handler(paused)
            if paused.answered:
                return
        paused.go_on()

    def _on_auth(self, session: Session, params: Params) -> None:
        found = self._auth(params["requestId"], params["authChallenge"]) if self._auth else None
        answer: dict[str, Any] = {"response": "CancelAuth"}
        if found is not None:
            username, password = found
            answer = {
                "response": "ProvideCredentials",
                "username": username,
                "password": password,
            }
        params = {"requestId": params["requestId"], "authChallengeResponse": answer}
        with suppress(DevToolsError):
            session.post("Fetch.continueWithAuth", params)


def _as_list(headers: Mapping[str, str]) -> list[Params]:
    return [{"name": name, "value": value} for name, value in headers.items()]
