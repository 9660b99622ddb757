"""A limit on the time for loading and waiting that is shorter than the render's deadline.

At the deadline the engine closes the page, which ends every wait of the render. A time limit ends
waits earlier, and leaves the page open, so that it can still be captured.
"""

import asyncio
import time
from types import TracebackType
from typing import Self

from farm.render.browser.devtools import DevToolsError
from farm.render.browser.page import Page

#: The part of a render's time that is kept for the capture: a fifth, but at most two seconds.
_CAPTURE_SHARE, _CAPTURE_S = 0.2, 2.0
#: The part for each further file, and for all files together at most a half.
_FILE_SHARE, _FILE_S = 0.05, 0.5
_MAX_SHARE = 0.5
#: A step may take the error for one of a single frame and go on, so the error is raised again.
_AGAIN_S = 0.05


def capture_s(allowed_s: float, files: int) -> float:
    """How much of so many seconds is kept for the capture of so many files."""
    share = min(_CAPTURE_SHARE + (files - 1) * _FILE_SHARE, _MAX_SHARE)
    return min(_CAPTURE_S + (files - 1) * _FILE_S, share * allowed_s)


class TimeUp(DevToolsError):
    """The time limit has passed."""


class TimeLimit:
    """A context manager: from the given moment on, all waits for the page raise `TimeUp`."""

    def __init__(self, page: Page, until: float) -> None:
        """`until`: by `time.monotonic()`."""
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
        self._page.sessions.interrupt(TimeUp("the time limit has passed"))
        self._call_in(_AGAIN_S)
