"""How a process of a farm tells its supervisor that it wants the embedded cache."""

import os
import stat
from contextlib import suppress

from farm.signals import RUNG

#: `{file descriptor}:{inode}` of the socket's end that children inherit. No `FARM_` name, since
#: those are settings.
VARIABLE = "RENDER_FARM_BELL"


class Bell:
    def __init__(self, value: str | None) -> None:
        """`value`: the variable's."""
        self._fd = _inherited(value or "")

    @classmethod
    def from_environment(cls) -> "Bell":
        return cls(os.environ.get(VARIABLE))

    def ring(self) -> None:
        """Does nothing where there is no supervisor."""
        if self._fd is not None:
            with suppress(OSError):  # it is gone, or has been rung so often that it knows
                os.write(self._fd, bytes([RUNG]))


def environment(fd: int) -> dict[str, str]:
    """The variable for a child that inherits `fd`."""
    return {VARIABLE: f"{fd}:{os.fstat(fd).st_ino}"}


def _inherited(value: str) -> int | None:
    """A number alone proves nothing: if it was not passed on, it may be another file's by now."""
    number, _, inode = value.partition(":")
    if not (number.isdecimal() and inode.isdecimal()):
        return None
    try:
        found = os.fstat(int(number))
    except (OSError, OverflowError):
        return None
    return int(number) if stat.S_ISSOCK(found.st_mode) and found.st_ino == int(inode) else None
