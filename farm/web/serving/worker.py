"""The main loop of a gunicorn worker: it reads from all clients, and waits for none."""

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

#: In which a request's line and headers must arrive, from the first byte or the connection on.
_HEAD_S = 10.0
#: In which what a client still sends after its answer is read and dropped: a socket that is closed
#: with bytes unread resets the connection, and the client may never see the answer.
_LEAVE_S = 2.0
_LEAVE_BYTES = 64 << 20
#: An unread body of this size is dropped and the connection kept; else it is closed.
_KEEP_BYTES = 1 << 16
#: No body is called slow before this.
_GRACE_S = 2.0
_PIECE_BYTES = 1 << 16
#: Little, since what comes after a head may be tiny chunks.
_HEAD_PIECE_BYTES = 1 << 12
#: Of each round of the main loop.
_COSTLY_S = 0.005
_ACCEPTED_AT_ONCE = 8
_PAUSE_S = 0.02
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)

WantsBody = Callable[[str, str, Mapping[str, str], int | None, str], bool]


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, with a main loop that reads requests whole.

    It awaits a connection's head, its body, the next request of one that was answered, the rest of
    a body that nobody wants, or its end.
    """

    def prepare(self, settings: Settings, wants_body: WantsBody) -> None:
        """Called before any client is. `wants_body` says of a request whether to read its body."""
        self._wants_body = wants_body
        self._budget = BodyBudget(settings.body_budget_bytes)
        self._senders = Senders(settings.download_deadline_s)
        self._max_per_address = settings.max_connections_per_address
        self._round_s = 0.0
        self._clients = clients = Clients(self.poller, self._count_closed)
        self._heads = clients.phase(_HEAD_S, self._read_head)
        self._bodies = clients.phase(settings.body_deadline_s, self._read_body, self._late, Busy())
        self._idle = clients.phase(self.cfg.keepalive, self._read_head)
        self._rests = clients.phase(_LEAVE_S, self._read_rest)
        self._leaving = clients.phase(_LEAVE_S, self._drop)

    def accept(self, listener: socket.socket) -> None:
        """One connection, so that other workers have theirs; more where rounds take long."""
        for _ in range(_ACCEPTED_AT_ONCE if self._round_s > _COSTLY_S else 1):
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except OSError as exc:
            if exc.errno in _OUT_OF_FILES:
                if not self._clients.make_room():
                    time.sleep(_PAUSE_S)  # else the main loop would ask again and again
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
        self._clients.attend(conn, self._read_head)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """gunicorn's, but for bodies of chunks: thousands of tiny ones take time.

        They come last and have a bounded time together, in a random order, since those that are
        left over come again.
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
        """gunicorn calls it about every second, and by `force` at the end."""
        self._clients.end_late()
        if force:
            self._clients.close_waiting()
        # gunicorn accepts nobody while the places are taken, as when threads had all connections.
        elif self.nr_conns >= self.worker_connections:
            self._clients.make_room()

    def _cap_keepalive(self, deadline: float) -> None:
        """gunicorn's, when the worker stops."""
        self._idle.begin_again(STOP_KEEPALIVE_LINGER)

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
        except FarmError as exc:  # about the body
            self._give_up_body(conn, exc)
            return
        except Exception as exc:
            # Its words have the client's in them, keys perhaps.
            log.info("request refused", cause=type(exc).__name__)
            self._refuse(
                conn,
                InvalidRequest("The request line or a header is malformed or too long."),
            )
            return
        if whole:
            self._begin(conn)
        elif conn.phase is not self._heads:
            self._clients.wait(conn, self._heads)

    def _begin(self, conn: Connection) -> None:
        """Go on with a request whose head is there: to its body, or to a thread."""
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
                self._read_body(conn)  # more of it is there, mostly
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
            self._give_up_body(conn, exc)
            return
        if count == 0:
            self._give_up_body(conn, conn.body.ended_early())
        elif count:
            self._count_body(conn)

    def _count_body(self, conn: Connection) -> None:
        body = conn.body
        assert body is not None
        while not body.count():
            slowest = self._slowest_body() or conn
            self._give_up_body(slowest, no_room())
            if slowest is conn:
                return
        if body.whole:
            self._answer(conn)

    def _slowest_body(self) -> Connection | None:
        """The connection whose body arrives most slowly, of those that hold bytes."""
        old = time.monotonic() - _GRACE_S
        held = [
            (conn.body.arrived / (time.monotonic() - since), id(conn), conn)
            for conn, since in self._bodies.since.items()
            if since < old and conn.body is not None and conn.body.arrived
        ]
        return min(held)[2] if held else None

    def _late(self, conn: Connection) -> None:
        self._give_up_body(conn, BodyTimeout())

    def _give_up_body(self, conn: Connection, error: FarmError) -> None:
        """Have the application answer with the error, if it asks for the body at all."""
        assert conn.body is not None
        conn.body.fail(error)
        conn.request.force_close()
        self._answer(conn)

    def _read_rest(self, conn: Connection) -> None:
        """Of a body that the application has not read."""
        assert conn.body is not None
        count = conn.feed_body()
        if count == 0:
            self._clients.close(conn)
        elif conn.body.whole:
            self._next(conn)

    # Answers.

    def _answer(self, conn: Connection) -> None:
        self._clients.take(conn)
        conn.sock.begin_answer()
        self.enqueue_req(conn)

    def handle(self, conn: Connection) -> bool:
        """In a thread: whether the connection may be kept."""
        try:
            return bool(self.handle_request(conn.request, conn))
        except StopIteration:  # an answer that broke off; gunicorn has logged why
            pass
        except OSError as exc:
            if exc.errno not in _GONE:
                log.exception("answer not sent")
        except Exception:
            log.exception("request failed")
            conn.failure = InternalError()
        finally:
            if conn.sock.is_found:
                self.nr -= 1  # a thousand a second would have the worker replaced all the time
        return False

    def finish_request(self, conn: Connection, future: "Future[bool]") -> None:
        """In the main loop again, when a thread has done its part."""
        keep = not future.cancelled() and future.exception() is None and future.result()
        self._clients.attend(conn, self._go_on if keep else self._end)

    def _go_on(self, conn: Connection) -> None:
        assert conn.body is not None
        conn.body.drop()
        if conn.body.whole:
            self._next(conn)
        else:
            self._clients.wait(conn, self._rests)

    def _end(self, conn: Connection) -> None:
        assert conn.body is not None
        conn.body.drop()
        if conn.failure is not None:
            self._refuse(conn, conn.failure)
        else:
            self._leave(conn)

    def _next(self, conn: Connection) -> None:
        """The next request of the connection, which may be there already."""
        assert conn.body is not None
        conn.buffer = bytearray(conn.body.rest)
        conn.request = conn.body = None
        if conn.buffer:
            self._clients.take(conn)
            self._parse(conn)
        else:
            self._clients.wait(conn, self._idle)

    def _refuse(self, conn: Connection, error: FarmError) -> None:
        """Answer without the application, and close."""
        with suppress(OSError):
            conn.sock.try_send(refusal(error))
        self._leave(conn)

    def _leave(self, conn: Connection) -> None:
        """Close in such a way that the client sees its answer (RFC 9112, 9.6)."""
        try:
            conn.raw.shutdown(socket.SHUT_WR)
        except OSError:
            self._clients.close(conn)
            return
        self._clients.wait(conn, self._leaving)
        self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        data = conn.receive(_PIECE_BYTES)
        if data is None:
            return
        conn.dropped += len(data)
        if not data or conn.dropped > _LEAVE_BYTES:
            self._clients.close(conn)

    # Stopping.

    def set_accept_enabled(self, enabled: bool) -> None:
        """Once told to stop, answer who has connected already, and have others refused at once.

        gunicorn's own leaves its listening sockets open until its last request has ended;
        connections made meanwhile are reset then. At a reload others listen on the same sockets.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for listener in self.sockets:
            while select.select([listener], [], [], 0)[0]:
                self.accept(listener)
            listener.close()
