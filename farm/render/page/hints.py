"""Tells from the words of a page's HTML what the page may do, before it is loaded.

`loading` asks in the browser's thread, where all other pages wait meanwhile. So all patterns begin
with letters, which Python finds quickly, and match few characters: a MiB takes 15 to 45 ms, and
60 ms if it is made to take long. HTML longer than `MOST_SEARCHED` is not searched.
"""

import re
from functools import cached_property

#: Characters of HTML that are searched.
MOST_SEARCHED = 4 << 20
#: Of lower-case text, as all patterns here. An event handler is an attribute, such as `onload=`.
_HANDLER = re.compile(r"on[a-z]{2,30}+\s{0,9}=")
_LATE_WORDS = ("<script", "lazy", "content-visibility")
_SCRIPT_WORDS = ("<script", "srcdoc")
#: By these scripts load a page anew: `navigation.reload()`, `open(document.URL, '_self')`, …
_RELOAD_WORDS = ("navigation.", "_self", "_top", "_parent", "refresh", "<form", "submit", "click(")
_RELOADS = (
    re.compile(r"location\s{0,9}(?:\??\.\s{0,9}\w{1,30}+\s{0,9})?[-+|&?]{0,2}=(?!=)"),
    re.compile(r"location\s{0,9}\??\.\s{0,9}(?:reload|assign|replace)\b"),
    re.compile(r"history\s{0,9}\??\.\s{0,9}(?:go|back|forward)\b"),
)
_CLICKABLE = (re.compile(r"<a(?:rea)?\b"), re.compile(r"<form\b"))


class Hints:
    """What one HTML text, or the text of a script, tells.

    A text that is too long may do anything, but is not taken to reload its page.
    """

    def __init__(self, text: str) -> None:
        self._original = text
        self._is_too_long = len(text) > MOST_SEARCHED

    @property
    def may_load_late(self) -> bool:
        """Whether the page may start loads only when it is drawn: by a script, or lazily."""
        return self._is_too_long or self._has(_LATE_WORDS) or self._has_handlers

    @property
    def may_have_workers(self) -> bool:
        """Whether a script of the page may start a worker."""
        return "Worker" in self._original

    @property
    def may_have_scripts(self) -> bool:
        return self._is_too_long or self._has(_SCRIPT_WORDS) or self._has_handlers

    @property
    def is_likely_to_reload(self) -> bool:
        """Whether a script here is likely to load its page anew."""
        return self._has(_RELOAD_WORDS) or self._has_any(_RELOADS)

    @property
    def may_refresh(self) -> bool:
        """Whether the page may load itself anew by `<meta http-equiv=refresh>`."""
        return self._has(("refresh",))

    @property
    def is_likely_to_reload_by_click(self) -> bool:
        """Whether there is a link or a form that a click may follow or send."""
        return self._has_any(_CLICKABLE)

    @cached_property
    def _text(self) -> str:
        return "" if self._is_too_long else self._original.lower()

    @cached_property
    def _has_handlers(self) -> bool:
        # An attribute may also follow a quote or a slash, as in `<img src="a"onload=…>`.
        starts = (found.start() for found in _HANDLER.finditer(self._text))
        return any(start > 0 and not self._text[start - 1].isalnum() for start in starts)

    def _has(self, words: tuple[str, ...]) -> bool:
        return any(word in self._text for word in words)

    def _has_any(self, patterns: tuple[re.Pattern[str], ...]) -> bool:
        return any(pattern.search(self._text) for pattern in patterns)
