"""Renders suspects again: one after another, each alone in a browser.

`outcomes` hands over the renderings. When a browser dies by itself, any of its pages may be the
cause. Rendered alone, each of them shows whether it is. The renders in the other browser are not
affected.
"""

import queue
import threading
from collections.abc import Callable

import structlog

from farm.render.keeping.host import Host
from farm.render.rendering import Rendering, State

log = structlog.get_logger()

#: How long the browser is kept for the next suspect.
_IDLE_S = 5.0
_START_TIMEOUT_S = 10.0
#: The time in which the browser must prove that it draws.
_DRAW_TIMEOUT_S = 2.0
#: The interval between two checks of the browser.
_CHECK_S = 1.0


class Quarantine:
    """Has a thread and a browser only while there are suspects."""

    def __init__(
        self, make_host: Callable[[], Host], drop: Callable[[Rendering, bool], None]
    ) -> None:
        """`drop` is called for a suspect that is not rendered: with True if there was no browser,
        with False if its answer is there already.
        """
        self._make_host = make_host
        self._drop = drop
        self._suspects: queue.SimpleQueue[Rendering] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._host: Host | None = None
        self._stopping = False

    def put(self, rendering: Rendering) -> None:
        """Have it rendered alone. From any thread."""
        with self._lock:
            self._waiting += 1
            self._suspects.put(rendering)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quarantine", daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._stopping = True
        host = self._host
        if host is not None:
            host.browser.stop()

    def has(self, host: Host) -> bool:
        return host is self._host

    def _run(self) -> None:
        while True:
            try:
                rendering = self._suspects.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._waiting:
                        continue
                    self._thread = None
                    host, self._host = self._host, None
                if host is not None:
                    host.browser.stop()
                return
            with self._lock:
                self._waiting -= 1
            try:
                self._render(rendering)
            except Exception:  # no thread can be started, say; go on with the others
                log.exception("not rendered alone", request_id=rendering.request_id)
                if rendering.state is State.SUSPECT:
                    self._drop(rendering, True)

    def _render(self, rendering: Rendering) -> None:
        if rendering.answer.done():
            self._drop(rendering, False)
            return
        host = self._host
        if host is not None and not host.is_drawing(_DRAW_TIMEOUT_S):
            # It is down, or still busy with the work of the suspect before this one.
            host.browser.kill("it does not draw")
            host = None
        if host is None:
            host = self._host = self._make_host()
            host.browser.start()
        if self._stopping or not host.browser.wait_started(_START_TIMEOUT_S):
            host.browser.stop()
            self._drop(rendering, True)
            return
        log.info("rendered alone", request_id=rendering.request_id)
        host.take(rendering)
        # Wait for the host, not for the rendering: one that was lost before it had a page is back
        # in the main queue.
        while not host.wait_empty(_CHECK_S):
            host.check()
