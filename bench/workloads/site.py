"""A slow web site on loopback, in a process of its own: `python -m bench.workloads.site PORT`.

- `/page`: answers after 300 ms, with a style sheet, a script and an image of 200 ms each;
- `/moved`: a redirect to `/page`;
- `/two-seconds`: answers after 2 s.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.contenders.servers import wait_for
from tests.support.farm_process import free_port

PAGE_S, RESOURCE_S, LONG_S = 0.3, 0.2, 2.0

_PAGE = """<!doctype html><meta charset=utf-8><title>Slow</title>
<link rel=stylesheet href=/style.css><h1>A page that waits</h1>
<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor.</p>
<img src=/image.svg width=600 height=300 alt=""><p id=said></p><script src=/script.js></script>"""

_STYLE = "body { margin: 48px; font: 20px sans-serif; background: #eef2ff; color: #1e1b4b }"
_SCRIPT = "document.getElementById('said').textContent = 'and its script has run'"
_IMAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 300">
<defs><linearGradient id="g"><stop stop-color="#4338ca"/><stop offset="1" stop-color="#be185d"/>
</linearGradient></defs><rect width="600" height="300" rx="24" fill="url(#g)"/></svg>"""

#: Seconds, media type and body by path.
_ANSWERS = {
    "/": (0.0, "text/plain", "up"),
    "/page": (PAGE_S, "text/html", _PAGE),
    "/two-seconds": (LONG_S, "text/html", "<!doctype html><h1>Two seconds later</h1>"),
    "/style.css": (RESOURCE_S, "text/css", _STYLE),
    "/script.js": (RESOURCE_S, "text/javascript", _SCRIPT),
    "/image.svg": (RESOURCE_S, "image/svg+xml", _IMAGE),
}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1].decode()
            if path == "/moved":
                writer.write(b"HTTP/1.1 302 Found\r\nLocation: /page\r\nContent-Length: 0\r\n\r\n")
            elif path in _ANSWERS:
                seconds, media_type, body = _ANSWERS[path]
                await asyncio.sleep(seconds)
                headers = f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n{body}".encode())
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass  # browsers hang up when their page is closed
    finally:
        writer.close()


async def _main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


@contextmanager
def running_site() -> Iterator[str]:
    """The site while it is up; gives its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "-m", "bench.workloads.site", str(port)])
    try:
        wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
