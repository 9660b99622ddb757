"""All connections of a worker: what the main loop waits for, for how long, and which make room.

Only the worker's main loop uses it.
"""

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
    """Connections for which the main loop waits in the same way, the one that waits longest first.

    `read` is called when bytes arrive, and `on_timeout` when the time is over. A connection that is
    closed to make room is sent the `eviction_error`.
    """

    def __init__(
        self,
        seconds: float,
        read: Callable[[Connection], None],
        on_timeout: Callable[[Connection], None],
        eviction_error: FarmError | None = None,
    ) -> None:
        self.seconds = seconds
        self.read = read
        self.on_timeout = on_timeout
        self.eviction_error = eviction_error
        self.since: dict[Connection, float] = {}

    def overdue(self) -> list[Connection]:
        """The connections whose time is over."""
        now = time.monotonic()
        overdue = []
        for conn, since in self.since.items():
            if since + self.seconds > now:
                break
            overdue.append(conn)
        return overdue

    def oldest(self, address: str | None) -> Connection | None:
        """The connection that has waited longest, of one address if one is given."""
        return next((c for c in self.since if address in (None, c.address)), None)

    def used_share(self, conn: Connection) -> float:
        """The part of its time that a connection has used up."""
        return (time.monotonic() - self.since[conn]) / self.seconds

    def restart(self, seconds: float) -> None:
        """Let the time of every connection start now, and be so many seconds."""
        self.seconds = seconds
        self.since = dict.fromkeys(self.since, time.monotonic())


class Clients:
    """The connections of a worker. Each is in one phase, or a thread has it."""

    def __init__(self, poller: BaseSelector, closed: Callable[[], None]) -> None:
        """`closed` is called after a connection was closed."""
        self._poller = poller
        self._closed = closed
        self._phases: list[Phase] = []
        self._by_address: Counter[str] = Counter()

    def phase(
        self,
        seconds: float,
        read: Callable[[Connection], None],
        on_timeout: Callable[[Connection], None] | None = None,
        eviction_error: FarmError | None = None,
    ) -> Phase:
        """A new phase. Connections that are late are closed, unless `on_timeout` is given."""
        phase = Phase(seconds, read, on_timeout or self.close, eviction_error)
        self._phases.append(phase)
        return phase

    def add(self, conn: Connection) -> int:
        """Count a new connection; returns how many its address has now."""
        self._by_address[conn.address] += 1
        return self._by_address[conn.address]

    def wait(self, conn: Connection, phase: Phase) -> None:
        """Move the connection to the phase: `phase.read` is called when bytes arrive."""
        if conn.phase is None:
            self._poller.register(conn, EVENT_READ, partial(self._readable, conn))
        else:
            del conn.phase.since[conn]
        conn.phase = phase
        phase.since[conn] = time.monotonic()

    def take(self, conn: Connection) -> None:
        """Stop waiting for the connection."""
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
        """Close the connection that has used up most of its time. False if none is waiting."""
        firsts = [(phase, phase.oldest(address)) for phase in self._phases]
        waiting = [
            (phase.used_share(conn), conn, phase) for phase, conn in firsts if conn is not None
        ]
        if not waiting:
            return False
        _, conn, phase = max(waiting, key=lambda entry: entry[0])
        if phase.eviction_error is not None:
            with suppress(OSError):
                conn.sock.try_send(refusal(phase.eviction_error))
        self.close(conn)
        return True

    def time_out(self) -> None:
        """Handle the connections whose time is over. Call it about every second."""
        for phase in self._phases:
            for conn in phase.overdue():
                phase.on_timeout(conn)

    def close_waiting(self) -> None:
        for phase in self._phases:
            for conn in list(phase.since):
                self.close(conn)

    def _readable(self, conn: Connection, _: object) -> None:
        if conn.phase is not None:  # else an event before this one has closed it
            self.run_step(conn, conn.phase.read)

    def run_step(self, conn: Connection, step: Callable[[Connection], None]) -> None:
        """Run a step for a connection. If it raises, only this connection is closed."""
        try:
            step(conn)
        except Exception:
            log.exception("connection given up")
            self.close(conn)
