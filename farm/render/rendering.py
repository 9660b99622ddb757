"""One render on its way through the engine: what it is for, where it is, how it ends."""

import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING

from farm.errors import FarmError
from farm.render.browser.contexts import Page
from farm.request import RenderRequest, RenderResult

if TYPE_CHECKING:
    from farm.render.keeping.host import Host


class RenderCancelled(Exception):
    """The render was ended by `Engine.cancel`; its result is wanted no more."""


class Rendering:
    """For `Engine.wait` and `Engine.cancel`. Hashed by identity."""

    def __init__(self, request: RenderRequest, request_id: str, deadline_s: float) -> None:
        self.request = request
        self.request_id = request_id
        self.arrived = time.monotonic()
        self.deadline = self.arrived + deadline_s
        self.answer: Future[RenderResult] = Future()
        #: Where it is being rendered: None in the line.
        self.host: Host | None = None
        self.page: Page | None = None
        #: How often it has had a page.
        self.tries = 0
        #: Why the engine itself ended it; what the page's calls then raise is no news.
        self.given_up: FarmError | RenderCancelled | None = None
        #: Set when nothing of it is left in a browser, nor will be.
        self.gone = threading.Event()

    @property
    def left_s(self) -> float:
        """Seconds until its deadline, 0 after it."""
        return max(0.0, self.deadline - time.monotonic())

    def deliver(self, result: RenderResult) -> None:
        """The first answer counts, whichever thread gives it."""
        with suppress(InvalidStateError):
            self.answer.set_result(result)

    def fail(self, error: BaseException) -> None:
        with suppress(InvalidStateError):
            self.answer.set_exception(error)
