"""Finds the local files that a page refers to: pictures, style sheets, scripts, fonts.

References are found in the text of the page and of its style sheets. A file that only a script
names is not found. Only files in the page's own folder and the folders below it are used, so that a
page cannot make the farm send other files of the machine.
"""

import posixpath
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

#: Elements that load what they refer to; a link to another page (`a`) is not one.
_TAG = re.compile(
    r"<(?:img|image|link|script|source|video|audio|track|iframe|embed|object|input|use)\b[^>]*>",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"""\s(?:xlink:)?(src|srcset|href|poster|data)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""",
    re.IGNORECASE,
)
_IN_STYLES = re.compile(
    r"""url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']""", re.IGNORECASE
)
_IN_MARKDOWN = re.compile(r"!\[[^\]]*\]\(\s*<?([^\s)>]+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def files_beside(page: str, text: str) -> dict[str, Path]:
    """The files that a page refers to, by their names as assets. `text`: of the page's file."""
    folder = Path(page).parent
    found: dict[str, Path] = {}
    names = [(".", reference) for reference in _references(text)]
    while names:
        base, reference = names.pop()
        name = _name(base, reference)
        if name is None or name in found:
            continue
        path = _below(folder, name)
        if path is None:
            continue
        found[name] = path
        if path.suffix.lower() == ".css":
            style = path.read_text(encoding="utf-8", errors="replace")
            names += [(posixpath.dirname(name), inner) for inner in _in_styles(style)]
    return dict(sorted(found.items()))


def as_assets(files: dict[str, Path]) -> dict[str, dict[str, str]]:
    """The files as `assets` of a request. Raises `OSError`."""
    return {
        name: {"base64": b64encode(path.read_bytes()).decode("ascii")}
        for name, path in files.items()
    }


def _references(text: str) -> Iterator[str]:
    """The references in the text of a page, HTML or Markdown."""
    for tag in _TAG.findall(text):
        for kind, *quoted in _ATTRIBUTE.findall(tag):
            value = "".join(quoted)
            if kind.lower() == "srcset":
                yield from (part.split()[0] for part in value.split(",") if part.strip())
            else:
                yield value
    yield from _in_styles(text)
    yield from _IN_MARKDOWN.findall(text)


def _in_styles(text: str) -> Iterator[str]:
    return (url or imported for url, imported in _IN_STYLES.findall(text))


def _name(base: str, reference: str) -> str | None:
    """The asset's name, relative to the page's folder. None for any other kind of reference."""
    path = re.split(r"[?#]", reference.strip(), maxsplit=1)[0]
    if not path or path.startswith("/") or _SCHEME.match(path):
        return None
    name = posixpath.normpath(posixpath.join(base, unquote(path)))
    return None if name.startswith("..") or name == "." else name


def _below(folder: Path, name: str) -> Path | None:
    """The file with that name. None if there is none, or if a link leads out of the folder."""
    try:
        path = (folder / name).resolve()
        is_below = path.is_relative_to(folder.resolve())
        return path if is_below and path.is_file() else None
    except (OSError, ValueError):
        return None
