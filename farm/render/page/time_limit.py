"""The time that a request gives its page for loading and waiting, which is less than the deadline.

Every wait of a render ends when the engine closes the page at the deadline. A time limit ends waits
earlier, and leaves the page there, so that it may be captured after all.
"""

import asyncio
import time
from types import TracebackType
from typing import Self

from farm.render.browser.devtools import DevToolsError
from farm.render.browser.page import Page

#: What is kept of a render's time for the capture: a fifth, and not more than two seconds.
_CAPTURE_SHARE, _CAPTURE_S = 0.2, 2.0
#: And of each further file; all together at most a half.
_FILE_SHARE, _FILE_S = 0.05, 0.5
_MAX_SHARE = 0.5
#: A step may take the error for that of one frame, and go on: it is told again.
_AGAIN_S = 0.05


def capture_s(allowed_s: float, files: int) -> float:
    """What is kept of so many seconds for the capture of so many files."""
    share = min(_CAPTURE_SHARE + (files - 1) * _FILE_SHARE, _MAX_SHARE)
    return min(_CAPTURE_S + (files - 1) * _FILE_S, share * allowed_s)


class TimeUp(DevToolsError):
    """The time limit has passed."""


class TimeLimit:
    """While it is entered, what waits for the page gets `TimeUp` from a moment on."""

    def __init__(self, page: Page, until: float) -> None:
        """`until`: `time.monotonic()`."""
        self._page = page
        self._until = until
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._call_in(max(0.0, self._until - time.monotonic()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _call_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end_waits)

    def _end_waits(self) -> None:
        self._page.interrupt(TimeUp("the time limit has passed"))
        self._call_in(_AGAIN_S)
