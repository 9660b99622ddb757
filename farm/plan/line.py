"""The model of `farm.render.slots`: a bounded number of pages, and a bounded queue before them.

The rules and constants are the same, and tests/plan/test_line.py compares the two. The model reads
the simulation's clock, needs no lock, and decides in constant time.
"""

import math
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

#: How long a new page counts against `at_once`, in seconds.
SHARE_S = 3.0
#: Weight of the newest render in the running mean of service times.
NEWEST = 0.1


class Line(Generic[T]):
    """The queue: first come, first served. `now` is in seconds, and never decreases."""

    def __init__(self, pages: int, max_waiting: int, at_once: int) -> None:
        self.pages = pages
        self.max_waiting = max_waiting
        self._at_once = at_once
        self._waiting: deque[T] = deque()
        self._running: dict[T, float] = {}
        #: The items that got a page within the last `SHARE_S`, and when. Some have ended since.
        self._begun: deque[tuple[float, T]] = deque()
        #: The number of these items that still run.
        self._young = 0
        self._service_s = 0.0

    @property
    def running(self) -> int:
        return len(self._running)

    def refusal(self, now: float, deadline_s: float) -> int | None:
        """The seconds of `Retry-After` if a new item would be refused now. None if it would not."""
        waiting = len(self._waiting)
        if len(self._running) + waiting >= self.pages + self.max_waiting:
            return self._retry_after_s()
        if waiting >= self._free(now) and self._wait_s() + self._service_s > deadline_s:
            return self._retry_after_s()
        return None

    def join(self, item: T) -> None:
        self._waiting.append(item)

    def remove_waiting(self, item: T) -> bool:
        """Remove a waiting item. False if the item has or had a page."""
        try:
            self._waiting.remove(item)
        except ValueError:
            return False
        return True

    def take(self, now: float) -> T | None:
        """Give a page to the oldest waiting item. None if none waits, or if none may begin."""
        if not self._waiting or not self._free(now):
            return None
        item = self._waiting.popleft()
        self._running[item] = now
        self._begun.append((now, item))
        self._young += 1
        return item

    def release(self, now: float, item: T) -> None:
        """Free the item's page."""
        self._forget_old(now)
        started = self._running.pop(item)
        if started + SHARE_S > now:
            self._young -= 1
        service_s = now - started
        if not self._service_s:
            self._service_s = service_s
        self._service_s += NEWEST * (service_s - self._service_s)

    def next_share_end(self) -> float | None:
        """When the next item may begin even if no page is freed. None if it needs a free page."""
        if self._waiting and self._begun and len(self._running) < self.pages:
            return self._begun[0][0] + SHARE_S
        return None

    def _free(self, now: float) -> int:
        """The number of waiting items that may begin now."""
        self._forget_old(now)
        return max(0, min(self.pages - len(self._running), self._at_once - self._young))

    def _forget_old(self, now: float) -> None:
        begun = self._begun
        while begun and begun[0][0] + SHARE_S <= now:
            started, item = begun.popleft()
            if self._running.get(item) == started:
                self._young -= 1

    def _wait_s(self) -> float:
        ahead = len(self._waiting) + 1
        return ahead / max(self._at_once, len(self._running)) * self._service_s

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(self._wait_s()))
