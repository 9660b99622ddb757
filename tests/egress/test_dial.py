"""Dialling what was checked."""

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest

from farm.egress.dial import NO_FILES, Failed, dial
from farm.egress.resolver import Resolver
from farm.policy import NOT_PUBLIC, Names, Policy, Refused
from farm.policy.addresses import Address
from tests.support.files import no_more_files

LOOPBACK = Policy(allow=Names.parse(["127.0.0.0/8"]))

NOTATIONS = ["127.0.0.1", "2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1", "127.0.1"]
NOTATIONS += ["0", "0.0.0.0", "localhost", "LOCALHOST", "::1", "::", "::ffff:127.0.0.1"]


def peer_of(
    policy: Policy, host: str, port: int, answers: Callable[[str], Awaitable[list[Address]]]
) -> str:
    """Where a connection to the host arrives."""

    async def connect() -> str:
        _, writer = await dial(policy, host, port, answers)
        try:
            return str(writer.get_extra_info("peername")[0])
        finally:
            writer.close()

    return asyncio.run(connect())


async def dial_by_name(policy: Policy, host: str, port: int) -> None:
    """With the farm's own resolver."""
    resolver = Resolver()
    try:
        await dial(policy, host, port, resolver.resolve)
    finally:
        resolver.close()


def test_a_name_is_resolved_once_for_the_check_and_the_connection() -> None:
    """Rebinding: the second answer would be the canary."""
    asked = []

    async def changing(host: str) -> list[Address]:
        asked.append(host)
        return [ip_address("127.0.0.2" if len(asked) == 1 else "127.0.0.1")]

    policy = Policy(allow=Names.parse(["127.0.0.2"]))
    with socket.create_server(("", 0)) as site:
        assert peer_of(policy, "rebinding.example", site.getsockname()[1], changing) == "127.0.0.2"
    assert asked == ["rebinding.example"]


def test_one_address_that_is_not_allowed_refuses_the_host() -> None:
    async def mixed(host: str) -> list[Address]:
        return [ip_address("127.0.0.1"), ip_address("10.0.0.1")]

    with socket.create_server(("127.0.0.1", 0)) as site, pytest.raises(Refused, match=NOT_PUBLIC):
        peer_of(LOOPBACK, "mixed.example", site.getsockname()[1], mixed)


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    async def two(host: str) -> list[Address]:
        return [ip_address("127.0.0.3"), ip_address("127.0.0.2")]

    with socket.create_server(("127.0.0.2", 0)) as site:
        assert peer_of(LOOPBACK, "two.example", site.getsockname()[1], two) == "127.0.0.2"


def test_a_host_that_nobody_knows_has_failed() -> None:
    with pytest.raises(Failed, match="not known"):
        asyncio.run(dial_by_name(LOOPBACK, "no-such-host.invalid", 80))


def test_a_port_that_nobody_listens_on_has_failed() -> None:
    with pytest.raises(Failed, match="refused the connection"):
        asyncio.run(dial_by_name(LOOPBACK, "127.0.0.1", 1025))


@pytest.mark.parametrize("host", ["127.0.0.1", "1.1.1.1"], ids=["named", "asked about first"])
def test_a_lack_of_file_descriptors_is_reported_as_the_farms_own(host: str) -> None:
    async def try_it() -> None:
        async def one(host: str) -> list[Address]:
            return [ip_address(host)]

        with no_more_files():
            await dial(LOOPBACK, host, 8080, one)

    with pytest.raises(Failed, match=NO_FILES):
        asyncio.run(try_it())


def test_without_ipv6_the_other_addresses_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutIpv6(socket.socket):
        def __init__(self, family: int = -1, *args: int, **kwargs: int) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, *args, **kwargs)

    async def two(host: str) -> list[Address]:
        return [ip_address("2606:4700::1"), ip_address("127.0.0.2")]

    with socket.create_server(("127.0.0.2", 0)) as site:
        monkeypatch.setattr(socket, "socket", WithoutIpv6)
        assert peer_of(LOOPBACK, "two.example", site.getsockname()[1], two) == "127.0.0.2"


@pytest.mark.parametrize(
    "host",
    NOTATIONS,
)
def test_every_notation_of_this_machine_is_refused(host: str) -> None:
    with pytest.raises(Refused, match=NOT_PUBLIC):
        asyncio.run(dial_by_name(Policy(), host, 8080))


@pytest.mark.parametrize("host", ["fe80::1%lo", "fe80::1%1", "::1%lo", "2606:4700::1%lo"])
def test_an_address_with_a_zone_is_not_dialled(host: str) -> None:
    with pytest.raises((Refused, Failed)):
        asyncio.run(dial_by_name(Policy(), host, 8080))
