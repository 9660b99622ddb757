"""Remembers pages that crash browsers by their hash, and refuses them for a while.

`outcomes` adds pages, and request threads check them. A page is its HTML, together with the address
and the files that were sent with it: the same HTML with another picture is another page. A URL is
never refused, since what it leads to may change.

A page is added only if its browser died while rendering it alone, and the farm did not kill the
browser: see `quarantine`. The memory belongs to this process.
"""

import hashlib
import threading
import time

from farm.errors import PageCrashes
from farm.request import RenderRequest

#: How long a page is refused. The machine's state may have caused the crash, or an update may fix
#: it.
_REFUSED_S = 600.0
#: Bounds the memory if crashing pages flood in; the oldest entry is dropped first.
_MAX_ENTRIES = 10_000

SENTENCE = "This HTML took the browser down twice; it is refused for ten minutes."


class Poison:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: The hash of each page and until when it is refused, the oldest first.
        self._until: dict[bytes, float] = {}

    def check(self, request: RenderRequest) -> None:
        """Raises `PageCrashes` if the page is refused. Costs nothing while no page is."""
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
        """Refuse the page from now on. Its HTML was in the request, or was made from Markdown."""
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
        # UTF-8 never contains this byte, so no HTML alone has the hash of another with its files.
        digest.update(b"\xff" + rest.encode())
    return digest.digest()
