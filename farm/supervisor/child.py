"""A child process of the supervisor. The supervisor's main thread calls it."""

import os
import shutil
import subprocess
from contextlib import suppress

from farm.cache import supervisor_socket


class Child:
    """A child process in a session of its own, so that a terminal's Ctrl-C does not reach it."""

    def __init__(self, name: str, command: list[str], socket_fd: int) -> None:
        """`socket_fd`: the descriptor that the child inherits for `supervisor_socket`."""
        self.name = name
        self._socket_fd = socket_fd
        # The kernel ends the child with this process, even if this process is killed.
        tie = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
        self._command = [*tie, *command]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | supervisor_socket.environment(self._socket_fd),
            pass_fds=[self._socket_fd],
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_status(self) -> int | None:
        """The child's exit code, or minus the signal that ended it. 0 before it was started.

        None while it runs.
        """
        return self._process.poll() if self._process else 0

    def send(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)

    def send_group(self, number: int) -> None:
        """Signal the child and all processes of its process group."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
