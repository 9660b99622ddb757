"""Keeps the files that this process has just answered with, in memory, for a second.

So a popular file is read from Redis once a second, however many requests ask for it, and it is not
rendered again if Redis is late for a moment. The threads that wait for renders call it.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import replace

from farm.cache.value import Stored

#: The time for which a file is used without asking Redis. Another process may have kept a newer
#: file meanwhile.
RECENT_S = 1.0
_MAX_BYTES = 1 << 25


class Recent:
    """Bounded in bytes; the oldest file is dropped first."""

    def __init__(self, seconds: float = RECENT_S, max_bytes: int = _MAX_BYTES) -> None:
        """`seconds` 0: no file is kept."""
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._bytes = 0
        self._files: OrderedDict[str, tuple[Stored, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Stored | None:
        """The file, with its age as of now; None if there is none."""
        entry = self._files.get(key)
        if entry is None:
            return None
        stored, since = entry
        passed_s = time.monotonic() - since
        passed_ms = int(passed_s * 1000)
        if passed_s > self._seconds or passed_ms >= stored.left_ms:
            return None
        return replace(stored, age_ms=stored.age_ms + passed_ms, left_ms=stored.left_ms - passed_ms)

    def put(self, key: str, stored: Stored) -> None:
        now = time.monotonic()
        with self._lock:
            self._drop(key)
            if self._seconds and len(stored.content) <= self._max_bytes:
                self._files[key] = stored, now
                self._bytes += len(stored.content)
            while self._files:
                oldest, (_, since) = next(iter(self._files.items()))
                if self._bytes <= self._max_bytes and now - since <= self._seconds:
                    break
                self._drop(oldest)

    def drop(self, key: str) -> None:
        """Drop the file, since there is a newer one."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: str) -> None:
        entry = self._files.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry[0].content)
