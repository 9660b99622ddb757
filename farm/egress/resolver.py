"""Resolves host names in a child process that can be killed when its look-ups hang.

`process` makes one `Resolver` for all renders, in the proxy process's event loop.

The C library's look-up (`getaddrinfo`) follows this machine's configuration (`/etc/hosts`,
`nsswitch.conf` and its modules), and cannot be cancelled. A resolver that can be cancelled, such as
c-ares, knows DNS only. A look-up that hangs holds a thread even after its render has ended, so the
threads belong to a child process. When that process has too many look-ups that no render needs any
more, it is killed, and the others are asked of a new process.
"""

import asyncio
import itertools
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from farm.policy.addresses import Address, plain

#: Look-ups of renders that have ended, before the child process is replaced.
_MAX_CANCELLED = 512

LookUp = Callable[[bytes], list[str]]


class Unknown(Exception):
    """The name has no address, or none can be found now."""


def look_up(name: bytes) -> list[str]:
    """The addresses of a name, from the C library. Blocks; raises `OSError` or `ValueError`."""
    # As bytes: Python would encode a `str` by its own, older IDNA.
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Resolver:
    """Resolves names, for as long as its event loop runs."""

    def __init__(self, look_up: LookUp = look_up, max_cancelled: int = _MAX_CANCELLED) -> None:
        self._look_up = look_up
        self._max_cancelled = max_cancelled
        self._numbers = itertools.count(1)
        self._wanted: dict[int, tuple[bytes, asyncio.Future[list[str]]]] = {}
        self._cancelled: set[int] = set()
        self._process: _LookUpProcess | None = None

    async def resolve(self, host: str) -> list[Address]:
        """Every address of a name. A host that is an address already is returned as one.

        Raises `Unknown`.
        """
        with suppress(ValueError):
            return [plain(ip_address(host))]
        try:
            addresses = await self._ask(host.encode("ascii"))
            # Addresses keep their zone (`fe80::1%2`), since `is_public` refuses those that have
            # one.
            return list(dict.fromkeys(plain(ip_address(address)) for address in addresses))
        except (OSError, ValueError) as exc:
            raise Unknown from exc

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()

    async def _ask(self, name: bytes) -> list[str]:
        if b"\n" in name:
            raise ValueError
        if self._process is None or self._process.is_dead:
            self._start()
        assert self._process is not None
        number = next(self._numbers)
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._wanted[number] = name, answer
        self._process.ask(number, name)
        try:
            return await answer
        finally:
            if self._wanted.pop(number, None) is not None:
                self._cancel(number)

    def _cancel(self, number: int) -> None:
        self._cancelled.add(number)
        if len(self._cancelled) > self._max_cancelled:
            self._start()

    def _start(self) -> None:
        """Start a new process, and send it the look-ups that are still wanted."""
        if self._process is not None:
            self._process.kill()
        self._cancelled.clear()
        self._process = _LookUpProcess(self._look_up, self._take, self._end)
        for number, (name, _) in self._wanted.items():
            self._process.ask(number, name)

    def _take(self, number: int, addresses: list[str] | None) -> None:
        self._cancelled.discard(number)
        _, answer = self._wanted.pop(number, (b"", None))
        if answer is None or answer.done():
            return
        if addresses is None:
            answer.set_exception(OSError("not known"))
        else:
            answer.set_result(addresses)

    def _end(self, process: "_LookUpProcess") -> None:
        """The process ended by itself: the look-ups that it had fail."""
        if process is self._process:
            self._cancelled.clear()
            for number in list(self._wanted):
                self._take(number, None)


class _LookUpProcess(asyncio.Protocol):
    """One run of the child process. It reads lines `number name`, and writes JSON lines."""

    def __init__(
        self,
        look_up: LookUp,
        on_answer: Callable[[int, list[str] | None], None],
        on_end: Callable[["_LookUpProcess"], None],
    ) -> None:
        """Forks: the user of this process may not be able to read the Python installation."""
        self._on_answer = on_answer
        self._on_end = on_end
        self._received = b""
        self._unsent = b""
        self._transport: asyncio.Transport | None = None
        self.is_dead = False
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _serve(theirs, look_up)
            finally:
                os._exit(0)
        theirs.close()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        self._connecting = loop.create_task(loop.create_connection(lambda: self, sock=ours))

    def ask(self, number: int, name: bytes) -> None:
        line = b"%d %b\n" % (number, name)
        if self._transport is None:
            self._unsent += line
        else:
            self._transport.write(line)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            if not self.is_dead:
                os.kill(self._pid, signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._unsent)

    def data_received(self, data: bytes) -> None:
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._on_answer(*json.loads(line))

    def connection_lost(self, exc: Exception | None) -> None:
        # A process closes its connections just before it ends, so this does not block for long.
        os.waitpid(self._pid, 0)
        self.is_dead = True
        self._on_end(self)


def _serve(control: socket.socket, look_up: LookUp) -> None:
    """Look up each name in a thread of its own, until the other end is closed."""
    # The parent's descriptors, such as renders' ports, would stay open here.
    for number in [int(entry.name) for entry in os.scandir("/proc/self/fd")]:
        if number > 2 and number != control.fileno():
            with suppress(OSError):  # `scandir` has closed its own descriptor by now
                os.close(number)
    sending = threading.Lock()

    def answer(number: int, name: bytes) -> None:
        try:
            addresses = look_up(name)
        except (OSError, ValueError):
            addresses = None
        with sending:
            control.sendall(json.dumps([number, addresses]).encode() + b"\n")

    for line in control.makefile("rb"):
        key, _, name = line.rstrip(b"\n").partition(b" ")
        threading.Thread(target=answer, args=(int(key), name), daemon=True).start()
