"""Waiting items of several callers, taken in weighted turns.

Each caller's items stay in the order in which they came. Between callers this is start-time fair
queueing: a caller's next item has a time, an item that is taken moves its caller's time on by
1 / weight, and the caller whose time is the earliest is next. A caller that comes anew begins at
the earliest time of those that are there, so it neither saves up turns nor waits for old ones.
A caller that has nothing left is kept until its time is the earliest: else it could come back at
once and always be next.

Not thread-safe. Every operation is O(callers) or better.
"""

import math
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

#: Times are sums of fractions.
_ROUNDING = 1e-9


class _Lane(Generic[T]):
    """What one caller has in the line; `time` is that of its first item."""

    def __init__(self, time: float, weight: int) -> None:
        self.time = time
        self.weight = weight
        #: A dict for its order, and for taking one out of the middle.
        self.items: dict[T, None] = {}

    def count_until(self, time: float) -> int:
        """How many of the items are due at that time or earlier."""
        due = math.floor((time - self.time) * self.weight + _ROUNDING) + 1
        return max(0, min(len(self.items), due))


class Turns(Generic[T]):
    def __init__(self) -> None:
        self._lanes: dict[str, _Lane[T]] = {}
        #: Items that were taken and came back.
        self._returned: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._returned) + sum(len(lane.items) for lane in self._lanes.values())

    def __iter__(self) -> Iterator[T]:
        yield from self._returned
        for lane in self._lanes.values():
            yield from lane.items

    def put(self, item: T, caller: str, weight: int) -> None:
        """Behind all that the caller has in the line; the newest weight counts."""
        lane = self._lanes.get(caller)
        if lane is None:
            lane = self._lanes[caller] = _Lane(self._now(), weight)
        lane.weight = weight
        lane.items[item] = None

    def put_back(self, item: T) -> None:
        """Before all others: it has had its turn."""
        self._returned.appendleft(item)

    def take(self) -> T | None:
        if self._returned:
            return self._returned.popleft()
        while self._lanes:
            # The one that has been there for longer, of two with the same time.
            caller, lane = min(self._lanes.items(), key=lambda pair: pair[1].time)
            if lane.items:
                item = next(iter(lane.items))
                del lane.items[item]
                lane.time += 1 / lane.weight
                return item
            del self._lanes[caller]
        return None

    def remove(self, item: T) -> bool:
        """False if it is not in the line."""
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
        """How many are taken before an item that the caller puts now, if no others come.

        Never less, and more by one for each other caller at the most.
        """
        own = self._lanes.get(caller)
        own_items = len(own.items) if own else 0
        time = (own.time if own else self._now()) + own_items / weight
        others = (lane for lane in self._lanes.values() if lane is not own)
        return len(self._returned) + own_items + sum(lane.count_until(time) for lane in others)

    def may_displace(self, caller: str, weight: int) -> bool:
        """Whether the caller, with one item more, still has less by weight than another has."""
        own = self._lanes.get(caller)
        share = ((len(own.items) if own else 0) + 1) / weight
        return share < max(map(_share, self._lanes.values()), default=0)

    def displace(self) -> tuple[T, str, int]:
        """Take out the newest item of the caller that has most by weight: item, caller, weight."""
        caller, lane = max(self._lanes.items(), key=lambda pair: _share(pair[1]))
        item, _ = lane.items.popitem()
        return item, caller, lane.weight

    def _now(self) -> float:
        return min((lane.time for lane in self._lanes.values()), default=0.0)


def _share(lane: _Lane[T]) -> float:
    return len(lane.items) / lane.weight
