"""How a process asks for the embedded cache: a byte to a socket that it has inherited."""

import os
import signal
import socket
from pathlib import Path

import pytest

from farm.cache import Bell, Store
from farm.cache.bell import VARIABLE, environment
from farm.formats import FORMATS
from farm.signals import RUNG


def test_a_ring_is_a_byte_that_is_no_signal() -> None:
    reads, writes = socket.socketpair()
    with reads, writes:
        Bell(environment(writes.fileno())[VARIABLE]).ring()
        assert reads.recv(9) == bytes([RUNG])
    assert RUNG not in set(signal.Signals)


@pytest.mark.parametrize("value", [None, "", "x", "1", "99999:1", "-1:1", "9" * 40 + ":1"])
def test_without_a_supervisor_nobody_is_rung_for(value: str | None) -> None:
    Bell(value).ring()


def test_a_number_that_is_another_file_by_now_is_not_written_to(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        Bell(f"{file.fileno()}:{os.fstat(file.fileno()).st_ino}").ring()
        assert not os.fstat(file.fileno()).st_size
    reads, writes = socket.socketpair()
    with reads, writes:
        Bell(f"{writes.fileno()}:{os.fstat(reads.fileno()).st_ino}").ring()
        reads.setblocking(False)
        with pytest.raises(BlockingIOError):
            reads.recv(1)


def test_a_server_that_is_not_there_is_asked_for_once_and_is_idle_until_then(
    tmp_path: Path,
) -> None:
    rings: list[str] = []
    path = tmp_path / "s"
    store = Store(f"unix://{path}", FORMATS, lambda: rings.append("ring"), path)
    assert (store.state, store.may_have) == ("idle", False)
    assert store.enter("a" * 64) is None
    assert store.enter("a" * 64) is None
    assert rings == ["ring"]
    store.close()
