"""A slow way to the cache's server."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from farm.cache.connection import _PacedSocket, connect
from tests.cache.conftest import Server

#: Long beside what a byte takes, short beside what all of them would take.
TIMEOUT_S = 0.5
DROP_BYTES, DROP_S = 300, 0.1


class Trickle:
    """Stands before a server: what is asked passes at once, what it answers in drops."""

    def __init__(self, server: str, path: Path) -> None:
        self.url = f"unix://{path}"
        self._server = server.removeprefix("unix://")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._server)
                for ends in ((client, there, 0.0), (there, client, DROP_S)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, pause_s: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(DROP_BYTES):
                sink.sendall(data)
                time.sleep(pause_s)
        sink.close()


@pytest.fixture
def trickle(server: Server, tmp_path: Path) -> Iterator[Trickle]:
    made = Trickle(server.url, tmp_path / "t")
    yield made
    made.close()


def test_an_answer_in_drops_is_given_up(server: Server, trickle: Trickle) -> None:
    server.client.set("short", b"x")
    server.client.set("long", b"x" * 30_000)  # 10 s of drops
    client = connect(trickle.url, TIMEOUT_S, TIMEOUT_S)
    assert client.get("short") == b"x"
    with pytest.raises(redis.exceptions.TimeoutError):
        client.get("long")
    assert client.get("short") == b"x", "by another connection"


def test_a_large_value_passes(server: Server) -> None:
    client = connect(server.url, TIMEOUT_S, TIMEOUT_S)
    value = bytes(range(256)) * 80_000
    client.set("large", value)
    assert client.get("large") == value


def test_an_answer_whose_next_bytes_are_always_there_is_given_up_too() -> None:
    here, there = socket.socketpair()
    here.settimeout(TIMEOUT_S)
    paced = _PacedSocket(here)
    paced.sendall(b"question")
    there.sendall(b"answer, " * 100)
    assert paced.recv(8) == b"answer, "
    paced._asked -= 3 * TIMEOUT_S
    with pytest.raises(TimeoutError):
        paced.recv(8)
    here.close()
    there.close()
