"""DevTools commands to pages that Playwright has no part in, through its session with the browser.

A page that Playwright itself starts costs some twenty commands, an injected script, and events
about its network, its scripts and its frames, none of which a render needs: a third of the CPU of a
small one. So the farm asks the browser for its pages by DevTools, and talks to each through the one
browser-wide session that Playwright gives: a message to a page is wrapped in
`Target.sendMessageToTarget`, and what the page says arrives in `Target.receivedMessageFromTarget`.

For greenlets of the browser's thread (see `browser`): while one waits for an answer, others run.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Target/
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, Protocol

import greenlet
from playwright.sync_api import CDPSession
from playwright.sync_api import Error as PlaywrightError

Params = dict[str, Any]

_MESSAGE = "Target.receivedMessageFromTarget"
_ATTACHED = "Target.attachedToTarget"
_DETACHED = "Target.detachedFromTarget"


class CommandFailed(PlaywrightError):
    """The target is there, and did not do what it was told; the message is Chromium's."""


class TargetGone(PlaywrightError):
    """The target was closed or died, or did so before it answered."""


class Sender(Protocol):
    """What commands can be sent to."""

    def send(self, method: str, params: Params | None = None) -> Any:
        """A command; returns its answer. Raises Playwright's `Error`."""


class _Reply:
    """An answer that is waited for."""

    def __init__(self) -> None:
        self._waiter = greenlet.getcurrent()
        self._done = False
        self._result: Any = None
        self._error: PlaywrightError | None = None

    def give(self, result: Any, error: PlaywrightError | None = None) -> None:
        """From a callback of the loop, which must not itself go on with the waiter's work."""
        self._result, self._error, self._done = result, error, True
        asyncio.get_running_loop().call_soon(self._waiter.switch)

    def wait(self) -> Any:
        """Raises what was given as an error."""
        while not self._done:
            loop_greenlet = self._waiter.parent
            if loop_greenlet is None or loop_greenlet.dead:
                raise TargetGone("there is no loop that could bring an answer")
            loop_greenlet.switch()
        if self._error is not None:
            raise self._error
        return self._result


class _Sessions:
    """The targets that are attached to by way of one sender, and what they have to say."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._open: dict[str, Session] = {}

    def add(self, session_id: str) -> "Session":
        session = self._open[session_id] = Session(self._sender, session_id)
        return session

    def all(self) -> "list[Session]":
        return list(self._open.values())

    def hear(self, method: str, params: Params) -> None:
        """An event of the sender's."""
        if method == _MESSAGE:
            if (session := self._open.get(params["sessionId"])) is not None:
                session.hear(json.loads(params["message"]))
        elif method == _ATTACHED and params["targetInfo"]["type"] == "iframe":  # not its workers
            self.add(params["sessionId"])
        elif method == _DETACHED and (gone := self._open.pop(params["sessionId"], None)):
            gone.end()

    def end(self) -> None:
        while self._open:
            self._open.popitem()[1].end()


class Browser:
    """The browser, by Playwright's session with it."""

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        self._pages = _Sessions(self)
        # Playwright looks at a listener's signature at each event: of a plain function it is cheap.
        cdp.on(_MESSAGE, lambda params: self._pages.hear(_MESSAGE, params))
        cdp.on(_DETACHED, lambda params: self._pages.hear(_DETACHED, params))
        #: The headless shell: no dialogs, no downloads, and pages as large as asked for.
        self.is_shell = self.send("Browser.getVersion")["product"].startswith("HeadlessChrome/")

    def send(self, method: str, params: Params | None = None) -> Any:
        """Raises Playwright's `Error`."""
        return self._cdp.send(method, params or {})

    def attach(self, page_id: str) -> "Session":
        """To a page, by its target's id."""
        # The browser's own session does that by itself only with sessions that Playwright hides.
        params = {"targetId": page_id, "flatten": False}
        return self._pages.add(self.send("Target.attachToTarget", params)["sessionId"])


class Session:
    """A target: a page, or a frame that another process draws."""

    def __init__(self, sender: Sender, session_id: str) -> None:
        self._sender = sender
        self._id = session_id
        self._last_number = 0
        self._replies: dict[int, _Reply] = {}
        self._frames = _Sessions(self)
        #: It answers no more; `crashed`: because its process died.
        self.ended = False
        self.crashed = False

    def send(self, method: str, params: Params | None = None) -> Any:
        """Raises `CommandFailed` or `TargetGone`, and Playwright's `Error` for a browser gone."""
        if self.ended:
            raise TargetGone("the target is gone")
        self._last_number = number = self._last_number + 1
        reply = self._replies[number] = _Reply()
        try:
            self._post(number, method, params or {})
            return reply.wait()
        finally:
            self._replies.pop(number, None)

    def _post(self, number: int, method: str, params: Params) -> None:
        message = json.dumps({"id": number, "method": method, "params": params})
        params = {"sessionId": self._id, "message": message}
        self._sender.send("Target.sendMessageToTarget", params)

    def sleep(self, seconds: float) -> None:
        """Let others run for so long. Raises `TargetGone`."""
        if self.ended:
            raise TargetGone("the target is gone")
        self._last_number = number = self._last_number + 1
        reply = self._replies[number] = _Reply()
        timer = asyncio.get_running_loop().call_later(seconds, reply.give, None)
        try:
            reply.wait()
        finally:
            timer.cancel()
            self._replies.pop(number, None)

    def frames(self) -> "list[Session]":
        """Frames below it that other processes draw, those in them included.

        A frame may go at any time, and that is not said; raises `TargetGone` for the target itself.
        """
        # They are attached to before this is answered.
        params = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False}
        self.send("Target.setAutoAttach", params)
        frames = self._frames.all()
        for frame in list(frames):
            with suppress(CommandFailed, TargetGone):
                frames += frame.frames()
        return frames

    def hear(self, message: Params) -> None:
        if "id" not in message:
            if message["method"] == "Inspector.targetCrashed":
                self.crashed = True
                self.end()
            elif message["method"] == "Page.javascriptDialogOpening":
                self._post(0, "Page.handleJavaScriptDialog", {"accept": False})
            else:
                self._frames.hear(message["method"], message["params"])
        elif (reply := self._replies.get(message["id"])) is not None:
            error = message.get("error")
            reply.give(message.get("result"), CommandFailed(error["message"]) if error else None)

    def end(self) -> None:
        self.ended = True
        self._frames.end()
        for reply in self._replies.values():
            reply.give(None, TargetGone("the target is gone"))
