"""Answers and connections: clients that would hold more threads and places than there are."""

import json
import socket
import struct
import threading
from collections.abc import Callable

import pytest
import requests

from tests.support.farm_process import wait_until
from tests.support.small_app import MANY, Server, answer, head, is_ended, running_app

Connect = Callable[..., socket.socket]


# Answers.


def test_clients_that_read_nothing_are_disconnected_for_others(
    server: Server, connect: Connect
) -> None:
    unread = [connect(head("GET", "/bytes/20000000")) for _ in range(MANY)]
    assert server.answers()
    assert len(requests.get(server.url + "/bytes/50000000", timeout=60).content) == 50_000_000
    wait_until(lambda: any(has_end(sock) for sock in unread))


def has_end(sock: socket.socket) -> bool:
    """Read what is there; whether the answer has broken off before its end."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 20):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_a_slow_reader_has_its_answer_whole(connect: Connect) -> None:
    status, data = answer(connect(head("GET", "/bytes/5000000")))
    assert (status, len(data)) == (200, 5_000_000)


def test_answers_on_one_connection_that_nobody_reads_end_with_it(
    server: Server, connect: Connect
) -> None:
    for _ in range(2):
        sock = connect()
        sender = threading.Thread(target=flood, args=(sock,))
        sender.start()
        assert server.answers()
        sock.shutdown(socket.SHUT_RDWR)
        sender.join(30)
        assert not sender.is_alive()


def flood(sock: socket.socket) -> None:
    try:
        while True:
            sock.sendall(head("GET", "/bytes/1000"))
    except OSError:
        pass


def test_clients_that_reset_their_connection_are_forgotten(
    server: Server, connect: Connect
) -> None:
    for _ in range(MANY):
        sock = connect(head("GET", "/bytes/20000000"))
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert server.answers()


# Connections.


def test_the_oldest_silent_connection_makes_way_where_there_are_too_many(
    server: Server, connect: Connect
) -> None:
    silent = [connect() for _ in range(150)]
    assert server.answers()
    assert is_ended(silent[0])


def test_an_address_has_a_bound_of_connections(
    tmp_path_factory: pytest.TempPathFactory, connect: Connect
) -> None:
    folder = tmp_path_factory.mktemp("address")
    with running_app(folder, head_s=60, sending=4, max_connections_per_address=4) as server:
        silent = [connect(port=server.port) for _ in range(6)]
        assert is_ended(silent[0])
        assert server.answers()
        # What a thread has does not make way.
        for _ in range(4):
            connect(head("GET", "/bytes/20000000"), server.port).recv(1)
        status, error = answer(connect(port=server.port))
        assert (status, json.loads(error)["code"]) == (503, "busy")
