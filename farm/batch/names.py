"""The names of the files that a batch writes, made of a template: `{host}/{path}.{ext}`."""

import os
import re
from collections.abc import Iterable, Mapping
from string import Formatter
from urllib.parse import unquote, urlsplit

from farm.batch.sources import is_url

#: What a template may have in it.
FIELDS = {
    "stem": "the file's name without its suffix; of a URL, the last part of its path, or its host",
    "n": "the page's number, from 1; {n:04} is 0001",
    "path": "the path without its suffix, with folders; of a URL that ends with /, index is added",
    "host": "the URL's host (of a file, `file`)",
    "query": "what follows ? in the URL",
    "ext": "the format: png, pdf …",
}
#: The folder of the record; no file of a batch is put there.
RESERVED = ".farm"
_NO_NAMES = ("", ".", "..", RESERVED)
#: Bytes that a value may bring into a name; file systems allow 255 for all of it.
_MAX_BYTES = 180
#: A suffix begins with a letter: `release-1.2` has none.
_SUFFIX = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,7}$")
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]+")
_WIDTH = re.compile(r"0?[1-9]?")


class BadName(Exception):
    """No names can be made; `str()` of it is a sentence."""


class Template:
    """How files are named. Raises `BadName` if the text is not a template."""

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            parts = list(Formatter().parse(text))
        except ValueError as exc:
            raise BadName(f"--name: {text!r} is not valid: {exc}.") from None
        for _, field, width, conversion in parts:
            if field is None:
                continue
            if field not in FIELDS or conversion:
                known = ", ".join(f"{{{name}}}" for name in FIELDS)
                wrong = f"{field}!{conversion}" if conversion else field
                raise BadName(f"--name: {{{wrong}}} is not known; there are {known}.")
            if width and (field != "n" or not _WIDTH.fullmatch(width)):
                raise BadName(f"--name: only n has a width, such as {{n:04}}, not {{{field}}}.")
        # With something in the place of each field.
        literal = "".join(text if field is None else f"{text}x" for text, field, _, _ in parts)
        if any(segment in _NO_NAMES for segment in literal.split("/")):
            raise BadName(f"--name: {text!r} must be a path inside of the folder of --out.")
        if "\0" in text:
            raise BadName("--name: a name has no NUL in it.")

    @property
    def suffix(self) -> str:
        """The suffix that all names have, without its dot; `""` if the template leaves it open."""
        found = re.search(r"\.([A-Za-z0-9]+)$", self._text)
        return found[1].lower() if found else ""

    def name(self, source: str, number: int, ext: str) -> str:
        """The name for a page: a path with `/` that stays below its folder."""
        values: Mapping[str, object] = {**_values(source), "n": number, "ext": ext}
        segments = self._text.format(**values).split("/")
        return "/".join("-" if segment in _NO_NAMES else segment for segment in segments)


def name_all(template: Template, sources: Iterable[str], ext: str) -> dict[str, str]:
    """The pages by their files' names; a page that is named twice is there once.

    Raises `BadName` where two pages have one name.
    """
    pages: dict[str, str] = {}
    clashes = []
    seen = set()
    for number, source in enumerate(sources, 1):
        if source in seen:
            continue
        seen.add(source)
        name = template.name(source, number, ext)
        if name in pages:
            clashes.append(f"  {name}: {pages[name]} and {source}")
        else:
            pages[name] = source
    if clashes:
        listed = "\n".join(clashes[:_MAX_CLASHES])
        more = f"\n  and {len(clashes) - _MAX_CLASHES} more" if len(clashes) > _MAX_CLASHES else ""
        raise BadName(
            f"Several pages would have one name; tell them apart with --name, as in "
            f"--name '{{n:04}}-{{stem}}.{{ext}}':\n{listed}{more}"
        )
    return pages


_MAX_CLASHES = 5


def _values(source: str) -> dict[str, str]:
    host, path, query = _parts(source)
    segments = [_clean(part) for part in path.split("/") if part not in ("", ".", "..")]
    stem = _without_suffix(segments[-1]) if segments else host
    if is_url(source) and (not segments or path.endswith("/")):
        segments.append("index")
    whole = [*segments[:-1], _without_suffix(segments[-1])] if segments else [stem]
    return {
        "host": host,
        "path": "/".join(whole),
        "stem": stem,
        "query": _clean(query) if query else "",
    }


def _parts(source: str) -> tuple[str, str, str]:
    """Host, path and query of a page; a file has its whole name as the path."""
    if not is_url(source):
        return "file", source, ""
    try:
        url = urlsplit(source)
        host = f"{url.hostname or ''}{f'-{url.port}' if url.port else ''}"
    except ValueError:  # not a URL, which its render will tell
        return "url", source.partition("//")[2], ""
    return _clean(host), unquote(url.path, errors="replace"), unquote(url.query, errors="replace")


def _without_suffix(segment: str) -> str:
    return _SUFFIX.sub("", segment)


def _clean(text: str) -> str:
    """A part of a name: without what separates or hides files, and not too long."""
    text = _UNWANTED.sub("-", text)
    try:
        data = os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        data = text.encode(errors="replace")
    # A character may be cut in its middle.
    text = (
        os.fsdecode(data) if len(data) <= _MAX_BYTES else data[:_MAX_BYTES].decode(errors="ignore")
    )
    return f"_{text[1:]}" if text.startswith(".") else text
