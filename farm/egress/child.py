"""One run of the egress proxy's process, as the farm sees it, and the ports that it serves.

`Egress` makes a `ProxyChild` for each run. Any thread of the farm calls a `Port`.

This process binds the ports, and the proxy's process serves them. If the proxy's process dies,
nothing answers on its ports, and no other program can bind them: a browser has no network until it
gets a port of the next process. The proxy reports a refusal before it answers the browser, so the
refusal is known here when the browser sees its request fail.
"""

import itertools
import json
import math
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

from farm.egress.process import HEARTBEAT_S, MAX_MESSAGE_BYTES, Start
from farm.egress.proxy import Note
from farm.errors import BrowserUnavailable, NoPort
from farm.policy import Refusal
from farm.processes import is_exiting

NO_PROXY = "The farm's egress proxy is being started again; try again in a moment."
STOP_TIMEOUT_S = 2.0

_BACKLOG = 128
#: The environment variables that the process inherits. Python and the C library's resolver read
#: them.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LOCALDOMAIN", "RES_OPTIONS", "PYTHONPATH", "PYTHONHOME")


class Port:
    """A port of the proxy: for a browser context, one render at a time, or for the farm's own use.

    Thread-safe.
    """

    def __init__(self, process: "ProxyChild", number: int, listening: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._listening = listening
        self._process = process
        self._number = number
        self._notes: list[Note] = []
        #: The number of the render that uses this port; `renew` counts up.
        self._account = 0
        self._was_used = False
        self._verdicts: dict[str, Refusal | None] = {}

    @property
    def alive(self) -> bool:
        """False once the proxy's process is exiting: this port has no network any more.

        Never True again once a caller has seen a connection to the proxy break.
        """
        return self._process.alive and not is_exiting(self._process.pid)

    @property
    def notes(self) -> list[Note]:
        """Hosts that could not be reached so far, in the order of the attempts."""
        self._process.process_messages()
        return list(self._notes)

    @property
    def refusals(self) -> list[Refusal]:
        """What the policy or a bound has refused so far, in the order of the attempts."""
        return [Refusal(note.host, note.reason) for note in self.notes if note.refused]

    @property
    def was_used(self) -> bool:
        """Whether the browser has connected for this render. True before it gets an answer."""
        self._process.process_messages()
        return self._was_used

    def check(self, host: str, host_port: int) -> None:
        """Ask what the policy says of a host, without connecting. `verdicts` has the answer."""
        self._process.check_host(self._number, self._account, host, host_port)

    @property
    def verdicts(self) -> dict[str, Refusal | None]:
        """The answers to `check` so far, by host. A host has one once its name was looked up."""
        self._process.process_messages()
        return dict(self._verdicts)

    def add_verdict(self, account: int, host: str, reason: str | None) -> None:
        if account == self._account:
            self._verdicts[host] = None if reason is None else Refusal(host, reason)

    def add_note(self, account: int, note: Note | None) -> None:
        """Record a message of the proxy. Messages about an earlier render are dropped."""
        if account != self._account:
            return
        self._was_used = True
        if note is not None:
            self._notes.append(note)

    def renew(self) -> None:
        """Prepare for the next render: break off all connections, and start bounds and notes anew.

        Connections that are made after this call belong to the next render.
        """
        self._account += 1
        self._notes.clear()
        self._verdicts.clear()
        self._was_used = False
        self._process.renew_port(self._number, self._account)

    def close(self) -> None:
        """Break off every connection and release the port."""
        self._process.close_port(self._number)
        self._listening.close()


class ProxyChild:
    """One run of the proxy's process."""

    def __init__(self, first_message: Start, down_since: float) -> None:
        """Start it; raises `OSError`. `down_since`: when the last process that was up went down."""
        self.started = time.monotonic()
        self.alive = True
        self.down_since = down_since
        self._has_reported = False
        self._last_message_at = self.started
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
        # The receiver may unpickle this, since both ends are this program.
        self._control.send(pickle.dumps(first_message))

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def silence_s(self) -> float:
        """The seconds since its last message."""
        return time.monotonic() - self._last_message_at

    @property
    def is_up(self) -> bool:
        return self.alive and self._has_reported

    @property
    def down_s(self) -> float:
        if not self.is_up:
            return time.monotonic() - self.down_since
        # Each heartbeat is a message, so a silence of less than two of them means nothing.
        return max(0.0, self.silence_s - 2 * HEARTBEAT_S)

    def open_port(self, uid: int) -> Port:
        """`uid`: the only user whose connections are answered."""
        number = next(self._numbers)
        try:
            listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        except OSError as exc:  # this process has no file descriptor left, say
            raise NoPort() from exc
        try:
            message = f"open {number} {uid}".encode()
            socket.send_fds(self._control, [message], [listening.fileno()])
        except OSError as exc:
            listening.close()
            self.end()  # the process is dead, or has not read its socket for long
            raise BrowserUnavailable(NO_PROXY) from exc
        port = self._ports[number] = Port(self, number, listening)
        return port

    def close_port(self, number: int) -> None:
        if self._ports.pop(number, None) is not None and self.alive:
            self._send(f"close {number}")

    def renew_port(self, number: int, account: int) -> None:
        if number in self._ports and self.alive:
            self._send(f"renew {number} {account}")

    def check_host(self, number: int, account: int, host: str, host_port: int) -> None:
        if number in self._ports and self.alive:
            self._send(f"check {number} {account} {host} {host_port}")

    def _send(self, message: str) -> None:
        try:
            self._control.send(message.encode())
        except OSError:
            self.end()

    def process_messages(self) -> None:
        """Process the messages that have arrived. Never waits."""
        with self._lock:
            while self.alive:
                try:
                    message = self._control.recv(MAX_MESSAGE_BYTES)
                except BlockingIOError:
                    return
                except OSError:
                    message = b""
                if not message:
                    self._mark_dead()
                    return
                self._last_message_at = time.monotonic()
                self._has_reported = True
                self._handle(json.loads(message))

    def wait_for_message(self, timeout_s: float) -> float:
        """Wait for a message. Returns the seconds of silence; infinity if the process is dead."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.poll(timeout_s * 1000)
        self.process_messages()
        return self.silence_s if self.alive else math.inf

    def end(self) -> None:
        """Kill the process. Any thread may call it, more than once."""
        self._mark_dead()
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_TIMEOUT_S)

    def _mark_dead(self) -> None:
        # Set before `alive`, for other threads that read both. If the process was not up, the value
        # stays.
        self.down_since = time.monotonic() - self.down_s
        self.alive = False

    def _handle(self, message: dict[str, object]) -> None:
        if (port := self._ports.get(int(str(message.get("port", 0))))) is None:
            return
        account = int(str(message["account"]))
        if "checked" in message:
            reason = message.get("reason")
            port.add_verdict(
                account, str(message["checked"]), None if reason is None else str(reason)
            )
            return
        note = None
        if "host" in message:
            note = Note(bool(message["refused"]), str(message["host"]), str(message["reason"]))
        port.add_note(account, note)
