"""An HTTP proxy for one browser context: `CONNECT` for TLS and WebSockets, and plain HTTP.

It listens on a port of its own for each context, so that what it refuses, and the bounds on
connections and bytes, belong to one render. Nobody but the browser's user gets an answer.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from socket import socket

import h11

from farm.egress.dial import Failed, Stream, dial
from farm.egress.peers import peer_uid
from farm.egress.policy import Policy, Refused

_PIECE_BYTES = 65_536
#: As much as Chromium itself reads of an answer's headers.
_MAX_HEAD_BYTES = 262_144
#: Of one render, at the same time: so its names, if they hang, do not hold up others'.
_MAX_DIALS = 16

TOO_MUCH = "the page has had all the bytes it may have"

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s\[\]:/?#@%]+))(?::([0-9]{1,5}))?", re.ASCII)
_HTTP_URL = re.compile(r"(?i:http)://([^/?#]+)([/?][^#]*)?")
#: Of one connection only (RFC 9110, 7.6.1), and so not passed on.
_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
}

Headers = list[tuple[bytes, bytes]]
_Next = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


@dataclass(frozen=True)
class Note:
    """What could not be reached; `refused`: because of the policy or a bound."""

    refused: bool
    host: str
    reason: str


#: Called before the browser gets its answer; slow listeners hold up their own render only.
Listener = Callable[[Note], Awaitable[None]]


@dataclass(frozen=True)
class Rules:
    """`uid`: the only user who is answered."""

    policy: Policy
    uid: int
    max_connections: int
    max_bytes: int


class Proxy:
    """The proxy of one context, from `serve` to `close`."""

    def __init__(self, rules: Rules, listener: Listener) -> None:
        self._rules = rules
        self._listener = listener
        self._bytes_left = rules.max_bytes
        self._dials = asyncio.Semaphore(_MAX_DIALS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closed = False

    async def serve(self, listening: socket) -> None:
        server = await asyncio.start_server(self._accept, sock=listening, limit=_MAX_HEAD_BYTES)
        self._server = server
        if self._closed:
            server.close()

    def close(self) -> None:
        """Stop listening and break off every connection."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            allowed = peer_uid(writer.get_extra_info("socket")) == self._rules.uid
            if allowed and len(self._tasks) <= self._rules.max_connections and not self._closed:
                await self._talk(_Browser(reader, writer))
        except (OSError, EOFError, h11.ProtocolError):
            pass  # the browser went away, or is none
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, browser: "_Browser") -> None:
        """Answer one request after another."""
        site: _Site | None = None
        try:
            while (request := await browser.next_request()) is not None:
                target = request.target.decode("ascii")
                if request.method == b"CONNECT":
                    await self._tunnel(browser, *_authority(target))
                    return
                host, port, path = _absolute(target)
                if site is None or not site.is_open_to(host, port):
                    if site is not None:
                        site.close()
                    stream = await self._dial(host, port)
                    # No answer at all: Chromium would take even an empty 403 for the site's page.
                    if stream is None:
                        return
                    site = _Site(stream, host, port)
                if not await self._forward(browser, site, request, path):
                    return
        finally:
            if site is not None:
                site.close()

    async def _tunnel(self, browser: "_Browser", host: str, port: int) -> None:
        stream = await self._dial(host, port)
        if stream is None:
            await browser.refuse_tunnel()
            return
        reader, writer = stream
        try:
            writer.write(await browser.open_tunnel())
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(browser.reader, writer, host))
                both.create_task(self._pass_on(reader, browser.writer, host))
        except ExceptionGroup as group:
            if group.split((OSError, EOFError))[1] is not None:
                raise
        finally:
            writer.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, host: str
    ) -> None:
        while data := await source.read(_PIECE_BYTES):
            await self._spend(host, len(data))
            sink.write(data)
            await sink.drain()
        # The other way may have more to come.
        with suppress(OSError):
            sink.write_eof()

    async def _forward(
        self, browser: "_Browser", site: "_Site", request: h11.Request, path: bytes
    ) -> bool:
        """A plain HTTP request and its answer. False when the connection has had its last."""
        sending = asyncio.create_task(self._send_request(browser, site, request, path))
        try:
            # An answer may come before the request has been sent to its end.
            await self._send_answer(browser, site)
            if not sending.done():
                return False
            await sending
        except (OSError, EOFError, h11.RemoteProtocolError) as exc:
            if not browser.answering:
                await self._listener(Note(False, site.host, _what_broke(site, exc)))
            return False
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError, EOFError, h11.ProtocolError):
                await sending
        if not site.next_cycle():
            site.close()
        return browser.next_cycle()

    async def _send_request(
        self, browser: "_Browser", site: "_Site", request: h11.Request, path: bytes
    ) -> None:
        headers = [(b"host", site.authority), *_end_to_end(request.headers)]
        await site.send(h11.Request(method=request.method, target=path, headers=headers))
        while not isinstance(event := await browser.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                await self._spend(site.host, len(event.data))
                await site.send(event)
        await site.send(h11.EndOfMessage())

    async def _send_answer(self, browser: "_Browser", site: "_Site") -> None:
        while True:
            event = await site.next_event()
            match event:
                case h11.InformationalResponse():
                    continue
                case h11.Response():
                    headers = _end_to_end(event.headers)
                    await browser.send(h11.Response(status_code=event.status_code, headers=headers))
                case h11.Data():
                    await self._spend(site.host, len(event.data))
                    await browser.send(event)
                case h11.EndOfMessage():
                    await browser.send(h11.EndOfMessage())
                    return
                case _:
                    raise EOFError

    async def _dial(self, host: str, port: int) -> Stream | None:
        """A connection; None where there is none, after that was noted."""
        try:
            async with self._dials:
                return await dial(self._rules.policy, host, port)
        except Refused as exc:
            await self._listener(Note(True, host, str(exc)))
        except Failed as exc:
            await self._listener(Note(False, host, str(exc)))
        return None

    async def _spend(self, host: str, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            await self._listener(Note(True, host, TOO_MUCH))
            self.close()
            raise EOFError


class _Hop:
    """One end of a connection that speaks HTTP."""

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER], stream: Stream) -> None:
        self.reader, self.writer = stream
        self._http = h11.Connection(role, _MAX_HEAD_BYTES)
        #: Whether nothing has come from the other end.
        self.silent = True

    async def next_event(self) -> _Next:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = await self.reader.read(_PIECE_BYTES)
            self.silent = self.silent and not data
            self._http.receive_data(data)

    async def send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self.writer.write(data)
            await self.writer.drain()

    def next_cycle(self) -> bool:
        """Get ready for the next request. False if the connection has had its last."""
        try:
            self._http.start_next_cycle()
        except h11.ProtocolError:
            return False
        return True

    def close(self) -> None:
        self.writer.close()


class _Browser(_Hop):
    def __init__(self, *stream: *Stream) -> None:
        super().__init__(h11.SERVER, stream)

    @property
    def answering(self) -> bool:
        """Whether an answer has begun."""
        return self._http.our_state is not h11.SEND_RESPONSE

    async def next_request(self) -> h11.Request | None:
        event = await self.next_event()
        return event if isinstance(event, h11.Request) else None

    async def open_tunnel(self) -> bytes:
        """What comes from here on is not HTTP; returns the bytes that came already."""
        await self.next_event()  # the end of the request
        await self.send(h11.Response(status_code=200, headers=[]))
        return self._http.trailing_data[0]

    async def refuse_tunnel(self) -> None:
        await self.send(h11.Response(status_code=502, headers=[(b"content-length", b"0")]))
        await self.send(h11.EndOfMessage())


class _Site(_Hop):
    """Plain requests are sent on it, one after the other."""

    def __init__(self, stream: Stream, host: str, port: int) -> None:
        super().__init__(h11.CLIENT, stream)
        self.host = host
        self._port = port

    @property
    def authority(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self._port == 80 else f"{host}:{self._port}").encode()

    def is_open_to(self, host: str, port: int) -> bool:
        open_ = not (self.reader.at_eof() or self.writer.is_closing())
        return open_ and (self.host, self._port) == (host, port)


def _what_broke(site: _Site, exc: Exception) -> str:
    if site.silent:
        return "its host sent no answer"
    if isinstance(exc, h11.RemoteProtocolError):
        return "its answer is not HTTP"
    return "its host broke the connection off"


def _authority(text: str) -> tuple[str, int]:
    """Host and port of `host:port`. Raises `h11.RemoteProtocolError`."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or (port := int(match[3] or 80)) > 65_535:
        raise h11.RemoteProtocolError("not a host and a port")
    return match[1] or match[2], port


def _absolute(target: str) -> tuple[str, int, bytes]:
    """Host, port and path of an absolute `http` URL. Raises `h11.RemoteProtocolError`."""
    match = _HTTP_URL.fullmatch(target)
    if match is None:
        raise h11.RemoteProtocolError("not an absolute http URL")
    host, port = _authority(match[1])
    path = match[2] or "/"
    return host, port, (path if path[0] == "/" else f"/{path}").encode()


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What is passed on: all but the headers of one connection, and `Host`, which is set anew."""
    named = b",".join(value for name, value in headers if name == b"connection")
    dropped = _HOP_BY_HOP | {name.strip().lower() for name in named.split(b",")} | {b"host"}
    return [(name, value) for name, value in headers if name not in dropped]
