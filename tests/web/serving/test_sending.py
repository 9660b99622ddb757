"""Answers to clients that do not read them."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from farm.web.serving import sending
from farm.web.serving.sending import ClientSocket, Senders
from tests.support.farm_process import wait_until

LARGE = bytes(5_000_000)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class Client:
    """A client's socket at both ends; it reads only if the test does."""

    def __init__(self, senders: Senders) -> None:
        near, self.far = socket.socketpair()
        near.setblocking(False)
        self.near = near
        self.far.settimeout(30)
        self.socket = ClientSocket(near, senders)

    def is_waited_for(self) -> bool:
        return self.socket.bytes_per_s() < float("inf")

    def read(self, count: int) -> int:
        left = count
        while left and (data := self.far.recv(left)):
            left -= len(data)
        return count - left


def start(pool: ThreadPoolExecutor, client: Client) -> "Future[None]":
    client.socket.begin_answer()
    future = pool.submit(client.socket.sendall, LARGE)
    wait_until(client.is_waited_for)
    return future


def test_what_fits_is_sent_at_once_and_the_rest_as_it_is_read(pool: ThreadPoolExecutor) -> None:
    client = Client(Senders(60))
    client.socket.sendall(b"small")
    assert client.read(5) == 5
    future = start(pool, client)
    assert client.read(len(LARGE)) == len(LARGE)
    assert future.result() is None


@pytest.mark.parametrize("sips", [False, True])
def test_an_answer_has_a_deadline_however_little_is_read(
    pool: ThreadPoolExecutor, sips: bool
) -> None:
    client = Client(Senders(0.2))

    def sip() -> None:
        while client.far.recv(1):
            pass

    if sips:
        reader = threading.Thread(target=sip)
        reader.start()
    assert isinstance(start(pool, client).exception(30), BrokenPipeError)
    if sips:
        reader.join(30)
        assert not reader.is_alive()


def test_an_answer_after_another_has_a_deadline_of_its_own(pool: ThreadPoolExecutor) -> None:
    client = Client(Senders(60))
    for _ in range(2):
        future = start(pool, client)
        assert client.read(len(LARGE)) == len(LARGE)
        assert future.result() is None


def test_the_slowest_client_is_disconnected_when_all_places_are_taken(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MAX_SENDING", 2)
    senders = Senders(60)
    reads, unread, new = (Client(senders) for _ in range(3))
    keeps, loses = start(pool, reads), start(pool, unread)
    reads.read(2_000_000)
    comes = start(pool, new)
    assert isinstance(loses.exception(30), BrokenPipeError)
    assert new.read(len(LARGE)) == len(LARGE)
    reads.read(len(LARGE) - 2_000_000)
    assert keeps.result(30) is comes.result(30) is None


def test_slow_clients_are_disconnected_when_too_many_bytes_wait(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_MAX_WAITING_BYTES", len(LARGE))
    monkeypatch.setattr(sending, "_GRACE_S", 0)
    senders = Senders(60)
    unread, new = Client(senders), Client(senders)
    loses = start(pool, unread)
    keeps = start(pool, new)
    assert isinstance(loses.exception(30), BrokenPipeError)
    assert new.read(len(LARGE)) == len(LARGE)
    assert keeps.result(30) is None
