"""Requests of a page that wait for the farm before they are sent: one place for all that need it.

Interception is off until the first handler is added. From then on every request of the page, its
frames and its workers that one of the patterns names is paused, and shown to the handlers in their
order. The first handler that answers it ends it; where none does, it goes on as it is, or with the
headers that handlers have set. A redirect is shown as a request of its own: changed headers do not
go along with it.

Only requests that Chromium would send anyway are paused, and one that goes on takes the page's way
to the network: what the egress policy refuses is refused as ever.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Fetch/
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from farm.render.browser.devtools import DevToolsError, Params, Session, Wait
from farm.render.browser.page import Page

#: What a page's service worker answers, Chromium does not pause.
_NO_SERVICE_WORKER = {"bypass": True}


class Paused:
    """One request that waits for an answer, which is given once."""

    def __init__(self, session: Session, params: Params) -> None:
        self._session = session
        self._id: str = params["requestId"]
        #: Without its fragment.
        self.url: str = params["request"]["url"]
        self.method: str = params["request"]["method"]
        #: Chromium's `Network.ResourceType`: `Document`, `Image`, `Fetch`, …
        self.kind: str = params["resourceType"]
        #: Of the frame that it is for; a worker's is its page's.
        self.frame: str = params.get("frameId", "")
        #: As far as they are known before the network adds its own; without cookies.
        self.headers: dict[str, str] = dict(params["request"]["headers"])
        self._has_changed = False
        self.answered = False

    def header(self, name: str) -> str | None:
        """Its value; names are the same in upper and lower case."""
        name = name.lower()
        return next((value for each, value in self.headers.items() if each.lower() == name), None)

    def set_headers(self, headers: Mapping[str, str]) -> None:
        """Headers that it takes along if it goes on, in the place of those of the same names."""
        names = {name.lower() for name in headers}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in names}
        self.headers = {**kept, **headers}
        self._has_changed = True

    def fulfil(self, status: int, headers: Mapping[str, str], body: bytes | str) -> None:
        """Answer it here; nothing is sent. `body`: its bytes, or these in base64 already."""
        answer = {
            "responseCode": status,
            "responseHeaders": _as_list(headers),
            "body": body if isinstance(body, str) else base64.b64encode(body).decode("ascii"),
        }
        self._answer("Fetch.fulfillRequest", answer)

    def fail(self, reason: str = "BlockedByClient") -> None:
        """End it; nothing is sent. `reason`: one of Chromium's `Network.ErrorReason`."""
        self._answer("Fetch.failRequest", {"errorReason": reason})

    def go_on(self) -> None:
        changes = {"headers": _as_list(self.headers)} if self._has_changed else {}
        self._answer("Fetch.continueRequest", changes)

    def _answer(self, method: str, params: Params) -> None:
        self.answered = True
        with suppress(DevToolsError):  # the page is gone
            self._session.post(method, {"requestId": self._id, **params})
            if method == "Fetch.fulfillRequest" or self._has_changed:
                # In vain, unless Chromium has refused the answer: the request would stay paused.
                # It takes a request back that is asked for a password by then, and never lets it go
                # on. So it is not for one that goes on as it is, which is not refused.
                failure = {"requestId": self._id, "errorReason": "Failed"}
                self._session.post("Fetch.failRequest", failure)


#: Is called in a callback of the loop, so it cannot wait. It answers the request, or leaves it.
Handler = Callable[[Paused], None]
#: The user name and password for an `authChallenge` of the request with that id; None: there are
#: none, and the page is shown what the site answers without them.
AuthHandler = Callable[[str, Params], tuple[str, str] | None]
#: Requests that a page may have paused: more than any makes to be drawn. Each takes the browser's
#: thread a moment, and one that fails at once can be made again without an end.
_MAX_PAUSED = 20_000


class Interception:
    """Of one page, for one render. Handlers check for themselves what a request is."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._handlers: list[Handler] = []
        self._patterns: list[Params] = []
        self._auth: AuthHandler | None = None
        self._listening: set[Session] = set()
        self._paused = 0

    def add(self, handler: Handler, patterns: Sequence[Params], first: bool = False) -> Wait:
        """Show requests to `handler`, before the others if it is to be the `first`.

        `patterns`: Chromium's `RequestPattern`s of what it must see; it may see others too. Returns
        the wait for the page itself; its frames and workers are not waited for. Raises `TargetGone`
        or `BrowserGone`.
        """
        self._handlers.insert(0 if first else len(self._handlers), handler)
        self._patterns.extend(patterns)
        return self._enable()

    def answer_auth(self, handler: AuthHandler, patterns: Sequence[Params]) -> Wait:
        """Ask `handler` when a request that the patterns name is asked for a password."""
        self._auth = handler
        self._patterns.extend(patterns)
        return self._enable()

    def _enable(self) -> Wait:
        self._page.is_altered = True
        if self._prepare_child not in self._page.prepare_child:
            self._page.prepare_child.append(self._prepare_child)
        main, *children = self._page.sessions()
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
        # Chromium 156 shows all requests to the page's own session, before a child's session could
        # be told; others have shown a frame's to the frame's. None is shown to both.
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
