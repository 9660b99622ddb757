"""gunicorn with the farm's worker and four threads, and clients of it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.small_app import Server, running_app


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_app(tmp_path_factory.mktemp("worker")) as server:
        yield server


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., socket.socket]]:
    """Connections that have sent the bytes given; they are closed in the end."""
    with ExitStack() as stack:

        def connect(data: bytes = b"", port: int = server.port) -> socket.socket:
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(30)
            sock.connect(("127.0.0.1", port))
            sock.sendall(data)
            return sock

        yield connect
