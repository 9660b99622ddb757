"""The main loop of a gunicorn worker: it reads from all clients, and waits for none.

gunicorn runs it in the worker's main thread. It hands complete requests to gunicorn's thread pool.
"""

import errno
import random
import select
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress

import structlog
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from farm.errors import BodyTimeout, Busy, FarmError, InternalError, InvalidRequest
from farm.settings import Settings
from farm.web.serving.budget import BodyBudget
from farm.web.serving.clients import Clients
from farm.web.serving.connection import Connection
from farm.web.serving.incoming import no_room
from farm.web.serving.refusals import refusal
from farm.web.serving.sending import Senders

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
#: The time that chunked bodies may take in one round of the main loop.
_COSTLY_S = 0.005
_ACCEPTED_AT_ONCE = 8
_PAUSE_S = 0.02
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)

WantsBody = Callable[[str, str, Mapping[str, str], int | None, str], bool]


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, with a main loop that reads whole requests.

    Its phases: it waits for a connection's head, its body, its next request, the rest of a body
    that the application does not want, or its end.
    """

    def prepare(self, settings: Settings, wants_body: WantsBody) -> None:
        """Call it before the first client. `wants_body` says whether to read a request's body."""
        self._wants_body = wants_body
        self._budget = BodyBudget(settings.body_budget_bytes)
        self._senders = Senders(settings.download_deadline_s)
        self._max_per_address = settings.max_connections_per_address
        self._round_s = 0.0
        self._clients = clients = Clients(self.poller, self._count_closed)
        self._heads = clients.phase(_HEAD_S, self._read_head)
        self._bodies = clients.phase(
            settings.body_deadline_s, self._read_body, self._time_out_body, Busy()
        )
        self._idle = clients.phase(self.cfg.keepalive, self._read_head)
        self._unread_bodies = clients.phase(_LINGER_S, self._discard_body)
        self._lingering = clients.phase(_LINGER_S, self._discard)

    def accept(self, listener: socket.socket) -> None:
        """Accept one connection, so that other workers get theirs; more if the rounds take long."""
        for _ in range(_ACCEPTED_AT_ONCE if self._round_s > _COSTLY_S else 1):
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except OSError as exc:
            if exc.errno in _OUT_OF_FILES:
                if not self._clients.make_room():
                    time.sleep(_PAUSE_S)  # else the main loop would spin
            elif exc.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        conn = Connection(sock, client, listener.getsockname(), self._senders)
        self.nr_conns += 1
        too_many = self._clients.add(conn) > self._max_per_address
        if too_many and not self._clients.make_room(conn.address):
            self._refuse(conn, Busy("Too many connections from one address; try again later."))
            return
        if self.nr_conns >= self.worker_connections:
            self._clients.make_room()
        self._clients.run_step(conn, self._read_head)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """As gunicorn's, but chunked bodies come last, since thousands of tiny chunks take time.

        They share a bounded time, in a random order, since those that are left over are ready again
        in the next round.
        """
        costly = []
        events = self.poller.select(timeout)
        began = time.monotonic()
        for key, _ in events:
            if isinstance(key.fileobj, Connection) and key.fileobj.is_costly:
                costly.append(key)
            else:
                key.data(key.fileobj)
        random.shuffle(costly)
        end = time.monotonic() + _COSTLY_S
        for key in costly:
            key.data(key.fileobj)
            if time.monotonic() > end:
                break
        self._round_s = time.monotonic() - began

    def _count_closed(self) -> None:
        self.nr_conns -= 1

    def murder_keepalived(self, force: bool = False) -> None:
        """Close late connections. gunicorn calls it every second, and by `force` at the end."""
        self._clients.time_out()
        if force:
            self._clients.close_waiting()
        # At its limit gunicorn accepts no connection, so `_accept` cannot make room then.
        elif self.nr_conns >= self.worker_connections:
            self._clients.make_room()

    def _cap_keepalive(self, deadline: float) -> None:
        """gunicorn calls it when the worker stops."""
        self._idle.restart(STOP_KEEPALIVE_LINGER)

    # Heads.

    def _read_head(self, conn: Connection) -> None:
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
            whole = conn.parse(self.cfg, self._budget)
        except FarmError as exc:  # the body is too large or malformed
            self._fail_body(conn, exc)
            return
        except Exception as exc:
            # Its message quotes the client's bytes, which may hold keys.
            log.info("request refused", cause=type(exc).__name__)
            self._refuse(
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
        self.enqueue_req(conn)

    def handle(self, conn: Connection) -> bool:
        """Answer the request, in a thread; returns whether the connection may be kept."""
        try:
            return bool(self.handle_request(conn.request, conn))
        except StopIteration:  # the answer broke off; gunicorn has logged why
            pass
        except OSError as exc:
            if exc.errno not in _GONE:
                log.exception("answer not sent")
        except Exception:
            log.exception("request failed")
            conn.failure = InternalError()
        finally:
            if conn.sock.is_cache_hit:
                # Else a thousand hits a second would have the worker replaced all the time.
                self.nr -= 1
        return False

    def finish_request(self, conn: Connection, future: "Future[bool]") -> None:
        """Continue in the main loop after a thread has answered."""
        keep = not future.cancelled() and future.exception() is None and future.result()
        self._clients.run_step(conn, self._keep if keep else self._finish)

    def _keep(self, conn: Connection) -> None:
        assert conn.body is not None
        conn.body.drop()
        if conn.body.whole:
            self._next_request(conn)
        else:
            self._clients.wait(conn, self._unread_bodies)

    def _finish(self, conn: Connection) -> None:
        assert conn.body is not None
        conn.body.drop()
        if conn.failure is not None:
            self._refuse(conn, conn.failure)
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

    def _refuse(self, conn: Connection, error: FarmError) -> None:
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

    # Stopping.

    def set_accept_enabled(self, enabled: bool) -> None:
        """When stopping, accept all connections that are made already, and refuse new ones at once.

        gunicorn's own worker keeps its listening sockets open until its last request has ended, and
        connections made meanwhile are reset then. At a reload, other workers listen on the same
        sockets.
        """
        super().set_accept_enabled(enabled)
        # A worker that is told to stop before it serves still enables its sockets first.
        if enabled or self.alive:
            return
        for listener in self.sockets:
            if listener.fileno() < 0:  # it was full as well, and has come here already
                continue
            arriving = select.poll()
            arriving.register(listener, select.POLLIN)
            while arriving.poll(0):
                self.accept(listener)
            listener.close()
