"""Asks the supervisor to start the embedded cache, through a socket that its children inherit.

The cache's store calls it, in any thread. Unless FARM_CACHE_TTL_S is set, the supervisor starts the
cache only when it is asked.
"""

import os
import stat
from contextlib import suppress

from farm.signals import CACHE_REQUESTED

#: `{file descriptor}:{inode}` of the socket that children inherit. The name does not begin with
#: `FARM_`, since such names are settings.
VARIABLE = "RENDER_FARM_SUPERVISOR_SOCKET"


class SupervisorSocket:
    def __init__(self, value: str | None) -> None:
        """`value`: that of `VARIABLE`."""
        self._fd = _inherited(value or "")

    @classmethod
    def from_environment(cls) -> "SupervisorSocket":
        return cls(os.environ.get(VARIABLE))

    def request_cache(self) -> None:
        """Does nothing if there is no supervisor."""
        if self._fd is not None:
            with suppress(OSError):  # the supervisor is gone, or the socket is full of requests
                os.write(self._fd, bytes([CACHE_REQUESTED]))


def environment(fd: int) -> dict[str, str]:
    """The environment variable for a child that inherits `fd`."""
    return {VARIABLE: f"{fd}:{os.fstat(fd).st_ino}"}


def _inherited(value: str) -> int | None:
    """The socket's file descriptor, if the inode is right; None if not.

    A number alone proves nothing: if the descriptor was not inherited, the number may by now belong
    to another file.
    """
    number, _, inode = value.partition(":")
    if not (number.isdecimal() and inode.isdecimal()):
        return None
    try:
        found = os.fstat(int(number))
    except (OSError, OverflowError):
        return None
    return int(number) if stat.S_ISSOCK(found.st_mode) and found.st_ino == int(inode) else None
