"""Saves files for tools: only in one folder, and only with the suffix of the file's format.

An agent may follow instructions that a page contains. So a path that leads out of the folder is
refused, and so is a name such as `.bashrc`.
"""

import contextlib
import os
import tempfile
from pathlib import Path

from farm.errors import InvalidRequest, Problem
from farm.formats import FORMATS, canonical
from farm.mcp.tools import OUTPUT

#: The umask of the process. Reading it means setting it, so it is read once, before there are other
#: threads.
_UMASK = os.umask(0)
os.umask(_UMASK)


class Folder:
    """The folder in which tools may save files, with all folders in it."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def place(self, name: str) -> Path:
        """The file's path. `name`: absolute, or relative to the folder. Raises `InvalidRequest`."""
        try:
            path = (self._path / name).resolve()
            is_folder = path.is_dir()
        # The name is too long or has a null byte, or links form a circle.
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
        """Write a file atomically. Raises `InvalidRequest`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A name of its own, since the name of `path` may already have the greatest length.
            handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".farm-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    # `mkstemp` lets only this user read the file.
                    os.fchmod(handle, 0o666 & ~_UMASK)
                Path(unfinished).replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    Path(unfinished).unlink()
                raise
        except OSError as exc:
            raise refused(f"cannot be written: {exc.strerror}") from exc


def format_of(path: Path) -> str | None:
    """The format that a path's suffix names; None if it names none."""
    return canonical(path.suffix.removeprefix(".").lower())


def refused(problem: str) -> InvalidRequest:
    return InvalidRequest.of(Problem(OUTPUT, problem))
