"""Ends a render that does not end by itself, in steps that are each harder on other renders.

`outcomes` calls it. The steps run in threads of their own, outside the browser's thread, which may
hang.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import structlog

from farm.render.rendering import Rendering

log = structlog.get_logger()

#: The time that each step may take. Closing a page takes 0.03 s even if it is in an endless loop.
_STEP_S = 1.0
#: The time that a browser that answers may take to make a page. After it, the browser is killed at
#: once, as is one that is silent for `_SILENCE_S`.
_MAKING_S = 10.0
_SILENCE_S = 3.0
_LOOK_S = 0.1
#: The time that this process has to answer its requests before it exits.
_EXIT_S = 5.0


class Escalation:
    def __init__(self) -> None:
        #: How often each step ended a render: `closed`, `killed`, `browserKilled` or
        #: `driverKilled`.
        self.ended: Counter[str] = Counter()
        self._closed = threading.Event()

    def close(self) -> None:
        """The engine is closing, and ends everything itself."""
        self._closed.set()

    def end(self, rendering: Rendering) -> None:
        """End the rendering in another thread. Returns at once."""
        try:
            threading.Thread(target=self._escalate, args=(rendering,), daemon=True).start()
        except RuntimeError:  # too many threads: kill the browser, which needs no thread
            if (browser := rendering.browser) is not None:
                browser.kill("a page did not end, and no thread can be started")

    def _escalate(self, rendering: Rendering) -> None:
        browser = rendering.browser
        if browser is None:  # between two tries: it gets no other
            return
        latest = time.monotonic() + _MAKING_S
        while rendering.page is None and browser.silence_s < _SILENCE_S:
            if rendering.ended.wait(_LOOK_S):
                return
            if time.monotonic() > latest:
                break
        page = rendering.page
        reason = f"a page did not end ({rendering.request_id})"
        steps: list[tuple[str, Callable[[], object]]] = [
            ("closed", lambda: page and browser.spawn(page.close)),
            ("killed", lambda: page and browser.spawn(page.kill)),
            ("browserKilled", lambda: browser.kill(reason)),
            ("driverKilled", lambda: browser.kill_driver(reason)),
        ]
        for step, end in steps:
            end()
            if rendering.ended.wait(_STEP_S):
                self.ended[step] += 1
                if step != "closed":
                    log.warning("page ended", step=step, request_id=rendering.request_id)
                return
        if not self._closed.is_set():
            exit_process(reason)


def exit_process(reason: str) -> None:
    """Exit this process, because a browser's thread cannot be freed; its parent starts another.

    It first gets SIGTERM, at which gunicorn and `farm worker` answer or hand back what they can.
    """
    log.critical("process left", reason=reason)
    os.kill(os.getpid(), signal.SIGTERM)
    end = threading.Timer(_EXIT_S, os._exit, (1,))
    end.daemon = True
    end.start()
