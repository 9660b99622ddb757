"""Where a tool may save files: in one folder, under a suffix that names the file's format.

An agent may do what a page tells it to do. So a path that leads out of the folder is refused, and
so is a name such as `.bashrc`.
"""

import contextlib
import os
import tempfile
from pathlib import Path

from farm.errors import InvalidRequest, Problem
from farm.formats import FORMATS, canonical
from farm.mcp.tools import OUTPUT

#: What the process takes from the permissions of new files. It cannot be read without being set,
#: so it is read once, before there are threads.
_UMASK = os.umask(0)
os.umask(_UMASK)


class Folder:
    """A folder, and all folders in it."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def place(self, name: str) -> Path:
        """The path of a file, relative or absolute. Raises `InvalidRequest`."""
        try:
            path = (self._path / name).resolve()
            is_folder = path.is_dir()
        # A name that is too long, a null byte, links in a circle.
        except (OSError, ValueError, RuntimeError) as exc:
            raise refused("is not a path") from exc
        if not path.is_relative_to(self._path):
            raise refused(f"must be in {self._path}")
        if format_of(path) is None:
            raise refused(f"must end in {', '.join(f'.{name}' for name in FORMATS)}")
        if is_folder:
            raise refused("is a folder")
        return path

    def save(self, path: Path, data: bytes) -> None:
        """Write a whole file, or none. Raises `InvalidRequest`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Its name is short, since that of `path` may have all characters that a name can have.
            handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".farm-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    # `mkstemp` lets nobody else read it.
                    os.fchmod(handle, 0o666 & ~_UMASK)
                Path(unfinished).replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    Path(unfinished).unlink()
                raise
        except OSError as exc:
            raise refused(f"cannot be written: {exc.strerror}") from exc


def format_of(path: Path) -> str | None:
    """The format that a path's suffix names; None: it names none."""
    return canonical(path.suffix.removeprefix(".").lower())


def refused(problem: str) -> InvalidRequest:
    return InvalidRequest.of(Problem(OUTPUT, problem))
