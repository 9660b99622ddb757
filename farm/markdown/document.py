"""Converts Markdown to HTML as GitHub does, with the farm's stylesheet.

`process` calls it, in a child process. It supports CommonMark with tables, strikethrough, bare URLs
as links, task lists, footnotes and highlighted code. Headings have the ids that GitHub gives them,
so `[…](#a-heading)` links to a heading, also in a PDF. Raw HTML is kept: the page is untrusted in
any case, as HTML from a request is.

Sources: https://spec.commonmark.org/0.31.2/ and https://github.github.com/gfm/
"""

import html
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pygments
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

#: Characters of code in one document that are highlighted. One may become 30 characters of HTML.
_MAX_HIGHLIGHTED = 500_000
#: Lists and quotes that are nested deeper are not parsed.
_MAX_NESTING = 100
_MAX_TITLE = 300
#: Hebrew, Arabic and the other scripts between them, with their presentation forms.
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")
#: A raw element with a direction, as in `<div dir="rtl">`. The author then sets all directions.
_RAW_DIRECTION = re.compile(r"<[a-z]+\b[^<>]*\sdir\s*=", re.IGNORECASE)
#: The blocks whose direction is that of their text, as on GitHub.
_WITH_DIRECTION = (
    "blockquote_open",
    "bullet_list_open",
    "heading_open",
    "ordered_list_open",
    "paragraph_open",
    "table_open",
)
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")
#: The host and path after `www.`: https://github.github.com/gfm/#extended-www-autolink
_HOST_AND_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:[/?#][^\s<]*[^\s<?!.,:*_~'\")\]])?/?")


def to_document(markdown: str, has_margins: bool = True) -> str:
    """The whole HTML document. Its title is the text of the first heading.

    `has_margins`: the document sets margins for paper, which override those of the request.
    """
    return _Conversion().document(markdown, has_margins)


def to_part(markdown: str) -> str:
    """HTML for the body of a document, without a stylesheet."""
    return _Conversion().part(markdown)


class _Conversion:
    """The conversion of one document."""

    def __init__(self) -> None:
        self._left = _MAX_HIGHLIGHTED
        self._parser = (
            MarkdownIt("commonmark", {"linkify": True, "highlight": self._highlight})
            .enable(["table", "strikethrough", "linkify"])
            .use(footnote_plugin)
            .use(tasklists_plugin)
        )
        self._parser.options["maxNesting"] = _MAX_NESTING
        linkify = self._parser.linkify
        assert linkify is not None
        # As on GitHub, a bare name is a link only after `www.`: `README.md` is a file, not a host
        # in Moldova.
        linkify.set({"fuzzy_link": False})
        linkify.add("www.", {"validate": _HOST_AND_PATH, "normalize": _add_scheme})

    def part(self, markdown: str) -> str:
        tokens, _ = self._read(markdown)
        return self._rendered(tokens)

    def document(self, markdown: str, has_margins: bool) -> str:
        tokens, headings = self._read(markdown)
        title = f"<title>{html.escape(headings[0][1])}</title>\n" if headings else ""
        return (
            '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
            f"{title}<style>\n{_styles(has_margins)}</style>\n</head>\n<body>\n<main>\n"
            f"{self._rendered(tokens)}"
            "</main>\n</body>\n</html>\n"
        )

    def _read(self, markdown: str) -> tuple[list[Token], list[tuple[Token, str]]]:
        """The document's tokens, and its headings with their texts."""
        tokens = self._parser.parse(markdown.removeprefix("\ufeff"))
        headings = _headings(tokens)
        _give_ids(headings)
        if _RIGHT_TO_LEFT.search(markdown) and not _RAW_DIRECTION.search(markdown):
            _give_directions(tokens)
        return tokens, headings

    def _rendered(self, tokens: list[Token]) -> str:
        return str(self._parser.renderer.render(tokens, self._parser.options, {}))

    def _highlight(self, code: str, language: str, _: str) -> str:
        """The code as HTML; empty if it is not to be highlighted."""
        if not language or len(code) > self._left:
            return ""
        try:
            lexer = get_lexer_by_name(language.lower(), stripnl=False)
        except ClassNotFound:
            return ""
        self._left -= len(code)
        highlighted: str = pygments.highlight(code, lexer, HtmlFormatter(nowrap=True))
        return highlighted


@cache
def _styles(has_margins: bool) -> str:
    here = Path(__file__).parent
    names = ["document.css", *(["paper.css"] if has_margins else [])]
    return "".join((here / name).read_text() for name in names)


def _headings(tokens: Sequence[Token]) -> list[tuple[Token, str]]:
    """The headings, each with its text."""
    pairs = pairwise(tokens)
    return [(token, _text(content)) for token, content in pairs if token.type == "heading_open"]


def _add_scheme(_: object, match: Any) -> None:
    match.url = "http://" + match.url


def _text(inline: Token) -> str:
    parts = [
        child.content if child.type in ("text", "code_inline") else " "
        for child in inline.children or ()
        if child.type in ("text", "code_inline", "softbreak", "hardbreak")
    ]
    return " ".join("".join(parts).split())[:_MAX_TITLE]


def _give_directions(tokens: Sequence[Token]) -> None:
    """Give each block the direction of its text. Blocks within it have the same.

    They get no direction of their own: `dir=auto` does not look at the text of such elements.
    """
    end: tuple[str, int] | None = None
    for token in tokens:
        if end is not None:
            end = None if (token.type, token.level) == end else end
        elif token.type in _WITH_DIRECTION:
            token.attrSet("dir", "auto")
            end = token.type.removesuffix("_open") + "_close", token.level


def _give_ids(headings: Sequence[tuple[Token, str]]) -> None:
    """Set the ids: `A heading!` has the id `a-heading`, the next of that name `a-heading-1`."""
    times: dict[str, int] = {}
    for token, text in headings:
        slug = _NOT_IN_SLUGS.sub("", text.lower()).replace(" ", "-")
        count = times.get(slug, 0)
        times[slug] = count + 1
        token.attrSet("id", f"{slug}-{count}" if count else slug)
