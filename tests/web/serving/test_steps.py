"""Heads and bodies: clients that would hold a thread until they have sent a whole request."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import requests

from tests.support.farm_process import wait_until
from tests.support.small_app import MANY, Server, answer, head, is_ended, post, running_app

Connect = Callable[..., socket.socket]


# Heads.


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_connections_without_a_whole_head_hold_no_thread_and_are_closed(
    server: Server, connect: Connect, start: bytes
) -> None:
    silent = [connect(start) for _ in range(MANY)]
    assert server.answers()
    assert server.takes(10)
    assert all(is_ended(sock) for sock in silent)


def test_a_head_may_come_a_byte_at_a_time(connect: Connect) -> None:
    sock = connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in head("GET", "/bytes/3"):
        sock.sendall(bytes([byte]))
    assert answer(sock) == (200, bytes(3))


def test_a_head_that_grows_by_a_byte_at_a_time_has_no_longer_for_it(connect: Connect) -> None:
    sock = connect(head("GET", "/")[:-2])

    def ends() -> bool:
        try:
            sock.sendall(b"X: y\r\n")
        except OSError:
            return True
        return False

    wait_until(ends)


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/9.9\r\n\r\n",
        head("GET", "/", "no colon"),
        head("GET", "/", "Content-Length: -1"),
        head("POST", "/take", "Content-Length: 1", "Transfer-Encoding: chunked"),
        head("POST", "/take", "Transfer-Encoding: strange"),
        head("GET", "/", "Expect: something"),
        head("GET", "/", "X: " + "x" * 10_000),
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
        b"GET /" + b"x" * 70_000,
    ],
)
def test_a_malformed_head_is_a_400_of_the_farms_shape(connect: Connect, sent: bytes) -> None:
    sock = connect(sent)
    response = http.client.HTTPResponse(sock)
    response.begin()
    error = json.loads(response.read())
    assert response.status == 400
    assert error["code"] == "invalid_request"
    assert not error["success"]
    assert response.headers["X-Request-Id"] == error["requestId"]
    assert is_ended(sock)


def test_requests_that_come_together_are_answered_one_after_the_other(connect: Connect) -> None:
    requests_ = [head("GET", "/bytes/1"), post("/take", 2, b"ab"), head("GET", "/bytes/3")]
    sock = connect(b"".join(requests_))
    data = b""
    while data.count(b"HTTP/1.1 200 OK") < 3 or not data.endswith(bytes(3)):
        data += sock.recv(4096)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in data.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [bytes(1), b"2", bytes(3)]


def test_a_kept_connection_is_used_again(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    ports = set()
    for method, path, body in [("GET", "/", None), ("POST", "/take", b"x"), ("POST", "/no", b"x")]:
        connection.request(method, path, body)
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1
    connection.close()


def test_old_and_empty_requests_are_answered(connect: Connect) -> None:
    old = connect(b"GET /bytes/5 HTTP/1.0\r\n\r\n")
    assert answer(old) == (200, bytes(5))
    assert is_ended(old)
    assert answer(connect(head("HEAD", "/bytes/5")), "HEAD") == (200, b"")
    assert answer(connect(b"\r\n" + head("GET", "/bytes/5"))) == (200, bytes(5))


def test_a_client_that_ends_its_side_has_its_answer(connect: Connect) -> None:
    sock = connect(head("GET", "/bytes/9"))
    sock.shutdown(socket.SHUT_WR)
    assert answer(sock) == (200, bytes(9))
    assert is_ended(sock)


# Bodies.


def test_slow_bodies_hold_no_thread_and_arrive(server: Server, connect: Connect) -> None:
    slow = [connect(post("/take", 3, b"a")) for _ in range(MANY)]
    chunked = [connect(head("POST", "/take", "Transfer-Encoding: chunked")) for _ in range(MANY)]
    assert server.answers()
    assert server.takes(100_000)
    for sock in slow:
        sock.sendall(b"bc")
    for byte in b"1;x=y\r\na\r\n2\r\nbc\r\n0\r\nTrailer: x\r\n\r\n":
        for sock in chunked:
            sock.sendall(bytes([byte]))
    assert {answer(sock) for sock in slow + chunked} == {(200, b"3")}


def test_tiny_chunks_delay_no_other_client(server: Server, connect: Connect) -> None:
    flooding = [connect(head("POST", "/take", "Transfer-Encoding: chunked")) for _ in range(50)]
    stop = threading.Event()

    def flood_all() -> None:
        for sock in flooding:
            sock.setblocking(False)
        while not stop.is_set():
            for sock in flooding:
                with suppress(BlockingIOError):
                    sock.send(b"1\r\na\r\n" * 1000)

    flooder = threading.Thread(target=flood_all)
    flooder.start()
    try:
        assert server.takes(100_000)
        assert server.answers()
    finally:
        stop.set()
        flooder.join()


def test_a_body_that_does_not_arrive_is_a_timeout(
    tmp_path_factory: pytest.TempPathFactory, connect: Connect
) -> None:
    with running_app(tmp_path_factory.mktemp("bodies"), body_deadline_s=1) as server:
        slow = connect(post("/take", 1000, b"a"), server.port)
        assert answer(slow) == (408, b"body_timeout")
        assert is_ended(slow)


def test_announced_bodies_take_no_room_until_they_arrive(server: Server, connect: Connect) -> None:
    for _ in range(MANY):
        connect(post("/take", 52_428_800, b"{"))
    assert server.takes(10)
    assert server.takes(52_428_800)


def test_stalled_bodies_are_dropped_for_others(server: Server, connect: Connect) -> None:
    """Their bytes have arrived, and take all the room that there is."""
    part = bytes(50_000_000)
    stopped = [connect(post("/take", 52_428_800, part)) for _ in range(2)]
    wait_until(lambda: server.takes(52_428_800))
    assert (503, b"busy") in {answer(sock) for sock in stopped[:1]}
    assert server.takes(10)


def test_a_body_that_breaks_off_is_an_error(connect: Connect) -> None:
    sock = connect(post("/take", 1000, b"a"))
    sock.shutdown(socket.SHUT_WR)
    assert answer(sock) == (400, b"invalid_request")
    wrong = connect(head("POST", "/take", "Transfer-Encoding: chunked") + b"no size\r\n")
    assert answer(wrong) == (400, b"invalid_request")


def test_a_body_that_is_too_large_is_dropped_and_its_sender_reads_why(server: Server) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(52):
            yield bytes(1_048_576)

    for body in (bytes(54_525_952), pieces()):
        response = requests.post(server.url + "/take", data=body, timeout=60)
        assert (response.status_code, response.text) == (413, "body_too_large")


def test_a_body_that_nobody_reads_holds_no_thread(server: Server, connect: Connect) -> None:
    ignored = [connect(post("/nothing", 1_000_000, b"{")) for _ in range(MANY)]
    assert server.answers()
    assert {answer(sock) for sock in ignored} == {(404, b"nothing")}
    for sock in ignored:
        sock.sendall(b"more")
    assert all(is_ended(sock) for sock in ignored)


def test_a_body_is_asked_for_only_if_it_is_wanted(connect: Connect) -> None:
    expects = "Expect: 100-continue"
    sock = connect(head("POST", "/take", "Content-Length: 3", expects))
    assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    sock.sendall(b"abc")
    assert answer(sock) == (200, b"3")
    refused = connect(head("POST", "/nothing", "Content-Length: 3", expects))
    assert answer(refused) == (404, b"nothing")
