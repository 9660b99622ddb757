"""One client's connection: what has arrived, and the request that it makes."""

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

#: What a request line and its headers may have together.
MAX_HEAD_BYTES = 1 << 16
#: Bytes that a socket takes beyond what the client has room for. Without this bound it takes
#: megabytes, and more only once a third of them is sent: nobody could tell how fast a client reads.
_UNSENT_BYTES = 1 << 17


class Connection:
    """Has the attributes that gunicorn's `handle_request` reads: `sock`, `client`, `server`."""

    def __init__(self, sock: socket.socket, client: Any, server: Any, senders: Senders) -> None:
        sock.setblocking(False)
        with suppress(OSError):  # a Unix socket has no such thing
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        self.raw = sock
        self.sock = ClientSocket(sock, senders)
        self.client = client
        self.server = server
        self.address = _network(client)
        #: What has arrived of the next request's head.
        self.buffer = bytearray()
        self.request: Any = None
        self.body: Incoming | None = None
        #: What the main loop waits for; None: the connection is a thread's, or closed.
        self.phase: Phase | None = None
        #: What to tell the client in place of an answer.
        self.failure: FarmError | None = None
        #: Bytes that were read and dropped after the answer.
        self.dropped = 0

    def fileno(self) -> int:
        return self.raw.fileno()

    @property
    def is_closed(self) -> bool:
        return self.raw.fileno() < 0

    @property
    def is_costly(self) -> bool:
        """Whether reading takes more than copying what has arrived."""
        return self.body is not None and self.body.announced is None

    def receive(self, count: int) -> bytes | None:
        """What has arrived; None: nothing for now; empty: the client has ended, or is gone."""
        try:
            return self.raw.recv(count)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def feed_body(self) -> int | None:
        """Give the body what has arrived: how many bytes; None and 0 as of `receive`.

        Raises `BodyTooLarge` or `InvalidRequest`.
        """
        assert self.body is not None
        data = self.receive(self.body.wanted)
        if data:
            self.body.feed(data)
        return None if data is None else len(data)

    def parse(self, cfg: Any, budget: BodyBudget) -> bool:
        """Whether a head is there whole; then `request` and `body` are the next request's.

        Raises gunicorn's `ParseException`.
        """
        end = self.buffer.find(b"\r\n\r\n")
        if end >= 0:
            end += 4
        elif self.buffer.count(b"\n") != self.buffer.count(b"\r\n"):
            end = len(self.buffer)  # it never comes: gunicorn refuses a bare LF
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
    """What counts as one address: of IPv6 the network of 64 bits, which one customer has whole."""
    if not isinstance(client, tuple):
        return ""
    host = str(client[0]).partition("%")[0]
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host)
    return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address) >> 64 << 64))
