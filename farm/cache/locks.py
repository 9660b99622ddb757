"""Renews the locks that this process holds, in a thread of its own.

So locks can be short: if the process is killed or hangs, its locks expire within `LOCK_MS`, and
another process renders in its place.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from farm.cache.store import LOCK_MS, Store

_RENEW_S = LOCK_MS / 1000 / 4


class Locks:
    """Its thread starts with the first lock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: Keys by tokens. A key may have two tokens; the lock of the older one has expired then.
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()
        self._has_any = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def held(self, key: str, token: str) -> Iterator[None]:
        """Renew the lock during the `with`. The caller releases it afterwards."""
        with self._lock:
            self._held[token] = key
            self._has_any.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="locks", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(token, None)
                if not self._held:
                    self._has_any.clear()

    def close(self) -> None:
        self._closing.set()
        self._has_any.set()

    def _run(self) -> None:
        while self._has_any.wait() and not self._closing.wait(_RENEW_S):
            with self._lock:
                held = dict(self._held)
            if held:
                self._store.renew(held)
