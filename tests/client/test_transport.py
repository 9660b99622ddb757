"""Requests to a server that answers as it is told: what is sent again, and for how long."""

import random
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from farm.client.answers import read_bytes, read_json
from farm.client.errors import DeadlinePassed, NotAFarm, Unreachable
from farm.client.transport import Transport
from farm.errors import Busy, InvalidRequest, InvalidUrl, RateLimited
from tests.support.farm_process import free_port
from tests.support.quiet import serving

BUSY = b'{"success": false, "error": "Every place is taken.", "code": "busy"}'
LIMITED = b'{"success": false, "error": "Too many requests.", "code": "rate_limited"}'
INVALID = b'{"success": false, "error": "It is wrong.", "code": "invalid_request"}'
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(dict(self.headers))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Gives its answers one after the other, and the last one again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.seen: list[dict[str, str]] = []
        self.over = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Nothing: clients go away in the middle of an answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    with serving(running):
        yield running
        running.over.set()


def send(
    url: str, deadline_s: float = 30, connect_s: float = 10, key: str | None = None
) -> dict[str, object]:
    transport = Transport(url, key, deadline_s, connect_s)
    try:
        return transport.send("POST", "/render", read_json, body=b"{}").data
    finally:
        transport.close()


def ok(handler: Handler) -> None:
    handler.answer(200, b'{"success": true}', Content_Type="application/json")


def reset(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"success"')
    handler.wfile.flush()
    reset(handler)


@pytest.mark.parametrize(
    "failure",
    [
        lambda handler: handler.answer(503, BUSY, Retry_After="1"),
        lambda handler: handler.answer(429, LIMITED, Retry_After="1"),
        lambda handler: handler.answer(502, b"<h1>Bad Gateway</h1>", Content_Type="text/html"),
        reset,
        cut_off,
    ],
    ids=["busy", "rate limited", "a proxy without its farm", "reset", "cut off"],
)
def test_what_may_pass_is_sent_again(server: Server, failure: Answer) -> None:
    server.answers = [failure, ok]
    assert send(server.url) == {"success": True}
    assert len(server.seen) == 2


@pytest.mark.parametrize(("body", "error"), [(BUSY, Busy), (LIMITED, RateLimited)])
def test_the_error_is_raised_where_the_farm_asks_for_more_time_than_is_left(
    server: Server, body: bytes, error: type[Busy | RateLimited]
) -> None:
    server.answers = [lambda handler: handler.answer(error.status, body, Retry_After="600")]
    with pytest.raises(error) as raised:
        send(server.url)
    assert isinstance(raised.value, Busy | RateLimited)
    assert raised.value.retry_after_s == 600
    assert len(server.seen) == 1


def test_trying_again_ends_with_the_deadline(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last try does not begin just before the deadline, which would then end it.
    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)
    server.answers = [lambda handler: handler.answer(502, b"")]
    with pytest.raises(NotAFarm):
        send(server.url, deadline_s=2)
    assert len(server.seen) > 1


def test_what_is_wrong_with_a_request_is_told_at_once(server: Server) -> None:
    server.answers = [lambda handler: handler.answer(400, INVALID)]
    with pytest.raises(InvalidRequest, match="It is wrong"):
        send(server.url)
    assert len(server.seen) == 1


def test_a_farm_that_does_not_answer_ends_by_the_deadline(server: Server) -> None:
    def wait(handler: Handler) -> None:
        server.over.wait()

    server.answers = [wait]
    with pytest.raises(DeadlinePassed):
        send(server.url, deadline_s=0.3)


def test_an_answer_in_drops_ends_by_the_deadline(server: Server) -> None:
    def drop(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.over.wait(0.01):
            handler.wfile.write(b" ")

    server.answers = [drop]
    with pytest.raises(DeadlinePassed):
        send(server.url, deadline_s=0.3)
    server.over.set()


def test_nobody_at_the_address_is_told() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=f"{url} cannot be reached"):
        send(url, connect_s=0.3)


def test_a_proxy_that_cannot_be_reached_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(Unreachable, match=r"through the proxy that HTTP_PROXY.* names"):
        send(server.url, connect_s=0.3)


def test_a_farm_without_tls_at_an_https_address_is_told(server: Server) -> None:
    with pytest.raises(Unreachable, match="does not speak TLS"):
        send(server.url.replace("http:", "https:"))


def test_certificates_that_cannot_be_read_are_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    with pytest.raises(Unreachable, match="REQUESTS_CA_BUNDLE"):
        send(server.url.replace("http:", "https:"))


def test_an_address_that_is_no_url_is_told() -> None:
    with pytest.raises(InvalidUrl, match="is not valid"):
        send("http://*.example")


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.answers = [lambda handler: handler.answer(301, b"", Location="https://farm.example/")]
    with pytest.raises(NotAFarm, match="redirects"):
        send(server.url, key="k" * 16)
    assert len(server.seen) == 1


def test_a_key_is_sent_and_no_other(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers = [ok]
    send(server.url)
    send(server.url, key="k" * 16)
    assert [seen.get("Authorization") for seen in server.seen] == [None, f"Bearer {'k' * 16}"]


def test_a_file_is_read_as_it_is(server: Server) -> None:
    server.answers = [lambda handler: handler.answer(200, b"\x00" * 200_000, Content_Type="a/b")]
    transport = Transport(server.url, None, 30, 10)
    assert transport.send("POST", "/", read_bytes, body=b"{}") == ("a/b", b"\x00" * 200_000)
    transport.close()
