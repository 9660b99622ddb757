"""HTML that takes the browser down, remembered by its hash and refused for a while.

Only what died alone in a browser, which the farm itself did not kill, is added: see `quarantine`.
The memory is this process's own.
"""

import hashlib
import threading
import time

from farm.errors import PageCrashes

#: For how long it is refused. The cause may be the machine's state, or mended by an update.
_REFUSED_S = 600.0
#: What a flood of new poison may take here: the oldest is forgotten first.
_MAX_ENTRIES = 10_000

SENTENCE = "This HTML took the browser down twice; it is refused for ten minutes."


class Poison:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Hashes and until when they are refused, the oldest first.
        self._until: dict[bytes, float] = {}

    def check(self, html: str | None) -> None:
        """Raises `PageCrashes` for HTML that is refused. Costs nothing while nothing is."""
        if html is None or not self._until:
            return
        key = _hash(html)
        with self._lock:
            until = self._until.get(key)
            if until is None:
                return
            if until > time.monotonic():
                raise PageCrashes(SENTENCE)
            del self._until[key]

    def add(self, html: str) -> None:
        key = _hash(html)
        with self._lock:
            self._until.pop(key, None)
            self._until[key] = time.monotonic() + _REFUSED_S
            if len(self._until) > _MAX_ENTRIES:
                del self._until[next(iter(self._until))]

    def __len__(self) -> int:
        return len(self._until)


def _hash(html: str) -> bytes:
    return hashlib.sha256(html.encode("utf-8", "surrogatepass")).digest()
