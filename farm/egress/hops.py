"""The two ends of the proxy: a connection to the browser, and a connection to a site.

`proxy` uses both, in the proxy process's only thread.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import h11

from farm.egress.dial import Stream

#: The most that is read at once, and so is processed in one turn.
_PIECE_BYTES = 16_384
#: Of a browser's request: its URL, its cookies, and the headers that its page has set.
_MAX_REQUEST_HEAD_BYTES = 131_072
#: Browsers send far fewer, unless a page wants to keep the proxy busy.
_MAX_REQUEST_LINES = 2_000
#: Hop-by-hop headers (RFC 9110, 7.6.1), and `Host`, which is set anew.
_HOP_BY_HOP = {
    b"connection",
    b"host",
    b"keep-alive",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
}

#: Waits until the bytes that were just read may be processed.
TakeTurn = Callable[[], Awaitable[None]]
#: Called with a host and the number of bytes sent to it or received from it.
Spend = Callable[[str, int], Awaitable[None]]
_Headers = Iterable[tuple[bytes, bytes]]
_Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class Browser:
    """A browser's connection. Requests are parsed strictly: browsers send no malformed ones."""

    def __init__(self, stream: Stream, take_turn: TakeTurn) -> None:
        self.reader, self.writer = stream
        self._take_turn = take_turn
        self._http = h11.Connection(h11.SERVER, _MAX_REQUEST_HEAD_BYTES)
        #: Lines of the request head that is being read. h11 parses a whole head at once.
        self._head_lines = 0
        #: Whether an answer to the last request has begun.
        self.answering = False

    async def next_request(self) -> h11.Request | None:
        """None if the browser sends no more. Raises `h11.RemoteProtocolError`."""
        event = await self._next_event()
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> AsyncIterator[bytes]:
        """The body of the request that was read last."""
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def send(self, data: bytes) -> None:
        if data:
            self.answering = True
            self.writer.write(data)
            await self.writer.drain()

    def next_cycle(self) -> bool:
        """Get ready for the next request. False if this connection can take no other."""
        if self._http.their_state is not h11.DONE:
            return False
        received, closed = self._http.trailing_data
        self._http = h11.Connection(h11.SERVER, _MAX_REQUEST_HEAD_BYTES)
        if received:
            self._http.receive_data(received)
        if closed:
            self._http.receive_data(b"")
        self.answering = False
        self._head_lines = 0
        return True

    async def open_tunnel(self) -> bytes:
        """Accept the tunnel; returns the bytes that came after the request, which are not HTTP."""
        await self._next_event()  # the end of the request
        await self.send(b"HTTP/1.1 200 OK\r\n\r\n")
        return self._http.trailing_data[0]

    async def refuse_tunnel(self) -> None:
        await self.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    async def _next_event(self) -> _Event:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = await self.reader.read(_PIECE_BYTES)
            await self._take_turn()
            if self._http.their_state is h11.IDLE:
                self._head_lines += data.partition(b"\r\n\r\n")[0].count(b"\n")
                if self._head_lines > _MAX_REQUEST_LINES:
                    raise h11.RemoteProtocolError("too many headers")
            self._http.receive_data(data)


class Site:
    """A connection to a site, on which plain HTTP requests are sent one after the other."""

    def __init__(
        self, stream: Stream, host: str, port: int, spend: Spend, take_turn: TakeTurn
    ) -> None:
        self._reader, self.writer = stream
        self._take_turn = take_turn
        self.host = host
        self.port = port
        self._spend = spend
        #: Whether the site has sent nothing yet.
        self.silent = True

    async def is_open_to(self, host: str, port: int) -> bool:
        """Whether the next request to the host can be sent on this connection."""
        if self.writer.is_closing() or (self.host, self.port) != (host, port):
            return False
        # Bytes that come before the request would be taken for its answer.
        try:
            async with asyncio.timeout(0):
                await self._reader.read(1)
        except TimeoutError:
            return True
        except OSError:
            pass
        return False

    async def send_head(self, request: h11.Request, path: bytes) -> None:
        """Send the request line and the headers, with `Host` set to this site."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        authority = host if self.port == 80 else f"{host}:{self.port}"
        headers = [(b"host", authority.encode()), *_end_to_end(request.headers)]
        lines = [
            b"%b %b HTTP/1.1" % (request.method, path),
            *(b"%b: %b" % pair for pair in headers),
        ]
        await self.send(b"\r\n".join([*lines, b"", b""]))

    async def send(self, data: bytes) -> None:
        await self._spend(self.host, len(data))
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> bytes:
        """Bytes from the site; empty at the end of the connection."""
        data = await self._reader.read(_PIECE_BYTES)
        await self._take_turn()
        self.silent = self.silent and not data
        await self._spend(self.host, len(data))
        return data


def is_chunked(request: h11.Request) -> bool:
    """Whether the body is chunked; a `Content-Length` beside it does not count."""
    return any(name == b"transfer-encoding" for name, _ in request.headers)


def _end_to_end(headers: _Headers) -> list[tuple[bytes, bytes]]:
    """The headers that are forwarded: neither hop-by-hop ones, nor `Host`, which is set anew."""
    named = b",".join(value for name, value in headers if name == b"connection")
    dropped = _HOP_BY_HOP | {name.strip().lower() for name in named.split(b",")}
    return [pair for pair in headers if pair[0] not in dropped]
