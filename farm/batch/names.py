"""Makes the names of a batch's files from a template such as `{host}/{path}.{ext}`."""

import os
import re
from collections.abc import Iterable, Mapping
from string import Formatter
from urllib.parse import unquote, urlsplit

from farm.batch.sources import is_url

#: The fields of a template.
FIELDS = {
    "stem": "the file's name without its suffix; of a URL, the last part of its path, or its host",
    "n": "the page's number, from 1; {n:04} is 0001",
    "path": "the path without its suffix, with folders; of a URL that ends with /, index is added",
    "host": "the URL's host (of a file, `file`)",
    "query": "what follows ? in the URL",
    "ext": "the format: png, pdf …",
}
#: The folder of the record. No file of a batch may be in it.
RESERVED = ".farm"
_NO_NAMES = ("", ".", "..", RESERVED)
#: The longest value of a field, in bytes. File systems allow 255 for the whole name.
_MAX_BYTES = 180
#: A suffix begins with a letter, so `release-1.2` has none.
_SUFFIX = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,7}$")
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]+")
_WIDTH = re.compile(r"0?[1-9]?")


class BadName(Exception):
    """The template or the names are not valid. `str()` of it is a sentence for the user."""


class Template:
    """A template for file names. Raises `BadName` if the text is not one."""

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
        # The path, with a character in place of each field.
        literal = "".join(text if field is None else f"{text}x" for text, field, _, _ in parts)
        if any(segment in _NO_NAMES for segment in literal.split("/")):
            raise BadName(f"--name: {text!r} must be a path inside of the folder of --out.")
        if "\0" in text:
            raise BadName("--name: a name has no NUL in it.")

    @property
    def suffix(self) -> str:
        """The suffix of all names, without its dot; `""` if the template does not fix one."""
        found = re.search(r"\.([A-Za-z0-9]+)$", self._text)
        return found[1].lower() if found else ""

    def name(self, source: str, number: int, ext: str) -> str:
        """The name of a page's file: a path with `/` that does not leave the folder."""
        values: Mapping[str, object] = {**_values(source), "n": number, "ext": ext}
        segments = self._text.format(**values).split("/")
        return "/".join("-" if segment in _NO_NAMES else segment for segment in segments)


def name_all(template: Template, sources: Iterable[str], ext: str) -> dict[str, str]:
    """The pages by the names of their files. A page that occurs twice is included once.

    Raises `BadName` if two pages have the same name.
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
    """The host, path and query of a page. The path of a file is its whole name."""
    if not is_url(source):
        return "file", source, ""
    try:
        url = urlsplit(source)
        host = f"{url.hostname or ''}{f'-{url.port}' if url.port else ''}"
    except ValueError:  # the URL is not valid; its render reports that
        return "url", source.partition("//")[2], ""
    return _clean(host), unquote(url.path, errors="replace"), unquote(url.query, errors="replace")


def _without_suffix(segment: str) -> str:
    return _SUFFIX.sub("", segment)


def _clean(text: str) -> str:
    """A part of a name, shortened, without separators and without a leading dot."""
    text = _UNWANTED.sub("-", text)
    try:
        data = os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        data = text.encode(errors="replace")
    # `ignore` drops a character that is cut in its middle.
    text = (
        os.fsdecode(data) if len(data) <= _MAX_BYTES else data[:_MAX_BYTES].decode(errors="ignore")
    )
    return f"_{text[1:]}" if text.startswith(".") else text
