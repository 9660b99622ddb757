"""A receiver of webhooks on loopback, which answers as a test tells it."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.quiet import QuietServer, serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Call:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed(self, secret: str = SECRET) -> bool:
        """By the package that receivers use, which knows bodies of text alone."""
        try:
            Webhook(secret).verify(self.body, self.headers, json_parse=False)
        except WebhookVerificationError:
            return False
        return True


class Receiver:
    """`answer` says the status of the answer to a call, and may take its time."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.calls: list[Call] = []
        self.answer: Callable[[Call], int] = lambda _: 204
        #: What is sent beside it.
        self.headers: dict[str, str] = {}
        #: Set at the end, for answers that wait.
        self.closing = threading.Event()

    def answer_in_turn(self, *statuses: int) -> None:
        """One after the other, and the last one from then on."""
        left = list(statuses)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def hang(self, _: Call) -> int:
        self.closing.wait(120)
        return 200


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, headers, body)
        self.receiver.calls.append(call)
        status = self.receiver.answer(call)
        with suppress(OSError):
            self.send_response(status)
            for name, value in self.receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_POST(self) -> None:
        self._do()

    def do_PUT(self) -> None:
        self._do()

    def do_PATCH(self) -> None:
        self._do()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running_receiver(port: int = 0, certificate: Path | None = None) -> Iterator[Receiver]:
    """`certificate`: a file that has it and its key, of one that speaks TLS."""
    handler = type("Handler", (_Handler,), {})
    server = QuietServer(("127.0.0.1", port), handler)
    receiver = handler.receiver = Receiver(server.server_address[1])  # type: ignore[attr-defined]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        receiver.url = receiver.url.replace("http:", "https:")
    with serving(server):
        try:
            yield receiver
        finally:
            receiver.closing.set()
