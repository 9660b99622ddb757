"""Dialling: a name is resolved once, every answer is checked, and what was checked is dialled."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from ipaddress import ip_address

from farm.egress.resolver import Unknown
from farm.policy import NOT_PUBLIC, Policy, Refused
from farm.policy.addresses import Address

#: How long one address may take to accept, and how many of a host's are tried.
_CONNECT_TIMEOUT_S = 8.0
_MAX_TRIES = 4
#: What may be on its way from or to one connection, before the sender is held back.
_BUFFER_BYTES = 65_536

UNREACHABLE = "its host cannot be reached"
NO_FILES = "the farm has no file descriptor left for another connection"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolve = Callable[[str], Awaitable[list[Address]]]


class Failed(Exception):
    """Nothing forbids it, but it cannot be reached; `str()` of it says why, in words."""


async def dial(policy: Policy, host: str, port: int, resolve: Resolve) -> Stream:
    """A connection to the host. `resolve` raises `Unknown`; this raises `Refused` or `Failed`."""
    addresses = await check(policy, host, port, resolve)
    return await _connect(addresses[:_MAX_TRIES], port)


async def check(policy: Policy, host: str, port: int, resolve: Resolve) -> list[Address]:
    """The host's addresses, which are all allowed. Raises what `dial` does; nothing is dialled."""
    by_name = policy.check_host(host, port)
    try:
        addresses = await resolve(host)
    except Unknown as exc:
        raise Failed("its host name is not known") from exc
    for address in addresses:
        named = policy.check_address(address, by_name=by_name)
        # This machine's public address leads to what its firewall hides from the Internet.
        if not named and _is_this_machine(address):
            raise Refused(NOT_PUBLIC)
    return addresses


def _is_this_machine(address: Address) -> bool:
    """Whether packets to the address would never leave this machine. None is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        probe = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as exc:
        if exc.errno == errno.EAFNOSUPPORT:
            return False
        # What cannot be asked about is not dialled.
        raise Failed(_why(exc, UNREACHABLE)) from exc
    with closing(probe):
        try:
            probe.connect((str(address), 9))
            return ip_address(probe.getsockname()[0]) == address
        except OSError:  # there is no way to it, as connecting will find out
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
    """The farm's own lack of descriptors is not to look like the host's fault."""
    return NO_FILES if exc.errno in (errno.EMFILE, errno.ENFILE) else otherwise
