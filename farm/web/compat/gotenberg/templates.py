"""`{{ toHTML "file.md" }}` in an HTML file, the only action of Go's templates that is supported."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from farm.errors import InvalidRequest, NotSupported, RenderTimeout
from farm.settings import MAX_BODY_BYTES
from farm.web.compat.gotenberg.files import html_text

#: Converts Markdown to a part of a document, within so many seconds.
Convert = Callable[[str, float], str]

#: The time that all Markdown of a form may take.
_CONVERT_S = 10.0

_NAME = r"(?:\"((?:[^\"\\\n]|\\.){0,500})\"|`([^`]{0,500})`)"
_TO_HTML = re.compile(rf"\s*(?:toHTML\s+\(?\s*{_NAME}\s*\)?|{_NAME}\s*\|\s*toHTML)\s*")
_COMMENT = re.compile(r"\s*/\*.*\*/\s*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
_OPEN, _CLOSE, _TRIM = "{{", "}}", "-"
_MAX_ACTIONS = 1_000
_MAX_ACTION = 2_000


@dataclass(frozen=True)
class _Piece:
    """Text, or the content of a pair of braces."""

    text: str
    is_action: bool = False


def filled(html: str, markdown: Mapping[str, bytes], convert: Convert) -> str:
    """The document with its Markdown inserted.

    Raises `NotSupported` for another action, `InvalidRequest` for missing files, for an action
    without an end, and for a document that would be too large, and what `convert` raises.
    """
    named = [
        _Piece(_name_in(piece.text), is_action=True) if piece.is_action else piece
        for piece in _pieces(html)
        if not (piece.is_action and _COMMENT.fullmatch(piece.text))
    ]
    names = dict.fromkeys(piece.text for piece in named if piece.is_action)
    if missing := [f"'{name}'" for name in names if name not in markdown]:
        raise InvalidRequest("Markdown file(s) not found: " + "\n".join(missing))
    parts = dict(_converted({name: markdown[name] for name in names}, convert))
    texts = [parts[piece.text] if piece.is_action else piece.text for piece in named]
    if sum(map(len, texts)) > MAX_BODY_BYTES:
        raise InvalidRequest(
            f"index.html would have more than {MAX_BODY_BYTES:,} characters with its Markdown."
        )
    return "".join(texts)


def _converted(files: Mapping[str, bytes], convert: Convert) -> Iterator[tuple[str, str]]:
    end = time.monotonic() + _CONVERT_S
    for name, data in files.items():
        left_s = end - time.monotonic()
        if left_s <= 0:
            raise RenderTimeout("The Markdown took too long to convert.")
        yield name, convert(html_text(data), left_s)


def _pieces(html: str) -> Iterator[_Piece]:
    """The document's pieces. The time grows only with the document's length."""
    place, count, trims = 0, 0, False
    while (start := html.find(_OPEN, place)) >= 0:
        count += 1
        if count > _MAX_ACTIONS:
            raise InvalidRequest(f"index.html has more than {_MAX_ACTIONS:,} template actions.")
        inside = start + len(_OPEN)
        end = html.find(_CLOSE, inside, inside + _MAX_ACTION)
        if end < 0:
            raise InvalidRequest(
                f"index.html: a template action has no end within {_MAX_ACTION:,} characters."
            )
        action = html[inside:end]
        text = html[place:start].lstrip() if trims else html[place:start]
        yield _Piece(text.rstrip() if action.startswith(_TRIM) else text)
        trims = action.endswith(_TRIM)
        yield _Piece(action.removeprefix(_TRIM).removesuffix(_TRIM), is_action=True)
        place = end + len(_CLOSE)
    yield _Piece(html[place:].lstrip() if trims else html[place:])


def _name_in(text: str) -> str:
    match = _TO_HTML.fullmatch(text)
    if match is None:
        shown = " ".join(text.split())[:100]
        raise NotSupported(
            f'index.html: the farm knows {{{{ toHTML "file.md" }}}} of Go\'s templates, and not '
            f"{{{{ {shown} }}}}."
        )
    quoted, raw, piped, piped_raw = match.groups()
    text = quoted or raw or piped or piped_raw or ""
    return text if raw or piped_raw else _ESCAPED.sub(r"\1", text)
