"""Work in greenlets of a browser's thread: plain, synchronous code, many pieces at the same time.

Synchronous Playwright belongs to the thread that started it, but its calls are greenlet switches:
while one call waits, other greenlets of the same thread may be inside calls of their own. So one
thread serves many pages. Three rules make it sound:

- a greenlet is started from a callback of the loop; the callback itself never waits;
- every greenlet catches all that it raises;
- nothing blocks or computes for long in this thread.

Any thread calls `spawn`. The browser's `thread` calls the rest.
"""

import asyncio
from collections.abc import Callable

import greenlet
import structlog

from farm.render.browser.devtools import BrowserGone

log = structlog.get_logger()


class Greenlets:
    """The greenlets of one thread, from `open` to `close`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._workers: set[greenlet.greenlet] = set()

    def open(self) -> None:
        """From now on, run work in the event loop of the calling thread."""
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Take no more work."""
        self._loop = None

    def spawn(self, work: Callable[[], None]) -> bool:
        """Run `work` in a greenlet of the loop's thread. False if there is no loop to run it.

        Even after True, `work` may never run: a loop that ends drops it.
        """
        loop = self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(self._start, work)
        except RuntimeError:  # the loop was closed in between
            return False
        return True

    def end(self) -> None:
        """Throw `BrowserGone` into every greenlet that still waits for the browser."""
        workers, self._workers = self._workers, set()
        loop = self._loop
        if loop is None:
            return
        for worker in workers:
            loop.call_soon(_throw_gone, worker)

    def _start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except Exception:
                log.exception("work in the engine's thread failed")
            finally:
                self._workers.discard(worker)

        worker = greenlet.greenlet(run)
        self._workers.add(worker)
        worker.switch()


def _throw_gone(worker: greenlet.greenlet) -> None:
    if not worker.dead:
        worker.throw(BrowserGone("the browser died"))
