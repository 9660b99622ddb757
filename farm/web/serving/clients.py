"""All connections of a worker: what the main loop awaits of each, until when, and who makes way."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ, BaseSelector

import structlog

from farm.errors import FarmError
from farm.web.serving.connection import Connection
from farm.web.serving.refusals import refusal

log = structlog.get_logger()


class Phase:
    """The connections of which the main loop awaits the same, in the order in which they came.

    `read` is called when something arrives, `late` when the time is over. `excuse` is for who makes
    way before that.
    """

    def __init__(
        self,
        seconds: float,
        read: Callable[[Connection], None],
        late: Callable[[Connection], None],
        excuse: FarmError | None = None,
    ) -> None:
        self.seconds = seconds
        self.read = read
        self.late = late
        self.excuse = excuse
        self.since: dict[Connection, float] = {}

    def due(self) -> list[Connection]:
        """Those whose time is over."""
        now = time.monotonic()
        due = []
        for conn, since in self.since.items():
            if since + self.seconds > now:
                break
            due.append(conn)
        return due

    def first(self, address: str | None) -> Connection | None:
        """The one that has waited longest, of an address if one is given."""
        return next((c for c in self.since if address in (None, c.address)), None)

    def spent(self, conn: Connection) -> float:
        """The part of its time that a connection has used up."""
        return (time.monotonic() - self.since[conn]) / self.seconds

    def begin_again(self, seconds: float) -> None:
        """Give everyone so much from now on."""
        self.seconds = seconds
        self.since = dict.fromkeys(self.since, time.monotonic())


class Clients:
    """A connection is in one phase, or a thread has it."""

    def __init__(self, poller: BaseSelector, closed: Callable[[], None]) -> None:
        """`closed` is called after each connection that was."""
        self._poller = poller
        self._closed = closed
        self._phases: list[Phase] = []
        self._by_address: Counter[str] = Counter()

    def phase(
        self,
        seconds: float,
        read: Callable[[Connection], None],
        late: Callable[[Connection], None] | None = None,
        excuse: FarmError | None = None,
    ) -> Phase:
        """A new one; where nothing else is said, those that are late are closed."""
        phase = Phase(seconds, read, late or self.close, excuse)
        self._phases.append(phase)
        return phase

    def add(self, conn: Connection) -> int:
        """How many its address has now."""
        self._by_address[conn.address] += 1
        return self._by_address[conn.address]

    def wait(self, conn: Connection, phase: Phase) -> None:
        """Have `phase.read` called when something arrives."""
        if conn.phase is None:
            self._poller.register(conn, EVENT_READ, partial(self._readable, conn))
        else:
            del conn.phase.since[conn]
        conn.phase = phase
        phase.since[conn] = time.monotonic()

    def take(self, conn: Connection) -> None:
        """Wait for it no longer."""
        if conn.phase is not None:
            self._poller.unregister(conn)
            del conn.phase.since[conn]
            conn.phase = None

    def close(self, conn: Connection) -> None:
        if conn.is_closed:
            return
        self.take(conn)
        if conn.body is not None:
            conn.body.drop()
        self._by_address[conn.address] -= 1
        if not self._by_address[conn.address]:
            del self._by_address[conn.address]
        conn.raw.close()
        self._closed()

    def make_room(self, address: str | None = None) -> bool:
        """Close the connection that has used up most of its time; whether there was one."""
        firsts = [(phase, phase.first(address)) for phase in self._phases]
        waiting = [(phase.spent(conn), conn, phase) for phase, conn in firsts if conn is not None]
        if not waiting:
            return False
        _, conn, phase = max(waiting, key=lambda entry: entry[0])
        if phase.excuse is not None:
            with suppress(OSError):
                conn.sock.try_send(refusal(phase.excuse))
        self.close(conn)
        return True

    def end_late(self) -> None:
        """To be called about every second."""
        for phase in self._phases:
            for conn in phase.due():
                phase.late(conn)

    def close_waiting(self) -> None:
        for phase in self._phases:
            for conn in list(phase.since):
                self.close(conn)

    def _readable(self, conn: Connection, _: object) -> None:
        if conn.phase is not None:  # not closed by what was read before it
            self.attend(conn, conn.phase.read)

    def attend(self, conn: Connection, step: Callable[[Connection], None]) -> None:
        """Take a step for a client; if that fails, no other client is to suffer."""
        try:
            step(conn)
        except Exception:
            log.exception("connection given up")
            self.close(conn)
