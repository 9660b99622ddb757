"""Decides which addresses are public, that is, reachable for anyone on the Internet.

`policy` and the egress proxy use it. Python's `is_global` is not enough. It is True for
`2002:7f00:1::`, `64:ff9b::7f00:1`, `::127.0.0.1`, `fec0::1`, `ff02::1`, `224.0.0.1` and `192.0.0.8`
(Python 3.11), and its answers change with Python's version. The tables are those of the IANA:
https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT, and some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # in no registry: Azure's WireServer, inside every one of its networks
        "169.254.0.0/16",  # link-local, and the clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
#: No IPv6 address outside of this network is public, except those in `_NAT64`.
_UNICAST_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo is among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
#: Interface identifiers that ISATAP puts before an IPv4 address (RFC 5214).
_ISATAP = (0x00005EFE, 0x02005EFE)


def plain(address: Address) -> Address:
    """The address that the kernel dials: of an IPv4-mapped IPv6 address, the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    """Whether the address is public, and also the IPv4 address that it may embed."""
    address = plain(address)
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _SPECIAL_V4)
    if address.scope_id is not None:
        return False
    inner = embedded(address)
    if inner is not None and not is_public(inner):
        return False
    if address in _NAT64:
        return True
    return address in _UNICAST_V6 and not any(address in network for network in _SPECIAL_V6)


def embedded(address: IPv6Address) -> IPv4Address | None:
    """The embedded IPv4 address, which a translator between the networks would dial."""
    bits = int(address)
    if address in _NAT64:
        return IPv4Address(bits & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address(bits >> 80 & 0xFFFFFFFF)
    if bits >> 32 & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(bits & 0xFFFFFFFF)
    return None
