"""Bounds the bytes that the request bodies of a worker hold together.

The main loop takes from the budget, and request threads give back.
"""

import threading

#: A body of no more than this is small.
SMALL_BYTES = 1 << 20
#: Small bodies may exceed the budget by this part of it.
_RESERVE = 8


class BodyBudget:
    """`budget_bytes` for all bodies.

    When large bodies have taken it, small ones still have room.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, count: int, small: bool) -> bool:
        """Take `count` bytes, if they are left; returns whether they were.

        A negative count gives back.
        """
        limit = self._budget + (self._budget // _RESERVE if small else 0)
        with self._lock:
            if count > 0 and self._taken + count > limit:
                return False
            self._taken += count
            return True


class Share:
    """The part of the budget that one body holds."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.held = 0

    def grow_to(self, count: int) -> bool:
        """Hold `count` bytes in all.

        False, and nothing changes, if the budget has no room for them.
        """
        fits = self._budget.take(count - self.held, count <= SMALL_BYTES)
        if fits:
            self.held = count
        return fits

    def release(self) -> None:
        self._budget.take(-self.held, small=True)
        self.held = 0
