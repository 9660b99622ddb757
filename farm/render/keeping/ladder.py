"""How a render is ended that does not end by itself: rungs, each harder for what is beside it.

Climbed by threads of their own, outside the browsers' threads, which may be stuck.
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

#: How long each rung may take. Closing takes 0.03 s even for a page in an endless loop.
_RUNG_S = 1.0
#: How long a page may take to be made by a browser that answers. Then it is ended at once.
_MAKING_S = 10.0
_SILENCE_S = 3.0
_LOOK_S = 0.1
#: How long a process that leaves may take to answer its requests.
_LEAVE_S = 5.0


class Ladder:
    def __init__(self) -> None:
        #: How often a render was ended by which rung: `closed`, `killed`, `browserKilled` or
        #: `driverKilled`.
        self.ended: Counter[str] = Counter()
        self._closed = threading.Event()

    def close(self) -> None:
        """The engine is being closed, and all that is in it."""
        self._closed.set()

    def climb(self, rendering: Rendering) -> None:
        """Returns at once; another thread sees to it that nothing of the rendering is left."""
        try:
            threading.Thread(target=self._climb, args=(rendering,), daemon=True).start()
        except RuntimeError:  # there are too many threads: the last rung but one needs none
            if (browser := rendering.browser) is not None:
                browser.kill("a page did not end, and no thread can be started")

    def _climb(self, rendering: Rendering) -> None:
        browser = rendering.browser
        if browser is None:  # between two tries: it will not get another
            return
        latest = time.monotonic() + _MAKING_S
        while rendering.page is None and browser.silence_s < _SILENCE_S:
            if rendering.ended.wait(_LOOK_S):
                return
            if time.monotonic() > latest:
                break
        page = rendering.page
        who = f"a page did not end ({rendering.request_id})"
        rungs: list[tuple[str, Callable[[], object]]] = [
            ("closed", lambda: page and browser.spawn(page.close)),
            ("killed", lambda: page and browser.spawn(page.kill)),
            ("browserKilled", lambda: browser.kill(who)),
            ("driverKilled", lambda: browser.kill_driver(who)),
        ]
        for rung, end in rungs:
            end()
            if rendering.ended.wait(_RUNG_S):
                self.ended[rung] += 1
                if rung != "closed":
                    log.warning("page ended", rung=rung, request_id=rendering.request_id)
                return
        if not self._closed.is_set():
            leave_process(who)


def leave_process(reason: str) -> None:
    """For when not even a browser's death frees its thread: another process takes this one's place.

    gunicorn and `farm worker` answer or hand back what they can when they are told to stop.
    """
    log.critical("process left", reason=reason)
    os.kill(os.getpid(), signal.SIGTERM)
    end = threading.Timer(_LEAVE_S, os._exit, (1,))
    end.daemon = True
    end.start()
