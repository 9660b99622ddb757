"""Markdown as GitHub reads it, made into an HTML document with the farm's stylesheet.

CommonMark with tables, strikethrough, bare URLs as links, task lists, footnotes and highlighted
code. Headings have the ids that GitHub gives them, so that `[…](#a-heading)` leads there, also in a
PDF. Raw HTML is kept: the page is a stranger's anyway, as one that is sent as HTML is.

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

#: How much code of one document is highlighted: a character of it may become 30 of HTML.
_MAX_HIGHLIGHTED = 500_000
#: What lies deeper in lists and quotes is not read as either.
_MAX_NESTING = 100
_MAX_TITLE = 300
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")
#: After `www.`: https://github.github.com/gfm/#extended-www-autolink
_HOST_AND_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:[/?#][^\s<]*[^\s<?!.,:*_~'\")\]])?/?")


def to_document(markdown: str, has_margins: bool = True) -> str:
    """The whole HTML document; its title is the text of the first heading.

    `has_margins`: on paper it has margins of its own, which win over those that are asked for.
    """
    return _Conversion().document(markdown, has_margins)


def to_part(markdown: str) -> str:
    """HTML for the body of a document, without a stylesheet."""
    return _Conversion().part(markdown)


class _Conversion:
    """Of one document."""

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
        # `README.md` is a file, not a host in Moldova: names are links only after `www.`, as GitHub
        # has it.
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
        """Its tokens, and the headings among them with their texts."""
        tokens = self._parser.parse(markdown.removeprefix("\ufeff"))
        headings = _headings(tokens)
        _give_ids(headings)
        return tokens, headings

    def _rendered(self, tokens: list[Token]) -> str:
        return str(self._parser.renderer.render(tokens, self._parser.options, {}))

    def _highlight(self, code: str, language: str, _: str) -> str:
        """As HTML; empty where it stays as it is."""
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
    """Each with its text."""
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


def _give_ids(headings: Sequence[tuple[Token, str]]) -> None:
    """`A heading!` becomes `a-heading`, and the second of that name `a-heading-1`."""
    times: dict[str, int] = {}
    for token, text in headings:
        slug = _NOT_IN_SLUGS.sub("", text.lower()).replace(" ", "-")
        count = times.get(slug, 0)
        times[slug] = count + 1
        token.attrSet("id", f"{slug}-{count}" if count else slug)
