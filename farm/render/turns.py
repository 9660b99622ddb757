"""The waiting items of several callers, taken in weighted turns.

`slots` uses it, under its lock. The items of one caller keep their order of arrival. Between
callers the algorithm is start-time fair queueing. A caller's next item has a time, and the caller
with the earliest time is next. Each item that is taken moves its caller's time on by 1 / weight. A
new caller starts at the earliest time of the present callers, so it neither saves up turns nor
makes up for missed ones. A caller without items is kept until its time is the earliest. Otherwise
it could return at once, and would always be next.

Not thread-safe. Every operation is O(callers) or better.
"""

import math
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

#: The tolerance for comparing times, which are sums of fractions.
_ROUNDING = 1e-9


class _Lane(Generic[T]):
    """One caller's items. `time`: that of the first item."""

    def __init__(self, time: float, weight: int) -> None:
        self.time = time
        self.weight = weight
        #: A dict keeps the order, and removes an item from the middle in constant time.
        self.items: dict[T, None] = {}

    def count_until(self, time: float) -> int:
        """The number of items that are due at that time or earlier."""
        due = math.floor((time - self.time) * self.weight + _ROUNDING) + 1
        return max(0, min(len(self.items), due))


class Turns(Generic[T]):
    def __init__(self) -> None:
        self._lanes: dict[str, _Lane[T]] = {}
        #: Items that were taken and put back.
        self._returned: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._returned) + sum(len(lane.items) for lane in self._lanes.values())

    def __iter__(self) -> Iterator[T]:
        yield from self._returned
        for lane in self._lanes.values():
            yield from lane.items

    def put(self, item: T, caller: str, weight: int) -> None:
        """Add an item behind the caller's others. The newest weight applies to all of them."""
        lane = self._lanes.get(caller)
        if lane is None:
            lane = self._lanes[caller] = _Lane(self._now(), weight)
        lane.weight = weight
        lane.items[item] = None

    def put_back(self, item: T) -> None:
        """Put an item that was taken back, before all others."""
        self._returned.appendleft(item)

    def take(self) -> T | None:
        if self._returned:
            return self._returned.popleft()
        while self._lanes:
            # Of two callers with the same time, `min` returns the one that came first.
            caller, lane = min(self._lanes.items(), key=lambda pair: pair[1].time)
            if lane.items:
                item = next(iter(lane.items))
                del lane.items[item]
                lane.time += 1 / lane.weight
                return item
            del self._lanes[caller]
        return None

    def remove(self, item: T) -> bool:
        """Remove an item. False if it does not wait."""
        if item in self._returned:
            self._returned.remove(item)
            return True
        for lane in self._lanes.values():
            if item in lane.items:
                del lane.items[item]
                return True
        return False

    def clear(self) -> None:
        self._returned.clear()
        self._lanes.clear()

    def ahead_of(self, caller: str, weight: int) -> int:
        """The number of items that are taken before one that the caller adds now, if none arrive.

        The number is exact, or too large by at most one for each other caller.
        """
        own = self._lanes.get(caller)
        own_items = len(own.items) if own else 0
        time = (own.time if own else self._now()) + own_items / weight
        others = (lane for lane in self._lanes.values() if lane is not own)
        return len(self._returned) + own_items + sum(lane.count_until(time) for lane in others)

    def may_displace(self, caller: str, weight: int) -> bool:
        """Whether the caller, with one more item, has fewer items by weight than another caller."""
        own = self._lanes.get(caller)
        share = ((len(own.items) if own else 0) + 1) / weight
        return share < max(map(_share, self._lanes.values()), default=0)

    def displace(self) -> tuple[T, str, int]:
        """Remove the newest item of the caller with the most items by weight.

        Returns the item, its caller and the caller's weight.
        """
        caller, lane = max(self._lanes.items(), key=lambda pair: _share(pair[1]))
        item, _ = lane.items.popitem()
        return item, caller, lane.weight

    def _now(self) -> float:
        return min((lane.time for lane in self._lanes.values()), default=0.0)


def _share(lane: _Lane[T]) -> float:
    return len(lane.items) / lane.weight
