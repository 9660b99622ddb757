"""The site of the field cases: pages by name, and answers that are late, cut short or never come.

It listens on the same port of three loopback addresses, which are three sites to a browser. In what
it serves, `$site`, `$other` and `$third` stand for their origins, and `$dead` for one where nothing
listens. Every answer may be read by every origin.
"""

import asyncio
import base64
import errno
import hashlib
import io
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from PIL import Image

from tests.support.loops import loop_in_thread

_HOSTS = {"$site": "127.0.0.1", "$other": "127.0.0.2", "$third": "127.0.0.3"}
#: A font whose only glyph, the X, fills its em box.
_FONT = Path(__file__).with_name("block.ttf").read_bytes()
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_CORS = (
    "Access-Control-Allow-Origin: *",
    "Access-Control-Allow-Headers: *",
    "Access-Control-Allow-Private-Network: true",
)
_TEXT = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript",
    "css": "text/css",
    "json": "application/json",
}
#: How deep the graph of `/module` goes.
_MODULES = 4
_PORT_TRIES = 50


@dataclass(frozen=True)
class Page:
    """An answer of the site, by name at `/page/NAME`.

    `raw` is sent as it is, head and all, and then the connection ends.
    """

    html: str = ""
    status: str = "200 OK"
    headers: tuple[str, ...] = ()
    raw: bytes = b""


class Site:
    """The site while it is up."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages
        self._origins: dict[str, str] = {}

    def fill_in(self, text: str) -> str:
        """Put the origins in the places of `$site` and its like."""
        for name, origin in self._origins.items():
            text = text.replace(name, origin)
        return text

    def listen(self) -> list[socket.socket]:
        """Sockets on one port of all hosts, and one that nothing will ever listen on."""
        dead, listening = socket.socket(), []
        dead.bind(("127.0.0.1", 0))
        for _ in range(_PORT_TRIES):
            listening = [socket.socket() for _ in _HOSTS]
            port = 0
            try:
                for each, host in zip(listening, _HOSTS.values(), strict=True):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    each.bind((host, port))
                    port = each.getsockname()[1]
                break
            except OSError as exc:
                for each in listening:
                    each.close()
                if exc.errno != errno.EADDRINUSE:
                    raise
        self._origins = {name: f"http://{host}:{port}" for name, host in _HOSTS.items()}
        self._origins["$dead"] = f"http://127.0.0.1:{dead.getsockname()[1]}"
        return [*listening, dead]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after another."""
        with suppress(OSError, EOFError):
            while await _Exchange(self, reader, writer).answer():
                await writer.drain()
        with suppress(OSError):
            writer.close()

    def page(self, name: str) -> Page | None:
        return self._pages.get(name)


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._site = site
        self._reader = reader
        self._writer = writer
        self._query: dict[str, str] = {}
        self._headers: dict[str, str] = {}

    async def answer(self) -> bool:
        """False when the connection has had its last."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.strip().split("\r\n")
        self._headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        await self._reader.readexactly(int(self._headers.get("content-length", 0)))
        method, target, _ = line.split()
        url = urlsplit(target)
        self._query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if method == "OPTIONS":
            return self._send(b"", status="204 No Content")
        await asyncio.sleep(float(self._query.get("s", 0)))
        _, name, *rest = unquote(url.path).split("/", 2)
        if name == "page":
            return self._page(rest[0])
        route = _ROUTES.get(name)
        return await route(self) if route else self._text("html", "", status="404 Not Found")

    def _send(self, body: bytes, *headers: str, status: str = "200 OK") -> bool:
        length = () if status.startswith("204") else (f"Content-Length: {len(body)}",)
        head = "".join(f"{line}\r\n" for line in (*headers, *_CORS, *length))
        self._writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
        return True

    def _text(self, kind: str, text: str, *headers: str, status: str = "200 OK") -> bool:
        body = self._site.fill_in(text).encode()
        if not any(header.lower().startswith("content-type:") for header in headers):
            headers = (f"Content-Type: {_TEXT[kind]}", *headers)
        return self._send(body, *map(self._site.fill_in, headers), status=status)

    def _page(self, name: str) -> bool:
        page = self._site.page(name)
        if page is None:
            return self._text("html", "", status="404 Not Found")
        if page.raw:
            self._writer.write(page.raw)
            return False
        return self._text("html", page.html, *page.headers, status=page.status)

    async def _begin(self, media_type: str, body: bytes = b"") -> None:
        """Begin an answer without a length."""
        head = "".join(f"{line}\r\n" for line in (f"Content-Type: {media_type}", *_CORS))
        self._writer.write(f"HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n".encode() + body)
        await self._writer.drain()

    async def _until_gone(self) -> bool:
        await self._reader.read()
        return False

    async def _repeat(self, piece: bytes, interval_s: float) -> bool:
        while not self._reader.at_eof():
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(interval_s)
        return False

    async def doc(self) -> bool:
        """`?html=…`: a document."""
        return self._text("html", self._query["html"])

    async def image(self) -> bool:
        """`?colour=…`: a flat image, 8 × 8."""
        return self._send(_png(self._query["colour"]), "Content-Type: image/png")

    async def json(self) -> bool:
        return self._text("json", '{"v": 42}')

    async def script(self) -> bool:
        """`?do=…`: a script that does it."""
        return self._text("js", self._query["do"])

    async def style(self) -> bool:
        """`?css=…`: a stylesheet."""
        return self._text("css", self._query["css"])

    async def worker(self) -> bool:
        """A service worker that answers navigations with a page of its own."""
        page = "new Response('<body bgcolor=lime>', { headers: { 'Content-Type': 'text/html' } })"
        code = f"onfetch = (e) => {{ if (e.request.mode === 'navigate') e.respondWith({page}) }}"
        return self._text("js", code)

    async def module(self) -> bool:
        """A graph of modules, `/module?n=0` its root; the last exports 42."""
        n = int(self._query["n"])
        if n == _MODULES:
            return self._text("js", "export default 42")
        more = f"import value from '$site/module?s=0.1&n={n + 1}'; export default value"
        return self._text("js", more)

    async def font(self) -> bool:
        return self._send(_FONT, "Content-Type: font/ttf")

    async def hold(self) -> bool:
        """Never answer."""
        return await self._until_gone()

    async def half_image(self) -> bool:
        await self._begin("image/png", _png("gold")[:40])
        return await self._until_gone()

    async def half_doc(self) -> bool:
        """`?html=…`: the beginning of a document, whose rest never comes."""
        await self._begin("text/html", self._site.fill_in(self._query["html"]).encode())
        return await self._until_gone()

    async def half_json(self) -> bool:
        await self._begin("application/json", b'{"v": ')
        return await self._until_gone()

    async def late_body(self) -> bool:
        """A head at once, and its body 0.4 s later."""
        body = b'{"v": 42}'
        head = "".join(f"{line}\r\n" for line in (*_CORS, f"Content-Length: {len(body)}"))
        self._writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        await self._writer.drain()
        await asyncio.sleep(0.4)
        self._writer.write(body)
        return True

    async def endless_doc(self) -> bool:
        await self._begin("text/html", b"<!doctype html><body style='margin:0;background:lime'>")
        return await self._repeat(b"<!-- more -->", 0.1)

    async def events(self) -> bool:
        await self._begin("text/event-stream")
        return await self._repeat(b"data: tick\n\n", 0.2)

    async def audio(self) -> bool:
        """A WAV file of silence that never ends: 8 kHz, 8 bits, mono."""
        format_ = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
        head = b"RIFF\xff\xff\xff\x7fWAVEfmt " + format_ + b"data\xff\xff\xff\x7e"
        await self._begin("audio/wav", head + b"\x80" * 16_000)
        return await self._repeat(b"\x80" * 1_600, 0.1)

    async def websocket(self) -> bool:
        """Say something every 0.2 s."""
        key = self._headers["sec-websocket-key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self._writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        self._writer.write(
            f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        return await self._repeat(b"\x81\x04tick", 0.2)

    async def nothing(self) -> bool:
        return self._send(b"", status="204 No Content")

    async def download(self) -> bool:
        return self._send(b"\0" * 1000, "Content-Type: application/octet-stream")

    async def redirect(self) -> bool:
        """`?to=…`, a URL."""
        return self._send(b"", f"Location: {self._query['to']}", status="302 Found")

    async def around(self) -> bool:
        """A redirect to itself."""
        return self._send(b"", "Location: /around", status="302 Found")

    async def hang_up(self) -> bool:
        return False


_ROUTES: dict[str, Callable[[_Exchange], Awaitable[bool]]] = {
    name: handler
    for name, handler in vars(_Exchange).items()
    if not name.startswith("_") and name != "answer"
}


@cache
def _png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "png")
    return file.getvalue()


@contextmanager
def running_field_site(pages: Mapping[str, Page]) -> Iterator[Site]:
    site = Site(pages)
    *listening, dead = site.listen()

    async def serve() -> None:
        for each in listening:
            await asyncio.start_server(site.talk, sock=each, backlog=256)

    with loop_in_thread() as loop:
        asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
        yield site
        for each in (*listening, dead):
            each.close()
