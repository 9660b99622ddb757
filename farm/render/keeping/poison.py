"""Pages that take the browser down, remembered by their hash and refused for a while.

A page is its HTML, with the address and the files that were sent with it: the same HTML with
another picture is another page. What a URL leads to may change, so that is never refused.

Only what died alone in a browser, which the farm itself did not kill, is added: see `quarantine`.
The memory is this process's own.
"""

import hashlib
import threading
import time

from farm.errors import PageCrashes
from farm.request import RenderRequest

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

    def check(self, request: RenderRequest) -> None:
        """Raises `PageCrashes` for a page that is refused. Costs nothing while nothing is."""
        if request.html is None or not self._until:
            return
        key = _hash(request)
        with self._lock:
            until = self._until.get(key)
            if until is None:
                return
            if until > time.monotonic():
                raise PageCrashes(SENTENCE)
            del self._until[key]

    def add(self, request: RenderRequest) -> None:
        """It was sent as HTML, or has become HTML."""
        key = _hash(request)
        with self._lock:
            self._until.pop(key, None)
            self._until[key] = time.monotonic() + _REFUSED_S
            if len(self._until) > _MAX_ENTRIES:
                del self._until[next(iter(self._until))]

    def __len__(self) -> int:
        return len(self._until)


def _hash(request: RenderRequest) -> bytes:
    digest = hashlib.sha256((request.html or "").encode("utf-8", "surrogatepass"))
    if request.base_url is not None or request.assets:
        rest = request.model_dump_json(include={"base_url", "assets"})
        # No UTF-8 has this byte, so no HTML looks like another one and its files.
        digest.update(b"\xff" + rest.encode())
    return digest.digest()
