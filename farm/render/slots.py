"""A bounded number of page slots, and a bounded queue before them.

Request threads join the queue, and are refused at once if it is full. `engine` moves items from the
queue to slots. The next item gets a slot if one is free, and if fewer than `at_once` items got
their slot within the last `SHARE_S`: that is as many as the processors can serve. After `SHARE_S`
an item no longer counts against `at_once`, whether it computes or waits for a site. Callers take
turns (`turns`); the items of one caller are first come, first served. Thread-safe.

The bound is for all callers together, so a single caller may use the whole queue. If the queue is
full and a caller joins that has fewer items in it by weight, the newest item of the caller with the
most items is displaced. Places reserved for other callers would be wasted while there are none, and
the number of callers is not known in advance.
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
#: How long an item in a slot counts against `at_once`, in seconds.
SHARE_S = 3.0
#: Weight of the newest render in the running mean of service times.
_NEWEST = 0.1


class Displaced(NamedTuple, Generic[T]):
    """An item that was removed for another caller's, and the error that answers it."""

    item: T
    reason: Busy


class Slots(Generic[T]):
    def __init__(self, slots: int, max_waiting: int, at_once: int | None = None) -> None:
        """`at_once`: the number of slots, unless it is given."""
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
        """The number of items in the queue, without those that can get a slot at once."""
        with self._lock:
            return max(0, len(self._waiting) - self._free())

    def join(
        self, item: T, deadline_s: float = math.inf, caller: str = "", weight: int = 1
    ) -> Displaced[T] | None:
        """Add an item to the queue. Returns the item that was displaced for it, if one was.

        Raises `Busy` if all slots and places are taken and no other caller has more than its share
        of them. Raises it also if the item would not be rendered within `deadline_s` at the
        measured speed.
        """
        with self._lock:
            is_full = self._admit(deadline_s, caller, weight)
            displaced = self._displace() if is_full else None
            self._waiting.put(item, caller, weight)
            return displaced

    def admit(self, deadline_s: float, caller: str = "", weight: int = 1) -> None:
        """Raises `Busy` if `join` would raise it now."""
        with self._lock:
            self._admit(deadline_s, caller, weight)

    def _admit(self, deadline_s: float, caller: str, weight: int) -> bool:
        """Whether an item must be displaced for one that joins. Raises `Busy`."""
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

    def requeue(self, item: T) -> None:
        """Free the item's slot, and put the item back into the queue before all others."""
        with self._lock:
            if self._running.pop(item, None) is not None:
                self._waiting.put_back(item)

    def remove_waiting(self, item: T) -> bool:
        """Remove a waiting item. False if the item has or had a slot."""
        with self._lock:
            return self._waiting.remove(item)

    def take(self) -> T | None:
        """Move the next waiting item to a slot. None if none waits, or if none may begin.

        Must be called after every change, and `SHARE_S` after each item has begun.
        """
        with self._lock:
            item = self._waiting.take() if self._free() else None
            if item is not None:
                self._running[item] = time.monotonic()
            return item

    def release(self, item: T) -> None:
        """Free the item's slot. Does nothing if the item has none, so it may be called twice."""
        with self._lock:
            started = self._running.pop(item, None)
            if started is None:
                return
            service_s = time.monotonic() - started
            if not self._service_s:
                self._service_s = service_s
            self._service_s += _NEWEST * (service_s - self._service_s)

    def drain(self) -> list[T]:
        """Remove all items, waiting and running, and return them."""
        with self._lock:
            items = [*self._running, *self._waiting]
            self._running.clear()
            self._waiting.clear()
            return items

    def running_items(self) -> list[T]:
        with self._lock:
            return list(self._running)

    def _free(self) -> int:
        """The number of waiting items that may begin now."""
        new = time.monotonic() - SHARE_S
        begun = sum(started > new for started in self._running.values())
        return max(0, min(self.slots - len(self._running), self._at_once - begun))

    def _wait_s(self, caller: str, weight: int) -> float:
        """The seconds until an item that the caller adds now gets a slot, at the measured speed."""
        ahead = self._waiting.ahead_of(caller, weight)
        return (ahead + 1) / max(self._at_once, len(self._running)) * self._service_s

    def _retry_after_s(self, caller: str, weight: int) -> int:
        return max(1, math.ceil(self._wait_s(caller, weight)))
