"""The locks that this process holds are renewed, so that they can be short.

If the process is killed or stands still, its locks are gone within `LOCK_MS`, and another process
renders what it was to.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from farm.cache.store import LOCK_MS, Store

_RENEW_S = LOCK_MS / 1000 / 4


class Locks:
    """One thread, from the first lock on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: Keys by tokens: of one key there may be two, the older one's lock being gone.
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def held(self, key: str, token: str) -> Iterator[None]:
        """Renew the lock during the `with`; letting go of it is the caller's."""
        with self._lock:
            self._held[token] = key
            self._some.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="locks", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(token, None)
                if not self._held:
                    self._some.clear()

    def close(self) -> None:
        self._closing.set()
        self._some.set()

    def _run(self) -> None:
        while self._some.wait() and not self._closing.wait(_RENEW_S):
            with self._lock:
                held = dict(self._held)
            if held:
                self._store.renew(held)
