"""A site that notes what it is sent, over HTTP or TLS."""

import base64
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from tests.support.allowed_site import CERTIFICATE
from tests.support.quiet import QuietServer, serving
from tests.support.site import RED

USERNAME, PASSWORD = "ursula", "open, sesame: 1"
_AUTHORIZATION = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()


@dataclass
class Sent:
    """One request, as it came."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass
class RecordingSite:
    """`/redirect?to=…` leads there, `/private…` wants a password, `.svg` is a red image, and
    `/attachment/…` is a file of that name.

    All else is one of `pages`, by its path, or empty.
    """

    url: str
    pages: Mapping[str, str]
    sent: list[Sent] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [each.path for each in self.sent]

    def values(self, header: str) -> dict[str, str | None]:
        """What came of a header with each path; the last counts."""
        return {each.path: each.headers.get(header) for each in self.sent}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: RecordingSite

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.site.sent.append(Sent(self.command, self.path, self.headers, body))
        path, _, to = self.path.partition("?to=")
        path = path.partition("?")[0]
        if path == "/redirect":
            self._send(302, "text/html", b"", {"Location": unquote(to)})
        elif path == "/redirect-307":
            self._send(307, "text/html", b"", {"Location": unquote(to)})
        elif path.startswith("/private") and self.headers["Authorization"] != _AUTHORIZATION:
            self._send(401, "text/html", b"no", {"WWW-Authenticate": 'Basic realm="here"'})
        elif path.startswith("/attachment/"):
            name = path.removeprefix("/attachment/")
            disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
            body = self.site.pages.get(path, "").encode()
            self._send(200, "application/octet-stream", body, disposition)
        elif path in self.site.pages:
            self._send(200, self._type_of(path), self.site.pages[path].encode())
        elif path.endswith(".svg"):
            self._send(200, "image/svg+xml", RED)
        else:
            self._send(200, self._type_of(path), b"")

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.do_GET()

    @staticmethod
    def _type_of(path: str) -> str:
        types = {"css": "text/css", "js": "text/javascript", "txt": "text/plain"}
        return types.get(path.rpartition(".")[2], "text/html")

    def _send(
        self, status: int, media_type: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running_recording_site(
    host: str = "127.0.0.1", pages: Mapping[str, str] | None = None, tls: bool = False
) -> Iterator[RecordingSite]:
    """`pages`: may be filled later, once the site's URL is known."""
    server = QuietServer((host, 0), _Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"http{'s' if tls else ''}://{host}:{server.server_port}"
    site = RecordingSite(url, {} if pages is None else pages)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"site": site})
    with serving(server):
        yield site
