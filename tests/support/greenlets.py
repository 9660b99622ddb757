"""Work in greenlets of a browser's thread, from a test's."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from farm.render.browser.devtools import Session
from farm.render.browser.thread import BrowserThread

#: Longer than anything that is run so.
_TIMEOUT_S = 30


class Runner:
    def __init__(self, thread: BrowserThread, browser: Session) -> None:
        self._thread = thread
        self._browser = browser

    def begin(self, work: Callable[[Session], Any]) -> Future[Any]:
        """Start it in a greenlet of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work(self._browser))
            except BaseException as exc:
                future.set_exception(exc)

        assert self._thread.spawn(run)
        return future

    def __call__(self, work: Callable[[Session], Any]) -> Any:
        """Run it, and return or raise what it does."""
        return self.begin(work).result(_TIMEOUT_S)
