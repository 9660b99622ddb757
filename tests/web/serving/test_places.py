"""Places that are short: who keeps one, who makes way, and that they are given out again."""

import http.client
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from farm.web.serving import sending
from farm.web.serving.connection import Connection
from farm.web.serving.sending import ClientSocket, Senders
from tests.support.farm_process import wait_until
from tests.support.small_app import running_app

LARGE = bytes(5_000_000)


@pytest.fixture
def near_and_far() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection; nothing is read at the far one."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        far.connect(server.getsockname())
        near, _ = server.accept()
        with near:
            yield near, far


def test_connections_that_threads_had_are_places_again_once_they_are_answered(
    tmp_path: Path,
) -> None:
    with running_app(tmp_path, connections=12, sending=4) as server, ExitStack() as stack:
        kept = []
        for _ in range(16):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # less than the answer
            sock.settimeout(30)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: x\r\n\r\n" % len(LARGE))
            kept.append(sock)
        for sock in kept:
            response = http.client.HTTPResponse(sock)
            response.begin()
            assert len(response.read()) == len(LARGE)
        assert server.answers()


def test_a_socket_takes_little_more_than_its_client_has_room_for(
    near_and_far: tuple[socket.socket, socket.socket],
) -> None:
    """So that what it takes tells how fast the client reads."""
    near, _ = near_and_far
    conn = Connection(near, ("127.0.0.1", 1), None, Senders(60))
    assert conn.sock.try_send(LARGE) < 1_000_000


def test_a_client_that_has_just_begun_to_wait_is_not_the_slowest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if clients were slow that read less than a gigabyte a second.
    monkeypatch.setattr(sending, "_SLOW_BYTES_PER_S", 1e9)
    senders = Senders(60)
    with ThreadPoolExecutor(2) as pool:
        old, old_far, _ = waiting(pool, senders)
        old_far.recv(100_000, socket.MSG_WAITALL)
        wait_until(lambda: old.bytes_per_s() < 0.99e9)
        new, new_far, _ = waiting(pool, senders)
        assert new.bytes_per_s() > old.bytes_per_s()
        old_far.close()
        new_far.close()


def waiting(
    pool: ThreadPoolExecutor, senders: Senders
) -> tuple[ClientSocket, socket.socket, "Future[None]"]:
    near, far = socket.socketpair()
    near.setblocking(False)
    client = ClientSocket(near, senders)
    future = pool.submit(client.sendall, LARGE)
    wait_until(lambda: client.bytes_per_s() < float("inf"))
    return client, far, future
