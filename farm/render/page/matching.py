"""Matching the URLs of a page's requests with regular expressions, within a bounded time."""

import time
from collections.abc import Sequence

from farm.request.patterns import matches

#: Of the browser's thread, for one page. What is asked for after it matches nothing.
_MATCHING_S = 0.25


class Matching:
    """Of one page."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._left_s = _MATCHING_S

    def find(self, url: str) -> int | None:
        """Which of the patterns is found in the URL first."""
        if self._left_s <= 0:
            return None
        began = time.perf_counter()
        found = (n for n, pattern in enumerate(self._patterns) if matches(pattern, url))
        first = next(found, None)
        self._left_s -= time.perf_counter() - began
        return first
