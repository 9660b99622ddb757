"""The key of a request in the cache: a digest of everything that decides what is rendered.

`CachedRenderer` calls it, in any thread. Requests with the same key are equal.
"""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache

import farm
from farm.request import RenderRequest
from farm.settings import Settings

#: Settings that change a file, or what a page may reach. Instances that differ in one of them do
#: not share files.
_SETTINGS = (
    "egress",
    "egress_allow",
    "egress_deny",
    "egress_max_connections",
    "egress_max_bytes",
    "settle_max_s",
    "deterministic_epoch",
    "max_pixels",
    "max_output_bytes",
    "max_pdf_pages",
    "max_page_height_px",
    "webgl",
)


class Keys:
    def __init__(self, settings: Settings, chromium_version: Callable[[], str | None]) -> None:
        """`chromium_version` returns None while the version is not known."""
        given = settings.model_dump(mode="json")
        self._settings = {name: given[name] for name in _SETTINGS}
        self._is_shared = settings.cache_shared == "on"
        self._chromium_version = chromium_version
        self._head = lru_cache(maxsize=1024)(self._make_head)

    def of(self, request: RenderRequest, caller: str | None) -> str | None:
        """64 hexadecimal digits; None while the version of Chromium is not known."""
        version = self._chromium_version()
        if version is None:
            return None
        digest = self._head(version, None if self._is_shared else caller).copy()
        digest.update(request.identity())
        return digest.hexdigest()

    def _make_head(self, version: str, caller: str | None) -> "hashlib._Hash":
        # JSON in one line: no head with a request has the same text as another head and request.
        head = [farm.__version__, version, self._settings, caller]
        return hashlib.sha256(json.dumps(head, sort_keys=True).encode() + b"\n")
