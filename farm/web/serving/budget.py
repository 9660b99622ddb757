"""The bytes that the request bodies of a worker may hold together."""

import threading

#: Up to this a body is small.
SMALL_BYTES = 1 << 20
#: This part of the budget again is there for small bodies only.
_RESERVE = 8


class BodyBudget:
    """`budget_bytes` for all bodies; when large ones have taken it, small ones still have room."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, count: int, small: bool) -> bool:
        """Whether there were `count` bytes left; they are taken if so. Less than 0 gives back."""
        limit = self._budget + (self._budget // _RESERVE if small else 0)
        with self._lock:
            if count > 0 and self._taken + count > limit:
                return False
            self._taken += count
            return True


class Share:
    """The bytes that one body has of the budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.held = 0

    def grow_to(self, count: int) -> bool:
        """Whether the budget has had room for it."""
        fits = self._budget.take(count - self.held, count <= SMALL_BYTES)
        if fits:
            self.held = count
        return fits

    def release(self) -> None:
        self._budget.take(-self.held, small=True)
        self.held = 0
