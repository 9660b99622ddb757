"""A WSGI application for the farm's gunicorn worker, and gunicorn to run it: no Chromium."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from farm.errors import BodyTooLarge, FarmError
from farm.settings import MAX_BODY_BYTES
from tests.support.farm_process import end, free_port, wait_until

#: More than there are threads.
MANY = 20

_CONF = """
from farm.settings import Settings
from farm.web.serving import sending, steps, worker
from tests.support.small_app import wants_body

steps._HEAD_S = {head_s}
steps._LINGER_S = 30
sending.MAX_SENDING = {sending}

bind = "127.0.0.1:{port}"
wsgi_app = "tests.support.small_app:app"
worker_class = worker.Worker
threads = {threads}
worker_connections = {connections}
graceful_timeout = 1
keepalive = 75
control_socket_disable = True


def post_worker_init(self):
    self.prepare(Settings(**{settings}), wants_body)
"""


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """`POST /take`: how long the body was. `GET /bytes/9`: so many. `/`: nothing."""
    path = environ["PATH_INFO"]
    status, data = "200 OK", b""
    if path == "/take":
        try:
            if int(environ.get("CONTENT_LENGTH", 0)) > MAX_BODY_BYTES:
                raise BodyTooLarge()
            data = str(len(environ["wsgi.input"].take())).encode()
        except FarmError as exc:
            status, data = f"{exc.status} Error", exc.code.encode()
    elif path.startswith("/bytes/"):
        data = bytes(int(path.removeprefix("/bytes/")))
    elif path != "/":
        status, data = "404 Not Found", b"nothing"
    start_response(status, [("Content-Length", str(len(data)))])
    return [data]


def wants_body(
    method: str, path: str, headers: Mapping[str, str], length: int | None, query: str
) -> bool:
    return path == "/take" and (length or 0) <= MAX_BODY_BYTES


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def post(path: str, length: int, start: bytes = b"") -> bytes:
    return head("POST", path, f"Content-Length: {length}") + start


def answer(sock: socket.socket, method: str = "GET") -> tuple[int, bytes]:
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    return response.status, response.read()


def is_ended(sock: socket.socket) -> bool:
    """Wait for the server to close, and see that there was nothing more to read."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


class Server:
    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def answers(self) -> bool:
        return requests.get(self.url + "/", timeout=10).status_code == 200

    def takes(self, length: int) -> bool:
        response = requests.post(self.url + "/take", data=bytes(length), timeout=30)
        return response.text == str(length)


@contextmanager
def running_app(
    folder: Path,
    threads: int = 4,
    connections: int = 100,
    sending: int = 2,
    head_s: float = 1,
    **settings: object,
) -> Iterator[Server]:
    """One worker; `sending` of its threads may wait for clients to read."""
    server = Server(free_port())
    conf = folder / "conf.py"
    conf.write_text(
        _CONF.format(
            port=server.port,
            threads=threads,
            connections=connections,
            sending=sending,
            head_s=head_s,
            settings=json.dumps(settings),
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(conf)],
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def is_up() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return server.answers()
        except requests.ConnectionError:
            return False

    try:
        wait_until(is_up)
        yield server
    finally:
        end(process)
