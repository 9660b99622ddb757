"""Matching the URLs of a page's requests with regular expressions, within a bounded time."""

import time
from collections.abc import Iterator, Sequence

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
        return next(self.find_all(url), None)

    def find_all(self, url: str) -> Iterator[int]:
        """Which of the patterns are found in the URL."""
        for number, pattern in enumerate(self._patterns):
            if self._left_s <= 0:
                return
            began = time.perf_counter()
            is_found = matches(pattern, url)
            self._left_s -= time.perf_counter() - began
            if is_found:
                yield number
