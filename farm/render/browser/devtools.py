"""DevTools commands to the browser and its pages, over the farm's side of the pipe.

For greenlets of the browser's thread (see `thread`): while one waits for an answer, others run. A
step of a render waits for one of two things: the answer to a command (`Session.send`), or a change
in what the page's events have reported (`Session.wait`). Both waits end when the target ends.

Sessions are flat: every message names its session, however deep the frame is nested.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Target/
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import greenlet
import structlog

from farm.render.browser.pipe import Message, Switch

log = structlog.get_logger()

Params = dict[str, Any]


class DevToolsError(Exception):
    """The browser did not do what it was asked to."""


class CommandFailed(DevToolsError):
    """The target exists, and the command failed. The message is Chromium's."""


class TargetGone(DevToolsError):
    """The target was closed or has died, perhaps before it answered."""


class BrowserGone(DevToolsError):
    """The browser has died, or is being ended."""


class TimedOut(DevToolsError):
    """No answer came in the time that the caller gave."""


#: Chromium's message for a closed session; it may come before the event that reports the closing.
_NO_SESSION = "Session with given id not found."


class Wait:
    """A greenlet's wait for one value, or for an error that is raised instead."""

    def __init__(self) -> None:
        self.done = False
        self._waiter: greenlet.greenlet | None = None
        self._value: Any = None
        self._error: DevToolsError | None = None

    def give(self, value: Any = None) -> None:
        """End the wait with the value. Only the first end counts."""
        self._end(value, None)

    def fail(self, error: DevToolsError) -> None:
        self._end(None, error)

    def _end(self, value: Any, error: DevToolsError | None) -> None:
        if self.done:
            return
        self.done, self._value, self._error = True, value, error
        if self._waiter is not None:
            # Not at once: the caller is in the middle of a step of its own.
            asyncio.get_running_loop().call_soon(self._waiter.switch)

    def wait(self, timeout_s: float | None = None) -> Any:
        """Let other greenlets run until the value is there. Raises the error that was given.

        Raises `TimedOut` after `timeout_s`.
        """
        timer = None
        if not self.done and timeout_s is not None:
            error = TimedOut(f"no answer within {timeout_s:g} s")
            timer = asyncio.get_running_loop().call_later(timeout_s, self.fail, error)
        self._waiter = greenlet.getcurrent()
        try:
            while not self.done:
                loop_greenlet = self._waiter.parent
                if loop_greenlet is None or loop_greenlet.dead:
                    raise BrowserGone("there is no loop that could bring an answer")
                loop_greenlet.switch()
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        if self._error is not None:
            raise self._error
        return self._value


class Session:
    """A target that the farm is attached to: the browser, a page, a worker, or a frame.

    Only a frame of another process than its page's is a target.
    """

    def __init__(self, switch: Switch, session_id: str) -> None:
        self._switch = switch
        self._id = session_id
        self._handlers: dict[str, list[Callable[[Params], None]]] = {}
        #: The waits, each with the command whose answer it is for.
        self._waits: dict[Wait, int | None] = {}
        #: Sessions of targets that were attached to through this one, by their ids.
        self.children: dict[str, Session] = {}
        #: The target answers no more. `crashed`: since its process has died.
        self.ended = False
        self.crashed = False
        #: Called when the session ends.
        self.on_end: Callable[[], None] = lambda: None
        switch.open(session_id, self._on_event)

    def send(self, method: str, params: Params | None = None) -> Any:
        """Send a command and wait; returns its answer.

        Raises `CommandFailed`, `TargetGone` and `BrowserGone`.
        """
        return self.begin(method, params).wait()

    def begin(self, method: str, params: Params | None = None) -> Wait:
        """Send a command now, and wait for its answer later. Raises what `send` does."""
        self._check()
        wait = Wait()
        command = self._switch.send(method, params or {}, self._id, partial(self._answer, wait))
        self._waits[wait] = command
        if self._switch.ended:
            self._switch.forget(command)
            wait.fail(BrowserGone("the browser died"))
        return wait

    def post(
        self,
        method: str,
        params: Params | None = None,
        on_rejected: Callable[[], None] | None = None,
    ) -> None:
        """Send a command whose answer does not matter. Raises `TargetGone`.

        `on_rejected`: called in a callback of the loop if the answer is an error.
        """
        self._check()
        on_answer = None if on_rejected is None else partial(_call_if_rejected, on_rejected)
        self._switch.send(method, params or {}, self._id, on_answer)

    def wait(self) -> Wait:
        """A wait that also ends when the target does. Raises `TargetGone`."""
        self._check()
        wait = Wait()
        self._waits[wait] = None
        return wait

    def drop(self, wait: Wait) -> None:
        """Forget the wait; it ends with the target no more."""
        self._waits.pop(wait, None)

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for so long. Raises `TargetGone`."""
        wait = self.wait()
        timer = asyncio.get_running_loop().call_later(seconds, wait.give)
        try:
            wait.wait()
        finally:
            timer.cancel()
            self.drop(wait)

    def on(self, event: str, handler: Callable[[Params], None]) -> None:
        """Call the handler with the parameters of each such event, in a callback of the loop.

        Handlers of one event are called in the order in which they were added. Adding one again
        does nothing.
        """
        handlers = self._handlers.setdefault(event, [])
        if handler not in handlers:
            handlers.append(handler)

    def off(self, event: str, handler: Callable[[Params], None]) -> None:
        """Stop calling the handler."""
        handlers = self._handlers.get(event, [])
        if handler in handlers:
            handlers.remove(handler)

    def attach(self, target_id: str) -> "Session":
        """Attach to a target, by its id. For the browser's session."""
        params = {"targetId": target_id, "flatten": True}
        return self.adopt(self.send("Target.attachToTarget", params)["sessionId"])

    def adopt(self, session_id: str) -> "Session":
        """The session of a child that is attached already."""
        if (child := self.children.get(session_id)) is None:
            child = self.children[session_id] = Session(self._switch, session_id)
        return child

    def interrupt(self, error: DevToolsError) -> None:
        """End the current waits with the error. The session goes on."""
        for wait in list(self._waits):
            wait.fail(error)

    def end(self, error: DevToolsError | None = None) -> None:
        """End the session and those below it, with an error for all waits."""
        self.ended = True
        self._switch.close_session(self._id)
        while self.children:
            self.children.popitem()[1].end(error)
        while self._waits:
            wait, command = self._waits.popitem()
            if command is not None:
                self._switch.forget(command)
            wait.fail(error or TargetGone("the target is gone"))
        self.on_end()

    def _check(self) -> None:
        if self._switch.ended:
            raise BrowserGone("the browser died")
        if self.ended:
            raise TargetGone("the target is gone")

    def _answer(self, wait: Wait, message: Message) -> None:
        self._waits.pop(wait, None)
        if (error := message.get("error")) is None:
            wait.give(message["result"])
        elif error["message"] == _NO_SESSION:
            self.end()
            wait.fail(TargetGone("the target is gone"))
        else:
            wait.fail(CommandFailed(error["message"]))

    def _on_event(self, method: str, params: Params) -> None:
        match method:
            case "Inspector.targetCrashed":
                self.crashed = True
                self.end()
            case "Target.detachedFromTarget":
                if (child := self.children.pop(params["sessionId"], None)) is not None:
                    child.end()
            case _:
                for handler in tuple(self._handlers.get(method, ())):
                    handler(params)


def _call_if_rejected(on_rejected: Callable[[], None], message: Message) -> None:
    if "error" in message:
        on_rejected()


def attach_to_browser(switch: Switch) -> Session:
    """The farm's own session with the browser, apart from Playwright's."""
    wait = Wait()
    switch.send("Target.attachToBrowserTarget", {}, on_answer=wait.give)
    answer = wait.wait()
    if "error" in answer:
        raise CommandFailed(answer["error"]["message"])
    return Session(switch, answer["result"]["sessionId"])
