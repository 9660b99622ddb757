"""The state of one render on its way through the engine.

    WAITING ──► RENDERING ──► ENDED
       ▲            │
       │            ├──► SUSPECT      its browser died, and it may be the cause: it is rendered
       └────────────┘       │         alone, and then is RENDERING again
                            └──► …

`outcomes` moves a rendering from one state to the next. `keeping.host` decides which of two threads
may do so when a render ends and its browser dies at the same time.
"""

import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from enum import Enum

from farm.errors import FarmError
from farm.render.browser.page import Page
from farm.render.browser.thread import BrowserThread
from farm.renderer import RenderCancelled
from farm.request import RenderRequest, RenderResult


class State(Enum):
    """Where a rendering is."""

    WAITING = "in the queue"
    RENDERING = "in a browser"
    SUSPECT = "before a browser of its own"
    ENDED = "nowhere: nothing of it is left in a browser, nor will be"


class Rendering:
    """A render that `Engine.wait` and `Engine.cancel` take. Hashed by identity."""

    def __init__(
        self, request: RenderRequest, request_id: str, caller: str | None, deadline_s: float
    ) -> None:
        self.request = request
        self.request_id = request_id
        #: The name of the caller's API key, if there are keys.
        self.caller = caller
        self.arrived = time.monotonic()
        self.deadline = self.arrived + deadline_s
        self.answer: Future[RenderResult] = Future()
        self.state = State.WAITING
        #: Set when the state is ENDED.
        self.ended = threading.Event()
        #: While it is RENDERING: its browser, and its page once there is one.
        self.browser: BrowserThread | None = None
        self.page: Page | None = None
        #: When it was assigned to that browser, by `time.monotonic()`.
        self.assigned = 0.0
        #: How often it has had a page.
        self.tries = 0
        #: How often the GPU process has died while it had a page.
        self.gpu_deaths = 0
        #: Whether its page was closed after a death of the GPU process: the page may be the cause,
        #: or has lost what it drew.
        self.is_suspect = False
        #: Why the engine itself has ended it. Whatever the page's calls raise after that is
        #: ignored.
        self.given_up: FarmError | RenderCancelled | None = None

    @property
    def left_s(self) -> float:
        """Seconds until its deadline, 0 after it."""
        return max(0.0, self.deadline - time.monotonic())

    def assign(self, browser: BrowserThread) -> None:
        """It is to be rendered in the browser."""
        self.state, self.browser = State.RENDERING, browser
        self.assigned = time.monotonic()
        self.is_suspect = False

    def unassign(self, state: State) -> None:
        """It is in no browser any more."""
        self.state, self.browser, self.page = state, None, None
        if state is State.ENDED:
            self.ended.set()

    def deliver(self, result: RenderResult) -> None:
        """Answer with the result. Only the first answer counts, from whichever thread."""
        with suppress(InvalidStateError):
            self.answer.set_result(result)

    def fail(self, error: BaseException) -> None:
        with suppress(InvalidStateError):
            self.answer.set_exception(error)
