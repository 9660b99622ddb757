"""Whose connection it is."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from farm.egress.peers import peer_uid

CONNECT = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdin.read()
"""


@contextmanager
def connection_of(*become: str, python: str = sys.executable) -> Iterator[socket.socket]:
    """Our end of a connection that another process has made."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        command = [*become, python, "-c", CONNECT, port]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            listening.settimeout(30)
            with listening.accept()[0] as ours:
                yield ours
            process.kill()


def test_a_connection_of_this_user_is_known() -> None:
    with connection_of() as ours:
        assert peer_uid(ours) == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_connection_of_another_user_is_known() -> None:
    become = ("setpriv", "--reuid=4711", "--clear-groups")
    with connection_of(*become, python="/usr/bin/python3") as ours:
        assert peer_uid(ours) == 4711


def test_a_closed_connection_has_no_user() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours = listening.accept()[0]
        ours.settimeout(30)
        own: tuple[str, int] = ours.getsockname()
        peer: tuple[str, int] = ours.getpeername()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        theirs.close()  # with a reset, so that nothing of it stays
        with pytest.raises(ConnectionResetError):
            ours.recv(1)

        class Gone:
            """The kernel forgets a peer's name with the peer."""

            def getsockname(self) -> tuple[str, int]:
                return own

            def getpeername(self) -> tuple[str, int]:
                return peer

        assert peer_uid(cast(socket.socket, Gone())) is None
        ours.close()
