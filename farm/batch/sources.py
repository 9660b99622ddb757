"""The pages of a batch: files, URLs, and patterns of file names."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

_URLS = ("http://", "https://")


class SourceError(Exception):
    """An argument names no page. `str()` of it is a sentence for the user."""


def is_url(source: str) -> bool:
    return source.startswith(_URLS)


def expand(named: Iterable[str]) -> list[str]:
    """The pages that arguments name. A pattern (`*`, `**`, `?`, `[…]`) names the files it matches.

    Raises `SourceError` for a pattern without a match, and for a folder.
    """
    pages = []
    for source in named:
        if is_url(source) or Path(source).exists() or not glob.has_magic(source):
            pages.append(source)
            continue
        # `Path.glob` accepts relative patterns only.
        matches = sorted(glob.glob(source, recursive=True))  # noqa: PTH207
        found = [path for path in matches if not Path(path).is_dir()]
        if not found:
            raise SourceError(f"{source} matches no file.")
        pages += found
    for source in pages:
        if not is_url(source) and Path(source).is_dir():
            raise SourceError(
                f"{source} is a folder; name its pages: '{source.rstrip('/')}/*.html'."
            )
    return pages


def read_list(data: bytes) -> list[str]:
    """The pages that a list names, one a line.

    Blank lines and lines that begin with `#` are skipped. A file name may have bytes that are not
    UTF-8.
    """
    lines = (os.fsdecode(line).strip() for line in data.removeprefix(b"\xef\xbb\xbf").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def stamp(source: str) -> list[int] | None:
    """A file's modification time and size. None for a URL, and for a file that does not exist."""
    if is_url(source):
        return None
    try:
        found = Path(source).stat()
    except (OSError, ValueError):
        return None
    return [found.st_mtime_ns, found.st_size]


def identity(source: str) -> str:
    """A text that identifies a page, whatever the working directory is."""
    return source if is_url(source) else str(Path(source).absolute())
