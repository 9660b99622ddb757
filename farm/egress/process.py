"""The egress proxy's process: `python -m farm.egress FD`, started by `farm.egress.Egress`.

One thread runs asyncio and serves the ports of all renders. FD is a `SOCK_SEQPACKET` socket to the
farm. The farm sends a `Start` first, and then:

    open PORT UID                    with a listening socket, and the user who may connect to it
    renew PORT ACCOUNT               the port's next render begins
    check PORT ACCOUNT HOST HOSTPORT asks whether the policy allows a host
    close PORT

The process sends back `Note`s, a message when a port is used for the first time, the answers to
`check`, and a heartbeat each second. It ends when the farm closes the socket, and so when the farm
ends.
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
HEARTBEAT_S = 1.0
#: Notes that one render may cause. Further ones are dropped.
_MAX_NOTES = 1000
#: DNS names are shorter.
_MAX_HOST = 255


@dataclass(frozen=True)
class Start:
    """The first message. `become`: the user and group to switch to, if the farm runs as root."""

    rules: Rules
    become: tuple[int, int] | None


@dataclass
class _ServedPort:
    """A port, the proxy of its current render, and the `account` number of that render's notes."""

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
        self._loop.add_reader(self._control, self._receive)
        heartbeats = asyncio.create_task(self._send_heartbeats())
        await self._ended
        heartbeats.cancel()
        self._resolver.close()

    def _receive(self) -> None:
        # Read all messages at once: those that came before a connection are applied before that
        # connection is accepted.
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
                self._start_task(self._check(int(number), int(account), host, int(host_port)))
            else:
                self._apply(command, int(number), sockets, *map(int, rest))

    def _apply(self, command: str, port: int, sockets: list[int], value: int = 0) -> None:
        """`value` is the user for `open`, and the account for `renew`."""
        if command == "open":
            if not sockets:  # the kernel drops a descriptor if this process can have no more
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
                with suppress(OSError):  # no descriptor is left: the port stays unserved
                    listening = served.listening.dup()
            served.proxy.close()
            if listening is not None:
                self._serve(port, listening, served.rules, value)

    def _serve(self, port: int, listening: socket.socket, rules: Rules, account: int) -> None:
        listener = self._listener(port, lambda: served.account)
        proxy = Proxy(rules, listener, self._turns, self._resolver.resolve)
        served = self._ports[port] = _ServedPort(proxy, listening, rules, account)
        self._start_task(proxy.serve(listening))

    async def _check(self, port: int, account: int, host: str, host_port: int) -> None:
        message: dict[str, object] = {"port": port, "account": account, "checked": host}
        try:
            await check(self._rules.policy, host, host_port, self._resolver.resolve)
        except Refused as exc:
            message["reason"] = str(exc)
        except Failed:
            pass  # the policy allows the host, even if it cannot be reached
        await self._send(message)

    def _listener(self, port: int, account: Callable[[], int]) -> Listener:
        left = _MAX_NOTES

        async def report(news: Note | None) -> None:
            nonlocal left
            message: dict[str, object] = {"port": port, "account": account()}
            if news is not None:
                left -= 1
                message |= asdict(replace(news, host=news.host[:_MAX_HOST]))
            if left >= 0:
                await self._send(message)

        return report

    async def _send_heartbeats(self) -> None:
        while True:
            await self._send({})
            await asyncio.sleep(HEARTBEAT_S)

    async def _send(self, message: dict[str, object]) -> None:
        # asyncio keeps one waiting sender for each socket, and a second one would replace it.
        async with self._sending:
            await self._loop.sock_sendall(self._control, json.dumps(message).encode())

    def _start_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _run(control: socket.socket, rules: Rules) -> None:
    await _ProxyServer(control, rules).run()


def _check_kernel() -> None:
    """Exit with a sentence if the kernel cannot say whose connection is whose.

    The proxy could answer nobody then.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as ours:
            if peer_uid(ours) is None:
                sys.exit(
                    "The egress proxy cannot run: the kernel does not say which user has connected "
                    "(netlink sock_diag, kernel module inet_diag)."
                )


def _allow_open_files() -> None:
    """Raise the limit to the hard limit: each connection of each render needs one or two files.

    Shells and systemd start programs with a limit of 1,024.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Fails if the kernel's own limit is lower than the hard limit; then the soft limit stays.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    _allow_open_files()
    control = socket.socket(fileno=int(sys.argv[1]))
    start: Start = pickle.loads(control.recv(MAX_MESSAGE_BYTES))
    _check_kernel()
    if start.become is not None:
        # All modules are imported before this, since the new user may not be able to read the
        # Python installation.
        uid, gid = start.become
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    control.setblocking(False)
    asyncio.run(_run(control, start.rules))
