"""Canaries: what listens where no page may reach, and counts who comes."""

import asyncio
import ipaddress
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

#: Given to the loopback interface for as long as canaries sing.
_TEST_ADDRESS = "10.213.77.1"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class Canary(asyncio.DatagramProtocol):
    """One port of one address, TCP and UDP; `hits` are connections and datagrams."""

    def __init__(self, host: str) -> None:
        self.host = f"[{host}]" if ":" in host else host
        self.port = 0
        self.hits = 0
        self._address = host

    async def sing(self) -> None:
        server = await asyncio.start_server(self._answer, self._address, 0)
        self.port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(self._address, self.port))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_ANSWER)
            await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def datagram_received(self, data: bytes, address: object) -> None:
        self.hits += 1


class Aviary:
    """Canaries, in a thread with a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def canary(self, host: str) -> Canary:
        canary = Canary(host)
        asyncio.run_coroutine_threadsafe(canary.sing(), self._loop).result(10)
        return canary

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextmanager
def private_address() -> Iterator[str | None]:
    """A private address of this machine, made for it as root; None if there is none."""
    change = ["ip", "addr", "{}", f"{_TEST_ADDRESS}/32", "dev", "lo"]
    try:
        added = (
            os.geteuid() == 0
            and not subprocess.run(
                [part.format("add") for part in change], capture_output=True
            ).returncode
        )
    except FileNotFoundError:
        added = False
    if not added:
        yield _own_private_address()
        return
    try:
        yield _TEST_ADDRESS
    finally:
        subprocess.run([part.format("del") for part in change], check=True)


def _own_private_address() -> str | None:
    for addresses in psutil.net_if_addrs().values():
        for entry in addresses:
            if entry.family == socket.AF_INET:
                address = ipaddress.ip_address(entry.address)
                if address.is_private and not address.is_loopback:
                    return entry.address
    return None


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
