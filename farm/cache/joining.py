"""Joins equal requests of this process that come at the same time: one renders, the others wait.

The threads that wait for renders call it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from farm.errors import Busy
from farm.request import RenderResult

_TOO_MANY = "Too many requests wait for renders of others; try again in a moment."


class Waiter:
    """A request that waits for a shared render. Setting `woken` ends its wait."""

    def __init__(self) -> None:
        self.woken = threading.Event()


class SharedRender:
    """A render that is running, and the requests that wait for it."""

    def __init__(self, ttl_ms: int) -> None:
        self.waiters: set[Waiter] = set()
        #: None after its end: it has no result, and one of the waiting requests renders next.
        self.result: RenderResult | None = None
        self.has_failed = False
        #: The longest time for which any of the requests wants the file to be kept.
        self.ttl_ms = ttl_ms


class SharedRenders:
    """The shared renders of a process, by key."""

    def __init__(self, max_waiting: int) -> None:
        """`max_waiting`: requests that may wait at the same time; each occupies a thread."""
        self._max_waiting = max_waiting
        self._waiting = 0
        self._renders: dict[str, SharedRender] = {}
        self._lock = threading.Lock()

    def has(self, key: str) -> bool:
        """Whether a shared render of the key is running."""
        return key in self._renders

    def join(self, key: str, waiter: Waiter, ttl_ms: int = 0) -> tuple[SharedRender, bool]:
        """The shared render, and whether the caller must run it and call `finish`.

        If it is another request's, `waiter` is woken at its end, and its caller must call
        `stop_waiting`. Raises `Busy` if too many requests wait.
        """
        with self._lock:
            shared = self._renders.get(key)
            if shared is None:
                shared = self._renders[key] = SharedRender(ttl_ms)
                return shared, True
            self._take_place()
            waiter.woken.clear()
            shared.waiters.add(waiter)
            shared.ttl_ms = max(shared.ttl_ms, ttl_ms)
            return shared, False

    def detach(self, key: str) -> None:
        """Let no request join the running render any more, since there is a newer result."""
        with self._lock:
            self._renders.pop(key, None)

    def stop_waiting(self, shared: SharedRender, waiter: Waiter) -> None:
        """Must be called for every request that has waited."""
        with self._lock:
            shared.waiters.discard(waiter)
            self._waiting -= 1

    @contextmanager
    def waiting_place(self) -> Iterator[None]:
        """Count a request that waits for a render of another process. Raises `Busy`."""
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

    def finish(self, key: str, shared: SharedRender, result: RenderResult | None) -> None:
        """End the shared render and wake the waiting requests. `result` None: it has none."""
        with self._lock:
            if self._renders.get(key) is shared:
                del self._renders[key]
            shared.result = result
            waiters = list(shared.waiters)
        for waiter in waiters:
            waiter.woken.set()
