"""What a folder has of earlier runs, so that a batch goes on where it was stopped.

`.farm/record` in the folder has a line of JSON for each file: its name, a digest of the page and of
the options that it was made of, and the size and the time that the file had. A file is done if all
of that still holds. It is written as `.farm/part-…` and renamed when it is whole. Its line is
written before, so that a run that is killed between the two leaves a line that no file fits.
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
    """The folder of a batch, while it is this run's alone. To be used in `with`.

    `with` raises `FolderInUse`, or `OSError` if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = folder / RESERVED
        self._lines: dict[str, Line] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._is_open = False
        #: Files that this run has written.
        self.written = 0

    def __enter__(self) -> Self:
        self._room.mkdir(parents=True, exist_ok=True)
        self._owner = (self._room / "lock").open("ab")
        try:
            self._take()
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
            self._sweep()
            self._owner.close()

    def is_done(self, name: str, digest: str) -> bool:
        """Whether the file is there, whole, and made of just that."""
        line = self._lines.get(name)
        return line is not None and line.digest == digest and self._fits(line)

    def strangers(self, names: Iterable[str]) -> list[str]:
        """Those of the names that are in the folder, and that no run has put there."""
        return [
            name
            for name in names
            if name not in self._lines and os.path.lexists(self._folder / name)
        ]

    def put(self, name: str, digest: str, data: bytes) -> bool:
        """Write a file, whole or not at all. From any thread. Raises `OSError`.

        False: the run has ended meanwhile, and the file was not written.
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

    def _take(self) -> None:
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse from None
        self._sweep()
        path = self._room / "record"
        with suppress(FileNotFoundError):
            for text in path.read_bytes().splitlines():
                line = _read(text)
                if line is not None:
                    self._lines[line.name] = line
        # Without what later lines have replaced, and without one that was cut off.
        part = self._room / f"{_PART}0"
        part.write_bytes(b"".join(map(_as_bytes, self._lines.values())))
        part.replace(path)
        self._file = path.open("ab", buffering=0)

    def _sweep(self) -> None:
        """Remove what killed runs have left."""
        for part in self._room.glob(f"{_PART}*"):
            with suppress(OSError):
                part.unlink()

    def _fits(self, line: Line) -> bool:
        try:
            found = (self._folder / line.name).stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (line.size, line.mtime_ns)


def _as_bytes(line: Line) -> bytes:
    # As ASCII: a name may have bytes that are not UTF-8.
    return json.dumps(asdict(line)).encode("ascii") + b"\n"


def _read(text: bytes) -> Line | None:
    """None: a line that was cut off, or is another version's."""
    try:
        return Line(**json.loads(text))
    except (ValueError, TypeError):
        return None
