"""How a process asks for the embedded cache: a byte to a socket that it has inherited."""

import os
import signal
import socket
from pathlib import Path

import pytest

from farm.cache import Store, SupervisorSocket
from farm.cache.supervisor_socket import VARIABLE, environment
from farm.formats import FORMATS
from farm.signals import CACHE_REQUESTED


def test_a_request_is_a_byte_that_is_no_signal() -> None:
    reads, writes = socket.socketpair()
    with reads, writes:
        SupervisorSocket(environment(writes.fileno())[VARIABLE]).request_cache()
        assert reads.recv(9) == bytes([CACHE_REQUESTED])
    assert CACHE_REQUESTED not in set(signal.Signals)


@pytest.mark.parametrize("value", [None, "", "x", "1", "99999:1", "-1:1", "9" * 40 + ":1"])
def test_without_a_supervisor_nothing_is_requested(value: str | None) -> None:
    SupervisorSocket(value).request_cache()


def test_a_number_that_is_another_file_by_now_is_not_written_to(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        SupervisorSocket(f"{file.fileno()}:{os.fstat(file.fileno()).st_ino}").request_cache()
        assert not os.fstat(file.fileno()).st_size
    reads, writes = socket.socketpair()
    with reads, writes:
        SupervisorSocket(f"{writes.fileno()}:{os.fstat(reads.fileno()).st_ino}").request_cache()
        reads.setblocking(False)
        with pytest.raises(BlockingIOError):
            reads.recv(1)


def test_a_server_that_is_not_there_is_asked_for_once_and_is_idle_until_then(
    tmp_path: Path,
) -> None:
    asked: list[str] = []
    path = tmp_path / "s"
    store = Store(f"unix://{path}", FORMATS, lambda: asked.append("asked"), path)
    assert (store.state, store.may_have) == ("idle", False)
    assert store.find_or_lock("a" * 64) is None
    assert store.find_or_lock("a" * 64) is None
    assert asked == ["asked"]
    store.close()
