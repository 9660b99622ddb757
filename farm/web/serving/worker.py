"""The main loop of a gunicorn worker: it accepts clients, reads from all, and waits for none.

gunicorn runs it in the worker's main thread. It does the `steps` of each connection, and hands
complete requests to gunicorn's thread pool.
"""

import errno
import random
import select
import socket
import time
from concurrent.futures import Future

import structlog
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from farm.errors import Busy, InternalError
from farm.settings import Settings
from farm.web.serving.clients import Clients
from farm.web.serving.connection import Connection
from farm.web.serving.sending import Senders
from farm.web.serving.steps import Steps, WantsBody

log = structlog.get_logger()

#: The time that chunked bodies may take in one round of the main loop.
_COSTLY_S = 0.005
_ACCEPTED_AT_ONCE = 8
_PAUSE_S = 0.02
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, with a main loop that reads whole requests."""

    def prepare(self, settings: Settings, wants_body: WantsBody) -> None:
        """Call it before the first client. `wants_body` says whether to read a request's body."""
        self._senders = Senders(settings.download_deadline_s)
        self._max_per_address = settings.max_connections_per_address
        self._round_s = 0.0
        self._clients = Clients(self.poller, self._count_closed)
        self._steps = Steps(self._clients, settings, self.cfg, wants_body, self.enqueue_req)

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
            self._steps.refuse(
                conn, Busy("Too many connections from one address; try again later.")
            )
            return
        if self.nr_conns >= self.worker_connections:
            self._clients.make_room()
        self._clients.run_step(conn, self._steps.read_head)

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
        self._steps.restart_idle(STOP_KEEPALIVE_LINGER)

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
        self._clients.run_step(conn, self._steps.keep if keep else self._steps.finish)

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
