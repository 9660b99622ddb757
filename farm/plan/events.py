"""The clock of a simulation. It jumps from one event to the next."""

import heapq
from collections.abc import Callable
from typing import Any


class Clock:
    """`now`: seconds. Events at the same time happen in the order in which they were added."""

    def __init__(self) -> None:
        self.now = 0.0
        self._count = 0
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []

    def at(self, when: float, action: Callable[[Any], None], about: Any = None) -> None:
        """Call `action(about)` when the clock reaches `when`."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action, about))

    def run(self) -> None:
        """Run all events, until none is left."""
        events, pop = self._events, heapq.heappop
        while events:
            self.now, _, action, about = pop(events)
            action(about)
