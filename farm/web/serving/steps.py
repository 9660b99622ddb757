"""The steps of a connection, from its first head to its end. No step waits for the client.

The worker's main loop runs them. Between two steps, a thread answers a request.
"""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from farm.errors import BodyTimeout, Busy, FarmError, InvalidRequest
from farm.settings import Settings
from farm.web.serving.budget import BodyBudget
from farm.web.serving.clients import Clients
from farm.web.serving.connection import Connection
from farm.web.serving.incoming import no_room
from farm.web.serving.refusals import refusal

log = structlog.get_logger()

#: The time in which a request's line and headers must arrive, from the first byte or the
#: connection.
_HEAD_S = 10.0
#: How long, and how many bytes, the rest of a request is read and discarded after its answer. A
#: socket that is closed with unread bytes resets the connection, and the client may lose the
#: answer.
_LINGER_S = 2.0
_LINGER_BYTES = 64 << 20
#: An unread body up to this size is discarded and the connection is kept. With a larger one the
#: connection is closed.
_KEEP_BYTES = 1 << 16
#: No body counts as slow before this.
_GRACE_S = 2.0
_PIECE_BYTES = 1 << 16
#: Small, since what follows a head may be thousands of tiny chunks.
_HEAD_PIECE_BYTES = 1 << 12

WantsBody = Callable[[str, str, Mapping[str, str], int | None, str], bool]


class Steps:
    """The steps of all connections of a worker.

    Their phases: the main loop waits for a connection's head, its body, its next request, the rest
    of a body that the application does not want, or its end.
    """

    def __init__(
        self,
        clients: Clients,
        settings: Settings,
        cfg: Any,
        wants_body: WantsBody,
        start_answer: Callable[[Connection], None],
    ) -> None:
        """`cfg`: gunicorn's settings. `wants_body` says whether to read a request's body.

        `start_answer` hands a complete request to a thread. Once that has answered, the main loop
        goes on with `keep` or `finish`.
        """
        self._clients = clients
        self._cfg = cfg
        self._wants_body = wants_body
        self._start_answer = start_answer
        self._budget = BodyBudget(settings.body_budget_bytes)
        self._heads = clients.phase(_HEAD_S, self.read_head)
        self._bodies = clients.phase(
            settings.body_deadline_s, self._read_body, self._time_out_body, Busy()
        )
        self._idle = clients.phase(cfg.keepalive, self.read_head)
        self._unread_bodies = clients.phase(_LINGER_S, self._discard_body)
        self._lingering = clients.phase(_LINGER_S, self._discard)

    def restart_idle(self, seconds: float) -> None:
        """Let idle connections wait so many seconds from now on."""
        self._idle.restart(seconds)

    # Heads.

    def read_head(self, conn: Connection) -> None:
        """Read what has arrived of the next request's head."""
        data = conn.receive(_HEAD_PIECE_BYTES)
        if data == b"":
            self._clients.close(conn)
            return
        if data is not None:
            conn.buffer += data
            self._parse(conn)
        elif conn.phase is None:
            self._clients.wait(conn, self._heads)

    def _parse(self, conn: Connection) -> None:
        try:
            whole = conn.parse(self._cfg, self._budget)
        except FarmError as exc:  # the body is too large or malformed
            self._fail_body(conn, exc)
            return
        except Exception as exc:
            # Its message quotes the client's bytes, which may hold keys.
            log.info("request refused", cause=type(exc).__name__)
            self.refuse(
                conn,
                InvalidRequest("The request line or a header is malformed or too long."),
            )
            return
        if whole:
            self._start_request(conn)
        elif conn.phase is not self._heads:
            self._clients.wait(conn, self._heads)

    def _start_request(self, conn: Connection) -> None:
        """Continue with a complete head: read the body, or hand the request to a thread."""
        request, body = conn.request, conn.body
        assert body is not None
        continues, request._expected_100_continue = request._expected_100_continue, False
        if body.whole:
            self._count_body(conn)
        elif self._wants_body(
            request.method, request.path, dict(request.headers), body.announced, request.query
        ):
            if continues and not body.arrived:
                with suppress(OSError):
                    conn.sock.try_send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._clients.wait(conn, self._bodies)
            if conn.is_costly:
                self._count_body(conn)
            else:
                self._read_body(conn)  # more of it has usually arrived already
        else:
            body.drop()
            if continues or body.announced is None or body.announced > _KEEP_BYTES:
                request.force_close()
            self._answer(conn)

    # Bodies.

    def _read_body(self, conn: Connection) -> None:
        assert conn.body is not None
        try:
            count = conn.feed_body()
        except FarmError as exc:
            self._fail_body(conn, exc)
            return
        if count == 0:
            self._fail_body(conn, conn.body.ended_early())
        elif count:
            self._count_body(conn)

    def _count_body(self, conn: Connection) -> None:
        body = conn.body
        assert body is not None
        while not body.count():
            slowest = self._slowest_body() or conn
            self._fail_body(slowest, no_room())
            if slowest is conn:
                return
        if body.whole:
            self._answer(conn)

    def _slowest_body(self) -> Connection | None:
        """The connection whose body arrives most slowly, of those that have sent some of it."""
        old = time.monotonic() - _GRACE_S
        held = [
            (conn.body.arrived / (time.monotonic() - since), id(conn), conn)
            for conn, since in self._bodies.since.items()
            if since < old and conn.body is not None and conn.body.arrived
        ]
        return min(held)[2] if held else None

    def _time_out_body(self, conn: Connection) -> None:
        self._fail_body(conn, BodyTimeout())

    def _fail_body(self, conn: Connection, error: FarmError) -> None:
        """Give up the body. The application answers with the error if it asks for the body."""
        assert conn.body is not None
        conn.body.fail(error)
        conn.request.force_close()
        self._answer(conn)

    def _discard_body(self, conn: Connection) -> None:
        """Discard bytes of a body that the application has not read."""
        assert conn.body is not None
        count = conn.feed_body()
        if count == 0:
            self._clients.close(conn)
        elif conn.body.whole:
            self._next_request(conn)

    # Answers.

    def _answer(self, conn: Connection) -> None:
        self._clients.take(conn)
        conn.sock.begin_answer()
        self._start_answer(conn)

    def keep(self, conn: Connection) -> None:
        """The request is answered: go on to the next one."""
        assert conn.body is not None
        conn.body.drop()
        if conn.body.whole:
            self._next_request(conn)
        else:
            self._clients.wait(conn, self._unread_bodies)

    def finish(self, conn: Connection) -> None:
        """The request is answered, or has failed: end the connection."""
        assert conn.body is not None
        conn.body.drop()
        if conn.failure is not None:
            self.refuse(conn, conn.failure)
        else:
            self._linger(conn)

    def _next_request(self, conn: Connection) -> None:
        """Continue with the connection's next request, which may have arrived already."""
        assert conn.body is not None
        conn.buffer = bytearray(conn.body.rest)
        conn.request = conn.body = None
        if conn.buffer:
            self._clients.take(conn)
            self._parse(conn)
        else:
            self._clients.wait(conn, self._idle)

    def refuse(self, conn: Connection, error: FarmError) -> None:
        """Send the error without the application, and close."""
        with suppress(OSError):
            conn.sock.try_send(refusal(error))
        self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """Close so that the client still receives its answer (RFC 9112, 9.6)."""
        try:
            conn.raw.shutdown(socket.SHUT_WR)
        except OSError:
            self._clients.close(conn)
            return
        self._clients.wait(conn, self._lingering)
        self._discard(conn)

    def _discard(self, conn: Connection) -> None:
        data = conn.receive(_PIECE_BYTES)
        if data is None:
            return
        conn.dropped += len(data)
        if not data or conn.dropped > _LINGER_BYTES:
            self._clients.close(conn)
