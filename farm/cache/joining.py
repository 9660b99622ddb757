"""Requests of this process that want the same at the same time: one renders, the others wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from farm.errors import Busy
from farm.request import RenderResult

_TOO_MANY = "Too many requests wait for renders of others; try again in a moment."


class Waiter:
    """A request that waits, and can be told not to."""

    def __init__(self) -> None:
        self.woken = threading.Event()


class Flight:
    """One render under way, and who waits for it."""

    def __init__(self, ttl_ms: int) -> None:
        self.waiters: set[Waiter] = set()
        #: None after it has landed: there is none, and one of those who waited is to render.
        self.result: RenderResult | None = None
        self.has_failed = False
        #: The longest that any of them wants the file to be kept.
        self.ttl_ms = ttl_ms


class Flights:
    """All of a process, by key. `max_waiting`: how many requests may wait; each holds a thread."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting = 0
        self._flights: dict[str, Flight] = {}
        self._lock = threading.Lock()

    def has(self, key: str) -> bool:
        """Whether one is under way."""
        return key in self._flights

    def board(self, key: str, waiter: Waiter, ttl_ms: int = 0) -> tuple[Flight, bool]:
        """The flight, and whether the caller is to make it; if not, `waiter` is woken at its end.

        Raises `Busy`.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight(ttl_ms)
                return flight, True
            self._take_place()
            waiter.woken.clear()
            flight.waiters.add(waiter)
            flight.ttl_ms = max(flight.ttl_ms, ttl_ms)
            return flight, False

    def close(self, key: str) -> None:
        """There is a newer result: nobody boards the flight that is under way any more."""
        with self._lock:
            self._flights.pop(key, None)

    def leave(self, flight: Flight, waiter: Waiter) -> None:
        """To be called by everyone who has waited."""
        with self._lock:
            flight.waiters.discard(waiter)
            self._waiting -= 1

    @contextmanager
    def place(self) -> Iterator[None]:
        """To wait for something else than a flight of this process, likewise. Raises `Busy`."""
        with self._lock:
            self._take_place()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _take_place(self) -> None:
        if self._waiting >= self._max_waiting:
            raise Busy(_TOO_MANY)
        self._waiting += 1

    def land(self, key: str, flight: Flight, result: RenderResult | None) -> None:
        """By whoever has made it; None: there is no result."""
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.result = result
            waiters = list(flight.waiters)
        for waiter in waiters:
            waiter.woken.set()
