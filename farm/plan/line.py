"""The model of `farm.render.slots`: bounded pages, and a bounded line before them.

The rules and the constants are the same; tests/plan/test_line.py holds one against the other. This
one takes the time from the simulation, needs no lock, and decides in constant time.
"""

import math
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

#: How long a page keeps others from beginning, in seconds.
SHARE_S = 3.0
#: Weight of the newest render in the running mean of service times.
NEWEST = 0.1


class Line(Generic[T]):
    """First come, first served. `now` is in seconds, and never goes back."""

    def __init__(self, pages: int, max_waiting: int, at_once: int) -> None:
        self.pages = pages
        self.max_waiting = max_waiting
        self._at_once = at_once
        self._waiting: deque[T] = deque()
        self._running: dict[T, float] = {}
        #: When an item was given a page, of the last `SHARE_S`; it may have ended since.
        self._begun: deque[tuple[float, T]] = deque()
        #: How many of them run.
        self._young = 0
        self._service_s = 0.0

    @property
    def running(self) -> int:
        return len(self._running)

    def refusal(self, now: float, deadline_s: float) -> int | None:
        """The seconds of `Retry-After` if an item that came now would be refused; None: it fits."""
        waiting = len(self._waiting)
        if len(self._running) + waiting >= self.pages + self.max_waiting:
            return self._retry_after_s()
        if waiting >= self._free(now) and self._wait_s() + self._service_s > deadline_s:
            return self._retry_after_s()
        return None

    def join(self, item: T) -> None:
        self._waiting.append(item)

    def leave(self, item: T) -> bool:
        """Give up waiting. False if the item has a page, or had one."""
        try:
            self._waiting.remove(item)
        except ValueError:
            return False
        return True

    def take(self, now: float) -> T | None:
        """Give a page to the oldest that waits; None where none waits, or none may begin."""
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
        """When the line may move although no page is freed; None: it does not wait for that."""
        if self._waiting and self._begun and len(self._running) < self.pages:
            return self._begun[0][0] + SHARE_S
        return None

    def _free(self, now: float) -> int:
        """How many of the line may begin now."""
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
