"""A bounded number of page slots, and a bounded line in front of them.

Request threads `join` the line and are refused at once when it is full. The next item gets a slot
when one is free and fewer than `at_once` of those that have one got it within the last `SHARE_S`:
as many as the processors can feed. An item that takes longer, whether it computes or waits for a
site, has had its share, and keeps no other from beginning. Callers take turns (`turns`); one
caller's items are first come, first served. Thread-safe.

The bound is on all callers together, so one caller alone may use the whole line. When the line is
full and another caller joins that has less in it by weight, the newest item of the caller that has
most is displaced. Places kept free for others would be of no use while there are no others, and
nobody knows how many callers will come.
"""

import math
import threading
import time
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from farm.errors import Busy
from farm.render.turns import Turns

T = TypeVar("T", bound=Hashable)

_TOO_LATE = (
    "The line is too long for this render to be done in time; try again in the seconds that "
    "Retry-After names."
)
_DISPLACED = (
    "The line is full, and other callers have fewer renders in it than yours; try again in the "
    "seconds that Retry-After names."
)
#: How long an item keeps others from beginning, in seconds.
SHARE_S = 3.0
#: Weight of the newest render in the running mean of service times.
_NEWEST = 0.1


class Displaced(NamedTuple, Generic[T]):
    """An item that had to leave the line, and what its caller is told."""

    item: T
    reason: Busy


class Slots(Generic[T]):
    def __init__(self, slots: int, max_waiting: int, at_once: int | None = None) -> None:
        """`at_once`: as many as there are slots, unless it is given."""
        self.slots = slots
        self.max_waiting = max_waiting
        self._at_once = at_once or slots
        self._lock = threading.Lock()
        self._waiting: Turns[T] = Turns()
        self._running: dict[T, float] = {}
        self._service_s = 0.0

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Items in the line beyond those that are about to be taken."""
        with self._lock:
            return max(0, len(self._waiting) - self._free())

    def join(
        self, item: T, deadline_s: float = math.inf, caller: str = "", weight: int = 1
    ) -> Displaced[T] | None:
        """Enter the line. Returns the item that had to leave it for this one, if one had to.

        Raises `Busy` when every slot and every waiting place is taken and no other caller has more
        than its share of them, and when at the measured speed the item would not be done within
        `deadline_s`.
        """
        with self._lock:
            is_full = self._admit(deadline_s, caller, weight)
            displaced = self._displace() if is_full else None
            self._waiting.put(item, caller, weight)
            return displaced

    def admit(self, deadline_s: float, caller: str = "", weight: int = 1) -> None:
        """Raises `Busy` where `join` would now."""
        with self._lock:
            self._admit(deadline_s, caller, weight)

    def _admit(self, deadline_s: float, caller: str, weight: int) -> bool:
        """Whether an item must leave the line for one that joins."""
        taken = len(self._running) + len(self._waiting)
        is_full = taken >= self.slots + self.max_waiting
        if is_full and not self._waiting.may_displace(caller, weight):
            raise Busy(retry_after_s=self._retry_after_s(caller, weight))
        is_line = len(self._waiting) >= self._free()
        if is_line and self._wait_s(caller, weight) + self._service_s > deadline_s:
            raise Busy(_TOO_LATE, retry_after_s=self._retry_after_s(caller, weight))
        return is_full

    def _displace(self) -> Displaced[T]:
        item, caller, weight = self._waiting.displace()
        return Displaced(item, Busy(_DISPLACED, retry_after_s=self._retry_after_s(caller, weight)))

    def rejoin(self, item: T) -> None:
        """Give its slot back and enter the line again, before all others."""
        with self._lock:
            if self._running.pop(item, None) is not None:
                self._waiting.put_back(item)

    def leave(self, item: T) -> bool:
        """Give up waiting. False if the item has a slot, or had one."""
        with self._lock:
            return self._waiting.remove(item)

    def take(self) -> T | None:
        """Move the next waiting item into a slot; None where there is none, or none may begin.

        To be called whenever that may have changed: `SHARE_S` after an item has begun, too.
        """
        with self._lock:
            item = self._waiting.take() if self._free() else None
            if item is not None:
                self._running[item] = time.monotonic()
            return item

    def release(self, item: T) -> None:
        """Free the item's slot. Does nothing if it has none, so it may be called twice."""
        with self._lock:
            started = self._running.pop(item, None)
            if started is None:
                return
            service_s = time.monotonic() - started
            if not self._service_s:
                self._service_s = service_s
            self._service_s += _NEWEST * (service_s - self._service_s)

    def drain(self) -> list[T]:
        """Take every item out, waiting or running, and return them."""
        with self._lock:
            items = [*self._running, *self._waiting]
            self._running.clear()
            self._waiting.clear()
            return items

    def running_items(self) -> list[T]:
        with self._lock:
            return list(self._running)

    def _free(self) -> int:
        """How many of the line may begin now."""
        new = time.monotonic() - SHARE_S
        begun = sum(started > new for started in self._running.values())
        return max(0, min(self.slots - len(self._running), self._at_once - begun))

    def _wait_s(self, caller: str, weight: int) -> float:
        """Seconds until a slot is free for what the caller joins now, at the measured speed."""
        ahead = self._waiting.ahead_of(caller, weight)
        return (ahead + 1) / max(self._at_once, len(self._running)) * self._service_s

    def _retry_after_s(self, caller: str, weight: int) -> int:
        return max(1, math.ceil(self._wait_s(caller, weight)))
