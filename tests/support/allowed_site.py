"""A site that uses all of HTTP: what works through a good proxy, in one page that turns green."""

import asyncio
import base64
import gzip
import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.loops import loop_in_thread

#: A certificate of 127.0.0.1 that signed itself, its key, and the hash of its public key.
CERTIFICATE = Path(__file__).with_name("loopback.pem")
CERTIFICATE_SPKI = "vVR3dwU0ASUbSzyk6Gm9xZJEyYI5viV4vva555AqC14="

FILE = bytes(range(256)) * 40_960  # 10 MiB
SMALL = 100
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3

PAGE = """<!doctype html>
<link rel=stylesheet href=/style.css>
<body style="margin: 0"><img id=image src=/image.svg><img src=/when-done>
<script src=/script.js></script>
<script type=module>
const same = (a, b) => a.byteLength === b.length && new Uint8Array(a).every((x, i) => x === b[i]);
const checks = {
  css: async () => getComputedStyle(document.body).color === 'rgb(1, 2, 3)',
  script: async () => window.fromScript === 42,
  image: async () => { await image.decode(); return image.naturalWidth === 40 },
  chunked: async () => await (await fetch('/chunked')).text() === 'one two three',
  until_close: async () => await (await fetch('/until-close')).text() === 'the end',
  gzip: async () => (await (await fetch('/gzip')).text()).length === 100000,
  range: async () => {
    const got = await fetch('/file', {headers: {Range: 'bytes=10-19'}});
    return got.status === 206 && same(await got.arrayBuffer(),
      [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  },
  file: async () => {
    const got = new Uint8Array(await (await fetch('/file')).arrayBuffer());
    return got.length === 10485760 && got.every((x, i) => x === i % 256);
  },
  post: async () => {
    const body = 'x'.repeat(300000);
    return await (await fetch('/echo', {method: 'POST', body})).text() === body;
  },
  head: async () => (await fetch('/file', {method: 'HEAD'})).headers.get('Content-Length')
    === '10485760',
  nothing: async () => (await fetch('/nothing')).status === 204,
  missing: async () => (await fetch('/missing')).status === 404,
  redirect: async () => (await fetch('/redirect')).url.endsWith('/nothing'),
  many: async () => (await Promise.all([...Array(100).keys()].map(
    async (n) => await (await fetch('/small?' + n)).text() === String(n)))).every((x) => x),
  events: () => new Promise((resolve) => {
    const source = new EventSource('/events');
    source.onmessage = (event) => { source.close(); resolve(event.data === 'hello') };
  }),
  socket: () => new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
    socket.onopen = () => socket.send('marco');
    socket.onmessage = (event) => { socket.close(); resolve(event.data === 'marco') };
    socket.onerror = () => resolve(false);
  }),
};
const failed = [];
for (const [name, check] of Object.entries(checks))
  if (!await check().catch(() => false)) failed.push(name);
document.body.replaceChildren(failed.join(' '));
document.body.style.background = failed.length ? 'red' : 'lime';
await fetch('/done?' + failed.join(','));
</script>
"""


class AllowedSite:
    """The site while it is up; `failed` is what the page reports, once it has."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.requests = 0
        self.failed: list[str] | None = None
        self._done = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests += 1
        line, *lines = head.strip().split("\r\n")
        method, target, _ = line.split()
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")

        def send(data: bytes, *more: str, status: str = "200 OK") -> bool:
            fields = "".join(f"{field}\r\n" for field in (*more, f"Content-Length: {len(data)}"))
            writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n".encode())
            writer.write(b"" if method == "HEAD" else data)
            return True

        match path:
            case "/":
                return send(PAGE.encode(), "Content-Type: text/html")
            case "/style.css":
                return send(b"body { color: rgb(1, 2, 3) }", "Content-Type: text/css")
            case "/script.js":
                return send(b"window.fromScript = 42", "Content-Type: text/javascript")
            case "/image.svg":
                svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"/>'
                return send(svg, "Content-Type: image/svg+xml")
            case "/chunked":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                writer.write(b"4\r\none \r\n9;ext=1\r\ntwo three\r\n0\r\nTrailer: x\r\n\r\n")
                return True
            case "/until-close":
                writer.write(b"HTTP/1.0 200 OK\r\n\r\nthe end")
                await writer.drain()
                return False
            case "/gzip":
                return send(gzip.compress(b"x" * 100_000), "Content-Encoding: gzip")
            case "/file" if "range" in headers:
                part = "Content-Range: bytes 10-19/10485760"
                return send(FILE[10:20], part, status="206 Partial Content")
            case "/file":
                return send(FILE)
            case "/echo":
                return send(body)
            case "/nothing":
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                return True
            case "/redirect":
                return send(b"", "Location: /nothing", status="302 Found")
            case "/small":
                return send(query.encode())
            case "/events":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                writer.write(b"data: hello\n\n")
                await writer.drain()
                await reader.read(1)  # until the page has heard it
                return False
            case "/socket":
                return await self._echo_frame(headers["sec-websocket-key"], reader, writer)
            case "/done":
                self.failed = query.split(",") if query else []
                self._done.set()
                return send(b"")
            case "/when-done":  # holds the page's load event back
                await self._done.wait()
                return send(b"")
        return send(b"", status="404 Not Found")

    async def _echo_frame(
        self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        writer.write(f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        first, length = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        data = await reader.readexactly(length & 0x7F)
        text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        writer.write(bytes([first, len(text)]) + text)
        await writer.drain()
        await reader.read(1)  # the page closes
        return False


@contextmanager
def running_allowed_site(tls: bool) -> Iterator[AllowedSite]:
    site = AllowedSite()
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
    with loop_in_thread() as loop:
        started = asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=context)
        server = asyncio.run_coroutine_threadsafe(started, loop).result(10)
        site.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield site
