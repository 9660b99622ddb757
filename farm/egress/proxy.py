"""An HTTP proxy for one render: `CONNECT` for TLS and WebSockets, and plain HTTP requests.

`process` makes one for each render and runs all of them in its only thread. Each listens on a port
of its own. So its refusals, and its bounds on connections and bytes, belong to one render. A port
answers one user only: the browser's, or on the farm's own ports the farm's.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from socket import socket

import h11

from farm.egress.answers import Answer, BadAnswer
from farm.egress.bodies import LAST_CHUNK, chunk
from farm.egress.dial import Failed, Resolve, Stream, dial
from farm.egress.hops import Browser, Site, is_chunked
from farm.egress.lingering import Lingering
from farm.egress.peers import peer_uid
from farm.egress.turns import Turns
from farm.policy import Policy, Refused

#: What a tunnel forwards in one turn. It is more than elsewhere, since nothing is parsed.
_TUNNEL_PIECE_BYTES = 65_536
#: Bytes received on one connection before its sender is paused.
_BUFFER_BYTES = 65_536
#: Concurrent dials of one render, so that its hanging look-ups cannot hold up other renders.
_MAX_DIALS = 16

TOO_MUCH = "the page has transferred as many bytes as it may"

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s\[\]:/?#@%]+))(?::([0-9]{1,5}))?", re.ASCII)
_HTTP_URL = re.compile(r"(?i:http)://([^/?#]+)([/?][^#]*)?")


@dataclass(frozen=True)
class Note:
    """A host that could not be reached. `refused`: the policy or a bound forbids it."""

    refused: bool
    host: str
    reason: str


#: Called before the browser gets its answer, so a slow listener delays its own render only. None
#: means that the browser has connected for the first time.
Listener = Callable[[Note | None], Awaitable[None]]


@dataclass(frozen=True)
class Rules:
    """What applies to a render. `uid`: the only user whose connections are answered."""

    policy: Policy
    uid: int
    max_connections: int
    max_bytes: int


class Proxy:
    """The proxy of one render, from `serve` to `close`."""

    def __init__(self, rules: Rules, listener: Listener, turns: Turns, resolve: Resolve) -> None:
        """`turns` and `resolve` are shared by all renders."""
        self._rules = rules
        self._listener = listener
        self._turns = turns
        self._resolve = resolve
        self._bytes_left = rules.max_bytes
        self._dials = asyncio.Semaphore(_MAX_DIALS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._lingering = Lingering()
        self._server: asyncio.Server | None = None
        self._closed = False
        #: Whether the browser has connected.
        self.was_used = False

    async def serve(self, listening: socket) -> None:
        server = await asyncio.start_server(self._accept, sock=listening, limit=_BUFFER_BYTES)
        self._server = server
        if self._closed:
            server.close()

    def close(self) -> None:
        """Stop listening and break off every connection."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        self._lingering.end()
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            allowed = peer_uid(writer.get_extra_info("socket")) == self._rules.uid
            count = len(self._tasks) + len(self._lingering)
            if allowed and not self.was_used:
                self.was_used = True
                await self._listener(None)
            if allowed and count <= self._rules.max_connections and not self._closed:
                await self._answer_requests(Browser((reader, writer), self._take_turn))
        except (OSError, EOFError, h11.ProtocolError):
            pass  # the browser went away, or the client is not a browser
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            self._lingering.close(writer)

    async def _answer_requests(self, browser: Browser) -> None:
        """Answer one request after another."""
        site: Site | None = None
        try:
            while (request := await browser.next_request()) is not None:
                target = request.target.decode("ascii")
                if request.method == b"CONNECT":
                    await self._tunnel(browser, *_authority(target))
                    return
                host, port, path = _absolute(target)
                if site is None or not await site.is_open_to(host, port):
                    if site is not None:
                        self._lingering.close(site.writer)
                    stream = await self._dial(host, port)
                    # Send no answer: Chromium would render even an empty 403 as the site's page.
                    if stream is None:
                        return
                    site = Site(stream, host, port, self._spend, self._take_turn)
                if not await self._forward(browser, site, request, path):
                    return
        finally:
            if site is not None:
                self._lingering.close(site.writer)

    async def _tunnel(self, browser: Browser, host: str, port: int) -> None:
        stream = await self._dial(host, port)
        if stream is None:
            await browser.refuse_tunnel()
            return
        reader, writer = stream
        try:
            received = await browser.open_tunnel()
            await self._spend(host, len(received))
            writer.write(received)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._relay(browser.reader, writer, host))
                both.create_task(self._relay(reader, browser.writer, host))
        except ExceptionGroup as group:
            if group.split((OSError, EOFError))[1] is not None:
                raise
        finally:
            self._lingering.close(writer)

    async def _relay(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, host: str
    ) -> None:
        while data := await source.read(_TUNNEL_PIECE_BYTES):
            await self._take_turn()
            await self._spend(host, len(data))
            sink.write(data)
            await sink.drain()
        # The other direction may still be in use.
        with suppress(OSError):
            sink.write_eof()

    async def _forward(
        self, browser: Browser, site: Site, request: h11.Request, path: bytes
    ) -> bool:
        """Forward a plain request and its answer. False if the connections must be closed."""
        answer = Answer(request.method, site.port)
        sending = asyncio.create_task(self._send_request(browser, site, request, path))
        try:
            # A site may answer before it has received the whole request.
            while not answer.done:
                await browser.send(answer.feed(await site.read()))
            if not sending.done():
                return False
            await sending
        except (BadAnswer, OSError, EOFError, h11.RemoteProtocolError) as exc:
            if not (browser.answering or self._closed):
                await self._listener(Note(False, site.host, _what_broke(site, exc)))
            return False
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError, EOFError, h11.ProtocolError):
                await sending
        return answer.reusable and browser.next_cycle()

    async def _send_request(
        self, browser: Browser, site: Site, request: h11.Request, path: bytes
    ) -> None:
        await site.send_head(request, path)
        in_chunks = is_chunked(request)
        async for data in browser.body():
            await site.send(chunk(data) if in_chunks else data)
        if in_chunks:
            await site.send(LAST_CHUNK)

    async def _dial(self, host: str, port: int) -> Stream | None:
        """Connect to the host. None if that failed, after a note was sent."""
        try:
            async with self._dials:
                return await dial(self._rules.policy, host, port, self._resolve)
        except Refused as exc:
            await self._listener(Note(True, host, str(exc)))
        except Failed as exc:
            await self._listener(Note(False, host, str(exc)))
        return None

    async def _take_turn(self) -> None:
        await self._turns.take(self)

    async def _spend(self, host: str, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            await self._listener(Note(True, host, TOO_MUCH))
            self.close()
            raise EOFError


def _what_broke(site: Site, exc: Exception) -> str:
    if isinstance(exc, BadAnswer):
        return str(exc)
    if site.silent:
        return "its host sent no answer"
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
