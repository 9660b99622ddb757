"""The two ends of the proxy: the browser's connection, and a site's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import h11

from farm.egress.dial import Stream

#: What is read at once, and so is worked on in one turn.
_PIECE_BYTES = 16_384
#: Of a browser's request: its URL, its cookies, and the headers that its page set.
_MAX_REQUEST_HEAD_BYTES = 131_072
#: Far more than browsers send, unless their page wants to keep the proxy busy.
_MAX_REQUEST_LINES = 2_000
#: Of one connection only (RFC 9110, 7.6.1), or set anew.
_NOT_PASSED_ON = {
    b"connection",
    b"host",
    b"keep-alive",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
}

#: Waits until what was read may be worked on.
TakeTurn = Callable[[], Awaitable[None]]
#: Is told how many bytes went to a host or came from it, whatever they are.
Spend = Callable[[str, int], Awaitable[None]]
_Headers = Iterable[tuple[bytes, bytes]]
_Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class Browser:
    """Its requests are read strictly: a browser sends no others."""

    def __init__(self, stream: Stream, take_turn: TakeTurn) -> None:
        self.reader, self.writer = stream
        self._take_turn = take_turn
        self._http = h11.Connection(h11.SERVER, _MAX_REQUEST_HEAD_BYTES)
        #: Of the head that is being read, and that h11 reads all at once.
        self._lines = 0
        #: Whether an answer to the last request has begun.
        self.answering = False

    async def next_request(self) -> h11.Request | None:
        """None if there is no other. Raises `h11.RemoteProtocolError`."""
        event = await self._next_event()
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> AsyncIterator[bytes]:
        """What follows the head of a request, until its end."""
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def send(self, data: bytes) -> None:
        if data:
            self.answering = True
            self.writer.write(data)
            await self.writer.drain()

    def next_cycle(self) -> bool:
        """Get ready for the next request. False if the connection has had its last."""
        if self._http.their_state is not h11.DONE:
            return False
        come, closed = self._http.trailing_data
        self._http = h11.Connection(h11.SERVER, _MAX_REQUEST_HEAD_BYTES)
        if come:
            self._http.receive_data(come)
        if closed:
            self._http.receive_data(b"")
        self.answering = False
        self._lines = 0
        return True

    async def open_tunnel(self) -> bytes:
        """What comes from here on is not HTTP; returns the bytes that came already."""
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
                self._lines += data.partition(b"\r\n\r\n")[0].count(b"\n")
                if self._lines > _MAX_REQUEST_LINES:
                    raise h11.RemoteProtocolError("too many headers")
            self._http.receive_data(data)


class Site:
    """Plain requests are sent on it, one after the other."""

    def __init__(
        self, stream: Stream, host: str, port: int, spend: Spend, take_turn: TakeTurn
    ) -> None:
        self._reader, self.writer = stream
        self._take_turn = take_turn
        self.host = host
        self.port = port
        self._spend = spend
        #: Whether nothing has come from it.
        self.silent = True

    async def is_open_to(self, host: str, port: int) -> bool:
        """Whether the next request to the host can be sent on it."""
        if self.writer.is_closing() or (self.host, self.port) != (host, port):
            return False
        # What comes before it is asked for would be taken for the answer.
        try:
            async with asyncio.timeout(0):
                await self._reader.read(1)
        except TimeoutError:
            return True
        except OSError:
            pass
        return False

    async def send_head(self, request: h11.Request, path: bytes) -> None:
        """The request for the path of this host, and of no other."""
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
        """Empty at the end of the connection."""
        data = await self._reader.read(_PIECE_BYTES)
        await self._take_turn()
        self.silent = self.silent and not data
        await self._spend(self.host, len(data))
        return data


def is_chunked(request: h11.Request) -> bool:
    """Whether its body is of unknown length, and not of the `Content-Length` that it may name."""
    return any(name == b"transfer-encoding" for name, _ in request.headers)


def _end_to_end(headers: _Headers) -> list[tuple[bytes, bytes]]:
    """What is passed on: all but the headers of one connection, and `Host`, which is set anew."""
    named = b",".join(value for name, value in headers if name == b"connection")
    dropped = _NOT_PASSED_ON | {name.strip().lower() for name in named.split(b",")}
    return [pair for pair in headers if pair[0] not in dropped]
