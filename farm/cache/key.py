"""What makes two requests the same: a digest of all that decides about the file."""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache

import farm
from farm.request import RenderRequest
from farm.settings import Settings

#: Settings that change a file, or what a page may reach: instances that differ in one of them do
#: not answer with each other's files.
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
        """`chromium_version`: None while nobody knows."""
        given = settings.model_dump(mode="json")
        self._settings = {name: given[name] for name in _SETTINGS}
        self._is_shared = settings.cache_shared == "on"
        self._chromium_version = chromium_version
        self._head = lru_cache(maxsize=1024)(self._make_head)

    def of(self, request: RenderRequest, caller: str | None) -> str | None:
        """64 hexadecimal digits; None: it cannot be told yet what would render the request."""
        version = self._chromium_version()
        if version is None:
            return None
        digest = self._head(version, None if self._is_shared else caller).copy()
        digest.update(request.identity())
        return digest.hexdigest()

    def _make_head(self, version: str, caller: str | None) -> "hashlib._Hash":
        # JSON in one line, so that no two heads and requests are written alike.
        head = [farm.__version__, version, self._settings, caller]
        return hashlib.sha256(json.dumps(head, sort_keys=True).encode() + b"\n")
