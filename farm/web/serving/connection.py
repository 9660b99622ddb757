"""One client's connection: the bytes that have arrived, and the request that they make.

The main loop reads it. While a thread handles its request, the main loop leaves it alone.
"""

import ipaddress
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gunicorn.http import get_parser
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders

from farm.web.serving.budget import BodyBudget, Share
from farm.web.serving.incoming import Chunked, Framing, Incoming, Length
from farm.web.serving.sending import ClientSocket, Senders

if TYPE_CHECKING:
    from farm.errors import FarmError
    from farm.web.serving.clients import Phase

#: The most that a request line and its headers may have together.
MAX_HEAD_BYTES = 1 << 16
#: The most that the kernel buffers beyond what the client's window has room for. Without this bound
#: the kernel takes megabytes, and takes more only after a third of them is sent. Then the worker
#: could not tell how fast a client reads.
_UNSENT_BYTES = 1 << 17


class Connection:
    """Has the attributes that gunicorn's `handle_request` reads: `sock`, `client`, `server`."""

    def __init__(self, sock: socket.socket, client: Any, server: Any, senders: Senders) -> None:
        sock.setblocking(False)
        with suppress(OSError):  # a Unix socket does not have the option
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        self.raw = sock
        self.sock = ClientSocket(sock, senders)
        self.client = client
        self.server = server
        self.address = _network(client)
        #: The bytes that have arrived of the next request's head.
        self.buffer = bytearray()
        self.request: Any = None
        self.body: Incoming | None = None
        #: The phase in which the main loop waits for it. None: a thread has it, or it is closed.
        self.phase: Phase | None = None
        #: The error to send if the request has failed without an answer.
        self.failure: FarmError | None = None
        #: Bytes that were read and discarded after the answer.
        self.dropped = 0

    def fileno(self) -> int:
        return self.raw.fileno()

    @property
    def is_closed(self) -> bool:
        return self.raw.fileno() < 0

    @property
    def is_costly(self) -> bool:
        """Whether reading takes the CPU longer than a copy of the bytes, as a chunked body does."""
        return self.body is not None and self.body.announced is None

    def receive(self, count: int) -> bytes | None:
        """Bytes that have arrived. None if there are none now; empty if the client has closed."""
        try:
            return self.raw.recv(count)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def feed_body(self) -> int | None:
        """Feed bytes that have arrived to the body; returns how many.

        As of `receive`, None means that none have arrived, and 0 that the client has closed. Raises
        `BodyTooLarge` or `InvalidRequest`.
        """
        assert self.body is not None
        data = self.receive(self.body.wanted)
        if data:
            self.body.feed(data)
        return None if data is None else len(data)

    def parse(self, cfg: Any, budget: BodyBudget) -> bool:
        """Parse the head, if it is complete; then sets `request` and `body`. Returns whether it is.

        Raises gunicorn's `ParseException`.
        """
        end = self.buffer.find(b"\r\n\r\n")
        if end >= 0:
            end += 4
        elif self.buffer.count(b"\n") != self.buffer.count(b"\r\n"):
            end = len(self.buffer)  # no end will come: gunicorn refuses a bare LF
        if end > MAX_HEAD_BYTES or (end < 0 and len(self.buffer) > MAX_HEAD_BYTES):
            raise LimitRequestHeaders("max buffer headers")
        if end < 0:
            return False
        head, rest = bytes(self.buffer[:end]), bytes(self.buffer[end:])
        self.buffer = bytearray()
        self.request = next(get_parser(cfg, iter([head]), self.client))
        self.body = Incoming(_framing(self.request), Share(budget))
        self.request.body = self.body
        if rest:
            self.body.feed(rest)
        return True


def _framing(request: Any) -> Framing:
    reader = request.body.reader
    return Chunked() if isinstance(reader, ChunkedReader) else Length(reader.length)


def _network(client: Any) -> str:
    """The address for the limit. Of IPv6, the /64 network: one customer usually has all of it."""
    if not isinstance(client, tuple):
        return ""
    host = str(client[0]).partition("%")[0]
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host)
    return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address) >> 64 << 64))
