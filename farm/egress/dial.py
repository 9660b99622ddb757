"""Connects to a host: resolves its name once, checks every address, and dials a checked address.

`proxy` calls `dial` and `process` calls `check`, in the proxy process's only thread.
"""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from ipaddress import ip_address

from farm.egress.resolver import Unknown
from farm.policy import NOT_PUBLIC, Policy, Refused
from farm.policy.addresses import Address

#: The time in which one address must accept, and how many of a host's addresses are tried.
_CONNECT_TIMEOUT_S = 8.0
_MAX_TRIES = 4
#: Bytes that one connection may buffer in each direction before its sender is paused.
_BUFFER_BYTES = 65_536

UNREACHABLE = "its host cannot be reached"
NO_FILES = "the farm has no file descriptor left for another connection"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolve = Callable[[str], Awaitable[list[Address]]]


class Failed(Exception):
    """The policy allows the host, but it cannot be reached. `str()` is the reason in words."""


async def dial(policy: Policy, host: str, port: int, resolve: Resolve) -> Stream:
    """Connect to the host. `resolve` raises `Unknown`; this raises `Refused` or `Failed`."""
    addresses = await check(policy, host, port, resolve)
    return await _connect(addresses[:_MAX_TRIES], port)


async def check(policy: Policy, host: str, port: int, resolve: Resolve) -> list[Address]:
    """The host's addresses, all of which are allowed. Dials nothing; raises as `dial` does."""
    by_name = policy.check_host(host, port)
    try:
        addresses = await resolve(host)
    except Unknown as exc:
        raise Failed("its host name is not known") from exc
    for address in addresses:
        named = policy.check_address(address, by_name=by_name)
        # A firewall may protect this machine's services from the Internet, but not from the machine
        # itself, so its own public addresses are refused.
        if not named and _is_this_machine(address):
            raise Refused(NOT_PUBLIC)
    return addresses


def _is_this_machine(address: Address) -> bool:
    """Whether packets to the address stay on this machine. Sends no packet."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        probe = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as exc:
        if exc.errno == errno.EAFNOSUPPORT:
            return False
        # An address that cannot be checked is not dialled.
        raise Failed(_why(exc, UNREACHABLE)) from exc
    with closing(probe):
        try:
            probe.connect((str(address), 9))
            return ip_address(probe.getsockname()[0]) == address
        except OSError:  # no route to the address: connecting to it fails too
            return False


async def _connect(addresses: list[Address], port: int) -> Stream:
    reason = UNREACHABLE
    for address in addresses:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                return await asyncio.open_connection(str(address), port, limit=_BUFFER_BYTES)
        except TimeoutError:
            reason = "its host did not answer"
        except ConnectionRefusedError:
            reason = "its host refused the connection"
        except OSError as exc:
            reason = _why(exc, reason)
    raise Failed(reason)


def _why(exc: OSError, otherwise: str) -> str:
    """The reason in words. A lack of file descriptors here must not look like the host's fault."""
    return NO_FILES if exc.errno in (errno.EMFILE, errno.ENFILE) else otherwise
