"""A local web site whose pages behave in every way that a render may meet."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.support.quiet import QuietServer, serving

#: A red and a blue image, 40 × 40.
RED = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">'
    b'<rect width="40" height="40" fill="red"/></svg>'
)
BLUE = RED.replace(b"red", b"blue")
#: Answers everything itself, as soon as it can.
SERVICE_WORKER = b"""
    addEventListener('install', () => skipWaiting());
    addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    addEventListener('fetch', (event) => event.respondWith(new Response('the worker says')));
"""

#: What pages must be allowed to reach, to reach a site: all of loopback, by FARM_EGRESS_ALLOW.
SITES = "127.0.0.0/8"


class Site:
    """The site while it is up. `hold` keeps `/slow…` waiting until it is set."""

    def __init__(self, host: str, port: int, pages: dict[str, str]) -> None:
        self.url = f"http://{host}:{port}"
        self.pages = pages
        self.hold = threading.Event()
        #: Paths (with queries) and `Cookie` headers, in the order of the requests.
        self.requests: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        self.site.requests.append((self.path, self.headers.get("Cookie", "")))
        path, _, to = self.path.partition("?to=")
        path = path.partition("?")[0]
        match path:
            case "/":
                self._page(b"<body style='margin:0;background:lime'>home")
            case "/missing":
                self._page(b"<body style='margin:0;background:orange'>no such page", 404)
            case "/no-content":
                self._send(204, "text/html", b"")
            case "/download":
                self._send(200, "application/octet-stream", b"\0" * 1000)
            case "/redirect":
                self._send(302, "text/html", b"", {"Location": to or "/"})
            case "/redirect-for-ever":
                self._send(302, "text/html", b"", {"Location": "/redirect-for-ever"})
            case "/garbage":
                self.wfile.write(b"this is not HTTP\r\n\r\n")
            case "/hang-up":
                self.close_connection = True
            case "/slow":
                self.site.hold.wait(60)
                self._page(b"<body style='margin:0;background:lime'>at last")
            case "/slow.svg":
                self.site.hold.wait(60)
                self._send(200, "image/svg+xml", RED)
            case "/red.svg":
                self._send(200, "image/svg+xml", RED)
            case "/endless":
                self._send_for_ever("text/html", b"<p>more")
            case "/endless.svg":
                self._send_for_ever("image/svg+xml", b"<svg>")
            case "/with-endless-image":
                self._page(b"<body style='margin:0'><img src=/endless.svg>")
            case "/with-slow-image":
                self._page(b"<body style='margin:0'><img src=/slow.svg>")
            case "/worker.js":
                script = f"fetch({json.dumps(to)}, {{mode: 'no-cors'}})"
                self._send(200, "text/javascript", script.encode())
            case "/service-worker.js":
                self._send(200, "text/javascript", SERVICE_WORKER)
            case "/no-store.css":
                self._send(200, "text/css", b"p { color: red }", {"Cache-Control": "no-store"})
            case "/set-cookie":
                self._page(b"<p>set", headers={"Set-Cookie": "seen=yes; Path=/"})
            case _ if path in self.site.pages:
                self._page(self.site.pages[path].encode())
            case _:
                self._send(404, "text/plain", b"")

    def _page(self, html: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(status, "text/html; charset=utf-8", html, headers)

    def _send(
        self, status: int, media_type: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _send_for_ever(self, media_type: str, piece: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.end_headers()
        while not self.site.hold.wait(0.05):
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running_site(host: str = "127.0.0.1", pages: dict[str, str] | None = None) -> Iterator[Site]:
    """`pages`: more of them, by their paths."""
    server = QuietServer((host, 0), _Handler)
    site = Site(host, server.server_port, {} if pages is None else pages)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"site": site})
    with serving(server):
        try:
            yield site
        finally:
            site.hold.set()
