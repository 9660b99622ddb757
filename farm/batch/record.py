"""Records which files of a folder are finished, so that a later run continues a batch.

`.farm/record` in the folder has a line of JSON for each file: its name, a digest of its page and
options, its size and its modification time. A file is finished if its line still matches. A file is
written as `.farm/part-…` and then renamed. Its line is written before the renaming, so a run that
is killed between the two leaves a line that matches no file.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from farm.batch.names import RESERVED

_PART = "part-"


class FolderInUse(Exception):
    """Another run writes into the folder."""


@dataclass(frozen=True)
class Line:
    name: str
    digest: str
    size: int
    mtime_ns: int


class Record:
    """The record of a folder, locked for this run. Use it in a `with`.

    Entering raises `FolderInUse`, or `OSError` if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = folder / RESERVED
        self._lines: dict[str, Line] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._is_open = False
        #: The number of files that this run has written.
        self.written = 0

    def __enter__(self) -> Self:
        self._room.mkdir(parents=True, exist_ok=True)
        self._owner = (self._room / "lock").open("ab")
        try:
            self._lock_and_read()
        except BaseException:
            self._owner.close()
            raise
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._is_open = False
            self._file.close()
            self._remove_parts()
            self._owner.close()

    def is_done(self, name: str, digest: str) -> bool:
        """Whether the file exists, is unchanged, and was made from this page and these options."""
        line = self._lines.get(name)
        return line is not None and line.digest == digest and self._matches(line)

    def foreign(self, names: Iterable[str]) -> list[str]:
        """The names of existing files that no run of a batch has written."""
        return [
            name
            for name in names
            if name not in self._lines and os.path.lexists(self._folder / name)
        ]

    def put(self, name: str, digest: str, data: bytes) -> bool:
        """Write a file atomically. Any thread may call this. Raises `OSError`.

        Returns False, and writes nothing, if the run has ended meanwhile.
        """
        part = self._room / f"{_PART}{next(self._numbers)}"
        target = self._folder / name
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                found = os.fstat(file.fileno())
            line = Line(name, digest, found.st_size, found.st_mtime_ns)
            with self._lock:
                if not self._is_open:
                    return False
                target.parent.mkdir(parents=True, exist_ok=True)
                self._file.write(_as_bytes(line))
                part.replace(target)
                self._lines[name] = line
                self.written += 1
            return True
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _lock_and_read(self) -> None:
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse from None
        self._remove_parts()
        path = self._room / "record"
        with suppress(FileNotFoundError):
            for text in path.read_bytes().splitlines():
                line = _read(text)
                if line is not None:
                    self._lines[line.name] = line
        # Write the record anew, without replaced lines and without a line that was cut off.
        part = self._room / f"{_PART}0"
        part.write_bytes(b"".join(map(_as_bytes, self._lines.values())))
        part.replace(path)
        self._file = path.open("ab", buffering=0)

    def _remove_parts(self) -> None:
        """Remove the unfinished files of runs that were killed."""
        for part in self._room.glob(f"{_PART}*"):
            with suppress(OSError):
                part.unlink()

    def _matches(self, line: Line) -> bool:
        try:
            found = (self._folder / line.name).stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (line.size, line.mtime_ns)


def _as_bytes(line: Line) -> bytes:
    # The JSON is ASCII, since a name may have bytes that are not UTF-8.
    return json.dumps(asdict(line)).encode("ascii") + b"\n"


def _read(text: bytes) -> Line | None:
    """A line of the record. None if it was cut off, or if another version has written it."""
    try:
        return Line(**json.loads(text))
    except (ValueError, TypeError):
        return None
