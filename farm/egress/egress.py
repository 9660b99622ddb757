"""Keeps the egress proxy's process running, and opens a port of it for each render.

Any thread of the farm calls `Egress`. One thread, `egress`, watches the process and restarts
it when it dies or hangs.
"""

import math
import os
import pwd
import threading
import time
from collections.abc import Callable

import structlog

from farm.egress.child import NO_PROXY, STOP_TIMEOUT_S, Port, ProxyChild
from farm.egress.process import HEARTBEAT_S, Start
from farm.egress.proxy import Rules
from farm.errors import BrowserUnavailable
from farm.policy import Policy

log = structlog.get_logger()

_MAX_PAUSE_S = 5.0
_LONG_LIFE_S = 10.0


class Egress:
    """The egress proxy, from `start` to `close`."""

    #: A process that sends nothing for so long hangs, and is killed.
    silence_s = 10 * HEARTBEAT_S
    #: The pause before the process is restarted. It doubles each time, up to `_MAX_PAUSE_S`, and is
    #: reset after a process has run for `_LONG_LIFE_S`.
    first_pause_s = 0.05

    def __init__(
        self,
        policy: Policy,
        account: str | None,
        max_connections: int,
        max_bytes: int,
        on_death: Callable[[], None] = lambda: None,
        on_return: Callable[[], None] = lambda: None,
    ) -> None:
        """`account`: the user whom the browsers and the proxy run as. None: this process's user.

        Each render may have `max_connections` at a time and send and receive `max_bytes` in all.
        `on_death` is called when the process has died, and with it every port. `on_return` is
        called when a process has sent its first message. Both are called in the thread `egress`.
        """
        self._on_death = on_death
        self._on_return = on_return
        entry = pwd.getpwnam(account) if account is not None else None
        self._uid = entry.pw_uid if entry else os.geteuid()
        rules = Rules(policy, self._uid, max_connections, max_bytes)
        self._first_message = Start(rules, (entry.pw_uid, entry.pw_gid) if entry else None)
        self._process: ProxyChild | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="egress", daemon=True)

    def start(self) -> None:
        self._process = ProxyChild(self._first_message, time.monotonic())
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process id of the proxy."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    @property
    def is_up(self) -> bool:
        """Whether the process lives and has sent a message. Until then its start may fail."""
        return self._process is not None and self._process.is_up

    @property
    def down_s(self) -> float:
        """The seconds for which no proxy has been heard of."""
        return math.inf if self._process is None else self._process.down_s

    def open(self) -> Port:
        """A port for one browser context. Never blocks; raises `BrowserUnavailable`."""
        return self._open(self._uid)

    def open_own(self) -> Port:
        """A port for the farm's own requests; browsers get no answer there. Raises as `open`."""
        return self._open(os.geteuid())

    def _open(self, uid: int) -> Port:
        process = self._process
        if process is None or not process.alive:
            raise BrowserUnavailable(NO_PROXY)
        return process.open_port(uid)

    def close(self) -> None:
        """End the process, and with it every port."""
        self._stopping.set()
        if self._process is not None:
            self._process.end()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT_S)

    def _keep_up(self) -> None:
        pause_s = 0.0
        process = self._process
        while process is not None:
            self._watch(process)
            process.end()
            if self._stopping.is_set():
                return
            if time.monotonic() - process.started > _LONG_LIFE_S:
                pause_s = 0.0
            pause_s = self._longer(pause_s)
            log.error("egress proxy died, and is started again", again_in_s=pause_s)
            self._on_death()
            while not self._stopping.wait(pause_s):
                try:
                    self._process = process = ProxyChild(self._first_message, process.down_since)
                    break
                except OSError as exc:
                    pause_s = self._longer(pause_s)
                    log.error("egress proxy not started", cause=str(exc), again_in_s=pause_s)
            if self._stopping.is_set():
                process.end()

    def _longer(self, pause_s: float) -> float:
        """The pause after one of `pause_s`."""
        return min(max(2 * pause_s, self.first_pause_s), _MAX_PAUSE_S)

    def _watch(self, process: "ProxyChild") -> None:
        """Returns when the process is dead or hangs."""
        was_up = False
        while process.wait_for_message(HEARTBEAT_S) < self.silence_s:
            if process.is_up and not was_up:
                was_up = True
                self._on_return()
