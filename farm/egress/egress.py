"""The farm's side of the egress proxy: its process kept up, and a port of it for each render.

Ports are bound here and served there. If the process dies, nobody answers at its ports, and nobody
else can have them while a browser does: there is no network until the next one. What it refused is
told before the browser gets its answer, so it is known here when the browser knows it.
"""

import itertools
import json
import math
import os
import pickle
import pwd
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from farm.egress.process import BEAT_S, MAX_MESSAGE_BYTES, Start
from farm.egress.proxy import Note, Rules
from farm.errors import BrowserUnavailable, NoPort
from farm.policy import Policy, Refusal
from farm.processes import ends

log = structlog.get_logger()

NO_PROXY = "The farm's egress proxy is being started again; try again in a moment."

_MAX_PAUSE_S = 5.0
_LONG_LIFE_S = 10.0
_STOP_TIMEOUT_S = 2.0
_BACKLOG = 128
#: Of its own environment, what the process may have: the C library's resolver and Python read it.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LOCALDOMAIN", "RES_OPTIONS", "PYTHONPATH", "PYTHONHOME")


class Port:
    """A port of the proxy: a browser context's, for one render at a time, or one of the farm's own.

    Use it from any thread.
    """

    def __init__(self, process: "_ProxyChild", number: int, listening: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._listening = listening
        self._process = process
        self._number = number
        self._notes: list[Note] = []
        #: A number for each render that it has had.
        self._account = 0
        self._was_used = False
        self._verdicts: dict[str, Refusal | None] = {}

    @property
    def alive(self) -> bool:
        """False once the process behind it is dying; there is no network through it any more.

        Who has seen its death, in a connection that broke off, gets no True afterwards.
        """
        return self._process.alive and not ends(self._process.pid)

    @property
    def notes(self) -> list[Note]:
        """What could not be reached so far, in the order of the attempts."""
        self._process.hear()
        return list(self._notes)

    @property
    def refusals(self) -> list[Refusal]:
        """What was refused so far, in the order of the attempts."""
        return [Refusal(note.host, note.reason) for note in self.notes if note.refused]

    @property
    def was_used(self) -> bool:
        """Whether the browser has connected to it for this render; true before it has an answer."""
        self._process.hear()
        return self._was_used

    def check(self, host: str, host_port: int) -> None:
        """Have the policy's word on a host that nothing may ever be asked of: see `verdicts`."""
        self._process.check_host(self._number, self._account, host, host_port)

    @property
    def verdicts(self) -> dict[str, Refusal | None]:
        """By the hosts that `check` was called with, once their names have been looked up."""
        self._process.hear()
        return dict(self._verdicts)

    def take_verdict(self, account: int, host: str, reason: str | None) -> None:
        if account == self._account:
            self._verdicts[host] = None if reason is None else Refusal(host, reason)

    def take_in(self, account: int, note: Note | None) -> None:
        """What its proxy tells. What it tells of an earlier render is no news."""
        if account != self._account:
            return
        self._was_used = True
        if note is not None:
            self._notes.append(note)

    def renew(self) -> None:
        """For the next render: what the last one has connected is broken off.

        Bounds and notes begin anew. What connects after this belongs to the next one.
        """
        self._account += 1
        self._notes.clear()
        self._verdicts.clear()
        self._was_used = False
        self._process.renew_port(self._number, self._account)

    def close(self) -> None:
        """Break off every connection; the port is gone."""
        self._process.close_port(self._number)
        self._listening.close()


class Egress:
    """The egress proxy, from `start` to `close`."""

    #: A process that is silent for so long hangs, and is killed.
    silence_s = 10 * BEAT_S
    #: The pause before the process is started again: doubled each time, up to `_MAX_PAUSE_S`, and
    #: anew after a life of `_LONG_LIFE_S`.
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
        """`account`: whom the browsers run as (None: this process's user); so does the proxy.

        `max_connections` at the same time and `max_bytes` in all are each render's. `on_death` is
        called, in a thread of the proxy's, when its process and so every port has died, and
        `on_return` when one is up: it has said something.
        """
        self._on_death = on_death
        self._on_return = on_return
        entry = pwd.getpwnam(account) if account is not None else None
        self._uid = entry.pw_uid if entry else os.geteuid()
        rules = Rules(policy, self._uid, max_connections, max_bytes)
        self._first_message = Start(rules, (entry.pw_uid, entry.pw_gid) if entry else None)
        self._process: _ProxyChild | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="egress", daemon=True)

    def start(self) -> None:
        self._process = _ProxyChild(self._first_message, time.monotonic())
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Process id of the proxy."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    @property
    def is_up(self) -> bool:
        """Whether its process lives and has been heard of: it may be one that dies at its start."""
        return self._process is not None and self._process.is_up

    @property
    def down_s(self) -> float:
        """For how many seconds there has been no proxy that is heard of."""
        return math.inf if self._process is None else self._process.down_s

    def open(self) -> Port:
        """A port for one browser context; never blocks. Raises `BrowserUnavailable`."""
        return self._open(self._uid)

    def open_own(self) -> Port:
        """The same for what the farm itself sends; no browser gets an answer there."""
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
            self._thread.join(_STOP_TIMEOUT_S)

    def _keep_up(self) -> None:
        pause_s = 0.0
        process = self._process
        while process is not None:
            self._follow(process)
            process.end()
            if self._stopping.is_set():
                return
            if time.monotonic() - process.started > _LONG_LIFE_S:
                pause_s = 0.0
            pause_s = min(max(2 * pause_s, self.first_pause_s), _MAX_PAUSE_S)
            log.error("egress proxy died, and is started again", again_in_s=pause_s)
            self._on_death()
            if self._stopping.wait(pause_s):
                return
            try:
                process = _ProxyChild(self._first_message, process.down_since)
            except OSError as exc:
                log.error("egress proxy does not start", cause=str(exc))
                continue
            self._process = process
            if self._stopping.is_set():
                process.end()

    def _follow(self, process: "_ProxyChild") -> None:
        """Until it is dead or hangs."""
        was_up = False
        while process.listen(BEAT_S) < self.silence_s:
            if process.is_up and not was_up:
                was_up = True
                self._on_return()


class _ProxyChild:
    """One life of the process."""

    def __init__(self, first_message: Start, down_since: float) -> None:
        """Starts it; raises `OSError`. `down_since`: when the last one that was up went down."""
        self.started = time.monotonic()
        self.alive = True
        self.down_since = down_since
        self._was_heard = False
        self._heard = self.started
        self._ports: dict[int, Port] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "farm.egress", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )
        self._control.setblocking(False)
        # Both ends are this program.
        self._control.send(pickle.dumps(first_message))

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def silence_s(self) -> float:
        """Seconds since it was last heard of."""
        return time.monotonic() - self._heard

    @property
    def is_up(self) -> bool:
        return self.alive and self._was_heard

    @property
    def down_s(self) -> float:
        if not self.is_up:
            return time.monotonic() - self.down_since
        # It says something with every beat, so silence within two is none.
        return max(0.0, self.silence_s - 2 * BEAT_S)

    def open_port(self, uid: int) -> Port:
        """`uid`: the only user who is answered."""
        number = next(self._numbers)
        try:
            listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        except OSError as exc:  # the farm may open no more files, say: its proxy is well
            raise NoPort() from exc
        try:
            message = f"open {number} {uid}".encode()
            socket.send_fds(self._control, [message], [listening.fileno()])
        except OSError as exc:
            listening.close()
            self.end()  # it is dead, or has not listened for long
            raise BrowserUnavailable(NO_PROXY) from exc
        port = self._ports[number] = Port(self, number, listening)
        return port

    def close_port(self, number: int) -> None:
        if self._ports.pop(number, None) is not None and self.alive:
            self._say(f"close {number}")

    def renew_port(self, number: int, account: int) -> None:
        if number in self._ports and self.alive:
            self._say(f"renew {number} {account}")

    def check_host(self, number: int, account: int, host: str, host_port: int) -> None:
        if number in self._ports and self.alive:
            self._say(f"check {number} {account} {host} {host_port}")

    def _say(self, message: str) -> None:
        try:
            self._control.send(message.encode())
        except OSError:
            self.end()

    def hear(self) -> None:
        """Take in what it has said until now. Never waits for it."""
        with self._lock:
            while self.alive:
                try:
                    message = self._control.recv(MAX_MESSAGE_BYTES)
                except BlockingIOError:
                    return
                except OSError:
                    message = b""
                if not message:
                    self._note_end()
                    return
                self._heard = time.monotonic()
                self._was_heard = True
                self._take_in(json.loads(message))

    def listen(self, timeout_s: float) -> float:
        """Wait for something to be said; returns seconds of silence, of the dead without an end."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.poll(timeout_s * 1000)
        self.hear()
        return self.silence_s if self.alive else math.inf

    def end(self) -> None:
        """Kill it. May be called twice, and from any thread."""
        self._note_end()
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_STOP_TIMEOUT_S)

    def _note_end(self) -> None:
        # First, for those who ask meanwhile; of one that was not up it changes nothing.
        self.down_since = time.monotonic() - self.down_s
        self.alive = False

    def _take_in(self, message: dict[str, object]) -> None:
        if (port := self._ports.get(int(str(message.get("port", 0))))) is None:
            return
        account = int(str(message["account"]))
        if "checked" in message:
            reason = message.get("reason")
            port.take_verdict(
                account, str(message["checked"]), None if reason is None else str(reason)
            )
            return
        note = None
        if "host" in message:
            note = Note(bool(message["refused"]), str(message["host"]), str(message["reason"]))
        port.take_in(account, note)
