"""Matches URLs of a page's requests against regular expressions, within a bounded time."""

import time
from collections.abc import Iterator, Sequence

from farm.request.patterns import matches

#: The time in the browser's thread that one page may use. After it, nothing matches.
_MATCHING_S = 0.25


class Matching:
    """Matches the URLs of one page."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._left_s = _MATCHING_S

    def find(self, url: str) -> int | None:
        """The index of the first pattern that is found in the URL."""
        return next(self.find_all(url), None)

    def find_all(self, url: str) -> Iterator[int]:
        """The indexes of the patterns that are found in the URL."""
        for number, pattern in enumerate(self._patterns):
            if self._left_s <= 0:
                return
            began = time.perf_counter()
            is_found = matches(pattern, url)
            self._left_s -= time.perf_counter() - began
            if is_found:
                yield number
