"""The policy itself: decides from a host, its addresses and a port.

The first row that matches decides; if none matches, the access is refused::

    port     80, 443, above 1023; any other is refused
    denied   a host pattern or network of FARM_EGRESS_DENY
    allowed  a host pattern of FARM_EGRESS_ALLOW, whatever the host's addresses are
             a network of FARM_EGRESS_ALLOW
             a public address, unless FARM_EGRESS is `none`

A host is allowed only if every address of it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Self

from farm.policy.addresses import Address, Network, embedded, is_public, plain

_LOWEST_FREE_PORT = 1024
_WEB_PORTS = (80, 443)
_PATTERN = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")

PORT = "the port is not 80, 443 or above 1023"
DENIED = "it is denied"
NO_NETWORK = "the network is closed"
NOT_PUBLIC = "its address is not public"


@dataclass(frozen=True)
class Refusal:
    """What was refused: a host as the page named it, and the reason in words."""

    host: str
    reason: str


class Refused(Exception):
    """The policy forbids it. `str()` is the reason in words."""


@dataclass(frozen=True)
class Names:
    """Networks and host patterns: `10.0.0.0/8`, `fd00::/8`, `example.com`, `*.example.com`, `*`.

    `*.example.com` matches every host below `example.com`, but not `example.com` itself.
    """

    networks: tuple[Network, ...] = ()
    patterns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Raises `ValueError`, whose message names the entry and what is wrong with it."""
        networks: list[Network] = []
        patterns: list[str] = []
        for entry in entries:
            if "/" in entry or _as_address(entry) is not None:
                try:
                    networks.append(ip_network(entry))
                except ValueError as exc:
                    raise ValueError(f"{entry!r} is not a network such as 10.0.0.0/8") from exc
            elif _PATTERN.fullmatch(entry.lower()):
                patterns.append(entry.lower())
            else:
                raise ValueError(
                    f"{entry!r} is neither a network such as 10.0.0.0/8 nor a host such as "
                    "example.com or *.example.com (no port; other scripts as xn--…)"
                )
        return cls(tuple(networks), tuple(patterns))

    def has_host(self, host: str) -> bool:
        return any(
            pattern in ("*", host) or (pattern[0] == "*" and host.endswith(pattern[1:]))
            for pattern in self.patterns
        )

    def has_address(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


@dataclass(frozen=True)
class Policy:
    """What is allowed. `public`: whether public addresses are, without being listed in `allow`."""

    public: bool = True
    allow: Names = Names()
    deny: Names = Names()

    def check_host(self, host: str, port: int) -> bool:
        """Check a host before its name is resolved. True if `allow` has its name.

        `host` is a name, or an address without brackets. Raises `Refused`. It does so as well if no
        address could be allowed, since resolving a name tells its name servers something.
        """
        if port not in _WEB_PORTS and port < _LOWEST_FREE_PORT:
            raise Refused(PORT)
        name = host.lower().rstrip(".")
        if self.deny.has_host(name):
            raise Refused(DENIED)
        if self.allow.has_host(name):
            return True
        if not self.public and not self.allow.networks:
            raise Refused(NO_NETWORK)
        return False

    def check_address(self, address: Address, *, by_name: bool) -> bool:
        """Check one address of a host; `by_name` is what `check_host` returned for the host.

        True if the operator has allowed it by name or by network. Raises `Refused`.
        """
        address = plain(address)
        inner = embedded(address) if isinstance(address, IPv6Address) else None
        if any(self.deny.has_address(face) for face in (address, inner) if face):
            raise Refused(DENIED)
        if by_name or self.allow.has_address(address):
            return True
        if not self.public:
            raise Refused(NO_NETWORK)
        if not is_public(address):
            raise Refused(NOT_PUBLIC)
        return False


def _as_address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
