"""The egress proxy's process: `python -m farm.egress FD`, started by `farm.egress.Egress`.

FD is a socket of whole messages. The first is a `Start`, then `open` with a listening socket and
whose it is, `renew` for each further render, `check` with a host and `close`; back come `Note`s,
the news that a port is used, what the policy says of a host, and a beat each second. It ends when
the other end is closed, and so with the farm.
"""

import asyncio
import json
import os
import pickle
import resource
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from farm.egress.dial import Failed, check
from farm.egress.peers import peer_uid
from farm.egress.proxy import Listener, Note, Proxy, Rules
from farm.egress.resolver import Resolver
from farm.egress.turns import Turns
from farm.policy import Refused

MAX_MESSAGE_BYTES = 65_536
BEAT_S = 1.0
#: Notes of one render; what comes after them is not told.
_MAX_NOTES = 1000
#: Longer than any name that DNS knows.
_MAX_HOST = 255


@dataclass(frozen=True)
class Start:
    """The first message. `become`: the user and group to become, for a process started as root."""

    rules: Rules
    become: tuple[int, int] | None


@dataclass
class _ServedPort:
    """A port: the proxy of the render that has it now, the `account` of its notes."""

    proxy: Proxy
    listening: socket.socket
    rules: Rules
    account: int


class _ProxyServer:
    def __init__(self, control: socket.socket, rules: Rules) -> None:
        self._control = control
        self._rules = rules
        self._ports: dict[int, _ServedPort] = {}
        self._turns = Turns()
        self._resolver = Resolver()
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._tasks: set[asyncio.Future[None]] = set()
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        self._loop.add_reader(self._control, self._obey)
        beating = asyncio.create_task(self._beat())
        await self._ended
        beating.cancel()
        self._resolver.close()

    def _obey(self) -> None:
        # All that has come: what was said before a connection came is done before it is accepted.
        while True:
            try:
                message, sockets, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, 1)
            except BlockingIOError:
                return
            except OSError:
                message, sockets = b"", []
            if not message:
                self._loop.remove_reader(self._control)
                self._ended.set_result(None)
                return
            command, number, *rest = message.decode().split()
            if command == "check":
                account, host, host_port = rest
                self._do(self._check(int(number), int(account), host, int(host_port)))
            else:
                self._obey_one(command, int(number), sockets, *map(int, rest))

    def _obey_one(self, command: str, port: int, sockets: list[int], value: int = 0) -> None:
        """`value`: of `open` the user, of `renew` the account."""
        if command == "open":
            if not sockets:  # the kernel drops what this process has no descriptor for
                sys.exit("The egress proxy has no file descriptor left for a render's port.")
            rules = replace(self._rules, uid=value)
            self._serve(port, socket.socket(fileno=sockets[0]), rules, 0)
        elif (served := self._ports.get(port)) is None:
            return
        elif command == "renew" and not served.proxy.was_used:
            served.account = value
        else:
            del self._ports[port]
            listening = None
            if command == "renew":
                with suppress(OSError):  # no descriptor is left: nobody answers there any more
                    listening = served.listening.dup()
            served.proxy.close()
            if listening is not None:
                self._serve(port, listening, served.rules, value)

    def _serve(self, port: int, listening: socket.socket, rules: Rules, account: int) -> None:
        listener = self._listener(port, lambda: served.account)
        proxy = Proxy(rules, listener, self._turns, self._resolver.resolve)
        served = self._ports[port] = _ServedPort(proxy, listening, rules, account)
        self._do(proxy.serve(listening))

    async def _check(self, port: int, account: int, host: str, host_port: int) -> None:
        message: dict[str, object] = {"port": port, "account": account, "checked": host}
        try:
            await check(self._rules.policy, host, host_port, self._resolver.resolve)
        except Refused as exc:
            message["reason"] = str(exc)
        except Failed:
            pass  # nothing forbids it
        await self._send(message)

    def _listener(self, port: int, account: Callable[[], int]) -> Listener:
        left = _MAX_NOTES

        async def tell(news: Note | None) -> None:
            nonlocal left
            message: dict[str, object] = {"port": port, "account": account()}
            if news is not None:
                left -= 1
                message |= asdict(replace(news, host=news.host[:_MAX_HOST]))
            if left >= 0:
                await self._send(message)

        return tell

    async def _beat(self) -> None:
        while True:
            await self._send({})
            await asyncio.sleep(BEAT_S)

    async def _send(self, message: dict[str, object]) -> None:
        # The loop knows one waiter of a socket: a second one would make it forget the first.
        async with self._sending:
            await self._loop.sock_sendall(self._control, json.dumps(message).encode())

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _run(control: socket.socket, rules: Rules) -> None:
    await _ProxyServer(control, rules).run()


def _check_kernel() -> None:
    """End with a sentence where nobody could be answered, since nobody could be known."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as ours:
            if peer_uid(ours) is None:
                sys.exit(
                    "The egress proxy cannot run: the kernel does not tell whose connection it is "
                    "(netlink sock_diag, kernel module inet_diag)."
                )


def _allow_open_files() -> None:
    """As many as the machine allows: each connection of each render is one or two.

    Shells and systemd start programs with 1,024.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where the kernel's own bound was lowered since, the old one stays.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    _allow_open_files()
    control = socket.socket(fileno=int(sys.argv[1]))
    start: Start = pickle.loads(control.recv(MAX_MESSAGE_BYTES))
    _check_kernel()
    if start.become is not None:
        # All is imported by now, and nothing below imports more: Python itself may lie where this
        # user cannot read it.
        uid, gid = start.become
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    control.setblocking(False)
    asyncio.run(_run(control, start.rules))
