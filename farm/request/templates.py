"""Checks the header and the footer of a PDF: refuses HTML that loads anything.

Chromium draws headers and footers in documents of their own, which load nothing and run no scripts.
A picture with a URL would be missing there, and a style sheet with a URL would crash the page's
process. So both are refused when the request is validated.
"""

import re
from html.parser import HTMLParser

from farm.request.group import problem

#: Attributes whose URLs are loaded. The targets of links (`a href`) are not loaded.
_LOADED = {"src", "srcset", "poster", "background", "data", "href", "xlink:href"}
_LINKS = {"a", "area"}
#: Attributes that contain text, in which a URL means nothing.
_WORDS = {"alt", "title", "class", "id", "lang", "aria-label", "value", "placeholder"}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_URL = r"""url\(\s*["']?\s*(?!["'\s)]|data:|\#)"""
_IN_ATTRIBUTE = re.compile(_URL, re.IGNORECASE)
_IN_STYLE = re.compile(rf"@import|{_URL}", re.IGNORECASE)
_MAX_CODE_POINT = 0x10FFFF


def check_template(html: str) -> str:
    """The HTML. Raises a problem if it would load anything."""
    reader = _Reader()
    # `HTMLParser` ignores a style element without an end tag.
    reader.feed(f"{html}</style>")
    reader.close()
    if reader.loads:
        raise problem(
            f"must have nothing that is loaded ({reader.loads}): images and fonts can be data: URLs"
        )
    return html


class _Reader(HTMLParser):
    """Reads HTML roughly as a browser does. `loads` is the first thing that would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("link", "script", "base", "iframe", "object", "embed"):
            self._found(tag)
        for name, value in attrs:
            is_url = name in _LOADED and not (name == "href" and tag in _LINKS)
            if is_url and not (value or "#").strip().lower().startswith(("data:", "#")):
                self._found(f"{tag} {name}")
            elif not is_url and name not in _WORDS:
                self._check_css(value or "", _IN_ATTRIBUTE)

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self._check_css(data, _IN_STYLE)

    def _check_css(self, text: str, what_loads: re.Pattern[str]) -> None:
        if match := what_loads.search(_ESCAPE.sub(_unescaped, _COMMENT.sub("", text))):
            self._found(match[0].rstrip("( \"'"))

    def _found(self, what: str) -> None:
        self.loads = self.loads or what


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[2]
    code = int(match[1], 16)
    return chr(code) if code <= _MAX_CODE_POINT else "\ufffd"
