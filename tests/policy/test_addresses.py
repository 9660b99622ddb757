"""Which addresses are public."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.policy.addresses import embedded, is_public, plain

PUBLIC_V4 = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "223.255.255.255"]
PRIVATE_V4 = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
PRIVATE_V6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%1",
    "2606:4700::1%1",
    "fec0::1",
    "ff02::1",
]
V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)


def translated(inner: IPv4Address) -> list[IPv6Address]:
    """The public-looking IPv6 addresses that lead to an IPv4 address."""
    bits = int(inner)
    return [
        IPv6Address(f"::ffff:{inner}"),
        IPv6Address(f"64:ff9b::{inner}"),
        IPv6Address(0x2002 << 112 | bits << 80 | 1),
        IPv6Address(0x26064700 << 96 | 0x5EFE << 32 | bits),
        IPv6Address(0x26064700 << 96 | 0x02005EFE << 32 | bits),
    ]


@pytest.mark.parametrize("text", [*PUBLIC_V4, "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_addresses_that_anyone_can_reach_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE_V4 + PRIVATE_V6)
def test_special_addresses_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@given(V4)
def test_an_embedded_address_decides_as_if_it_were_plain(inner: IPv4Address) -> None:
    for address in translated(inner):
        assert is_public(address) == is_public(inner)


@given(V4)
def test_a_mapped_address_is_the_plain_one(inner: IPv4Address) -> None:
    assert plain(IPv6Address(f"::ffff:{inner}")) == plain(inner) == inner


@given(st.one_of(V4, V6))
def test_nothing_is_public_that_python_knows_to_be_otherwise(
    address: IPv4Address | IPv6Address,
) -> None:
    if is_public(address) and not (isinstance(address, IPv6Address) and embedded(address)):
        assert plain(address).is_global
        assert not plain(address).is_multicast
        assert not plain(address).is_reserved
