"""`{{ toHTML "file.md" }}` in an HTML file: all that the farm knows of Go's templates."""

import re
from collections.abc import Callable, Mapping

from farm.errors import InvalidRequest, NotSupported
from farm.web.compat.gotenberg.files import html_text

#: Makes a part of a document of Markdown.
Convert = Callable[[str], str]

_NAME = r"(?:\"((?:[^\"\\\n]|\\.){0,500})\"|`([^`]{0,500})`)"
_ACTION = re.compile(r"(\s*)\{\{(-?)(.{0,2000}?)(-?)\}\}(\s*)", re.DOTALL)
_TO_HTML = re.compile(rf"\s*(?:toHTML\s+\(?\s*{_NAME}\s*\)?|{_NAME}\s*\|\s*toHTML)\s*")
_COMMENT = re.compile(r"\s*/\*.*\*/\s*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
_MAX_ACTIONS = 1_000


def filled(html: str, markdown: Mapping[str, bytes], convert: Convert) -> str:
    """The document with its Markdown in it.

    Raises `NotSupported` for another action, and `InvalidRequest` for files that are not there.
    """
    missing: list[str] = []
    pieces: list[str] = []
    place = 0
    for count, action in enumerate(_ACTION.finditer(html)):
        if count == _MAX_ACTIONS:
            raise InvalidRequest(f"index.html has more than {_MAX_ACTIONS:,} template actions.")
        before, trims_left, text, trims_right, after = action.groups()
        pieces += [html[place : action.start()], "" if trims_left else before]
        if not _COMMENT.fullmatch(text):
            name = _name_in(text)
            if name in markdown:
                pieces.append(convert(html_text(markdown[name])))
            else:
                missing.append(f"'{name}'")
        pieces.append("" if trims_right else after)
        place = action.end()
    if missing:
        raise InvalidRequest("Markdown file(s) not found: " + "\n".join(missing))
    return "".join([*pieces, html[place:]])


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
