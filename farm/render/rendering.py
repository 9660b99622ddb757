"""One render on its way through the engine: what it is for, where it is, how it ends.

::

    WAITING ──► RENDERING ──► ENDED
       ▲            │
       │            ├──► SUSPECT      its browser died, and it may be the cause: it is rendered
       └────────────┘       │         alone, and so is RENDERING once more
                            └──► …

`outcomes` moves a rendering from one state to the next; `keeping.host` says which of two threads
may do so when a render's end and its browser's death come together.
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

    WAITING = "in the line"
    RENDERING = "in a browser"
    SUSPECT = "before a browser of its own"
    ENDED = "nowhere: nothing of it is left in a browser, nor will be"


class Rendering:
    """For `Engine.wait` and `Engine.cancel`. Hashed by identity."""

    def __init__(
        self, request: RenderRequest, request_id: str, caller: str | None, deadline_s: float
    ) -> None:
        self.request = request
        self.request_id = request_id
        #: The name of the API key that it is rendered for, where there are keys.
        self.caller = caller
        self.arrived = time.monotonic()
        self.deadline = self.arrived + deadline_s
        self.answer: Future[RenderResult] = Future()
        self.state = State.WAITING
        #: Set when the state is ENDED.
        self.ended = threading.Event()
        #: While it is RENDERING: where, and on which page once there is one.
        self.browser: BrowserThread | None = None
        self.page: Page | None = None
        #: When it entered that browser (`time.monotonic()`).
        self.entered = 0.0
        #: How often it has had a page.
        self.tries = 0
        #: How often the GPU process has died while it had one.
        self.gpu_deaths = 0
        #: Its page was closed, since what all pages share may have died for it, or what it had
        #: drawn with it.
        self.is_suspect = False
        #: Why the engine itself ended it; what the page's calls then raise is no news.
        self.given_up: FarmError | RenderCancelled | None = None

    @property
    def left_s(self) -> float:
        """Seconds until its deadline, 0 after it."""
        return max(0.0, self.deadline - time.monotonic())

    def enter(self, browser: BrowserThread) -> None:
        """It is to be rendered there."""
        self.state, self.browser = State.RENDERING, browser
        self.entered = time.monotonic()
        self.is_suspect = False

    def leave(self, state: State) -> None:
        """It is in a browser no more."""
        self.state, self.browser, self.page = state, None, None
        if state is State.ENDED:
            self.ended.set()

    def deliver(self, result: RenderResult) -> None:
        """The first answer counts, whichever thread gives it."""
        with suppress(InvalidStateError):
            self.answer.set_result(result)

    def fail(self, error: BaseException) -> None:
        with suppress(InvalidStateError):
            self.answer.set_exception(error)
