"""What a page may reach."""

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.policy import DENIED, NO_NETWORK, NOT_PUBLIC, PORT, Names, Policy, Refused
from farm.policy.addresses import is_public


def policy(public: bool = True, allow: str = "", deny: str = "") -> Policy:
    return Policy(public, Names.parse(allow.split()), Names.parse(deny.split()))


def decide(of: Policy, host: str, *addresses: str, port: int = 443) -> str:
    """`ok`, or why not."""
    try:
        by_name = of.check_host(host, port)
        for address in addresses:
            of.check_address(ip_address(address), by_name=by_name)
    except Refused as exc:
        return str(exc)
    return "ok"


@pytest.mark.parametrize(
    ("port", "decision"),
    [(80, "ok"), (443, "ok"), (1024, "ok"), (65535, "ok"), (22, PORT), (81, PORT), (1023, PORT)],
)
def test_only_the_ports_of_the_web_and_free_ones_are_reached(port: int, decision: str) -> None:
    assert decide(policy(), "example.com", "1.1.1.1", port=port) == decision
    assert decide(policy(allow="example.com"), "example.com", "1.1.1.1", port=port) == decision


def test_every_address_must_be_public() -> None:
    assert decide(policy(), "example.com", "1.1.1.1", "2606:4700::1") == "ok"
    assert decide(policy(), "example.com", "1.1.1.1", "10.0.0.1") == NOT_PUBLIC


def test_an_allowed_network_is_reached_though_it_is_private() -> None:
    internal = policy(allow="10.1.0.0/16 fd00::/8")
    assert decide(internal, "intranet", "10.1.2.3", "fd00::1") == "ok"
    assert decide(internal, "intranet", "::ffff:10.1.2.3") == "ok"
    assert decide(internal, "intranet", "10.1.2.3", "10.2.0.1") == NOT_PUBLIC


def test_an_allowed_host_is_reached_whatever_its_addresses() -> None:
    internal = policy(allow="intranet *.corp.example")
    assert decide(internal, "intranet", "10.1.2.3") == "ok"
    assert decide(internal, "INTRANET.", "10.1.2.3") == "ok"
    assert decide(internal, "wiki.Corp.Example", "10.1.2.3") == "ok"
    assert decide(internal, "a.b.corp.example", "10.1.2.3") == "ok"
    assert decide(internal, "corp.example", "10.1.2.3") == NOT_PUBLIC
    assert decide(internal, "evilcorp.example", "10.1.2.3") == NOT_PUBLIC


def test_deny_takes_precedence_over_allow() -> None:
    closed = policy(
        allow="* 10.0.0.0/8", deny="tracker.example *.ads.example 10.9.0.0/16 1.0.0.0/8"
    )
    assert decide(closed, "tracker.example", "8.8.8.8") == DENIED
    assert decide(closed, "tracker.example.", "8.8.8.8") == DENIED
    assert decide(closed, "x.ads.example") == DENIED
    assert decide(closed, "example.com", "10.9.1.1") == DENIED
    assert decide(closed, "example.com", "1.1.1.1") == DENIED
    assert decide(closed, "example.com", "::ffff:1.1.1.1") == DENIED
    assert decide(closed, "example.com", "64:ff9b::1.1.1.1") == DENIED
    assert decide(closed, "example.com", "8.8.8.8") == "ok"


def test_with_a_closed_network_no_name_is_resolved() -> None:
    """Names that pages make up would tell their name servers what the page has seen."""
    with pytest.raises(Refused, match=NO_NETWORK):
        policy(public=False).check_host("secret.example.com", 443)


def test_a_closed_network_still_has_what_is_allowed() -> None:
    closed = policy(public=False, allow="cdn.example 10.1.0.0/16")
    assert decide(closed, "cdn.example", "1.1.1.1") == "ok"
    assert decide(closed, "intranet", "10.1.0.1") == "ok"
    assert decide(closed, "example.com", "1.1.1.1") == NO_NETWORK


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "a b", "*.", "ex*mple", "example.com:80", "[::1]"])
def test_an_entry_that_is_neither_network_nor_host_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match="is n"):
        Names.parse([entry])


@given(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 65535))
def test_without_lists_only_public_addresses_are_reached(address: IPv4Address, port: int) -> None:
    allowed = decide(policy(), "example.com", str(address), port=port) == "ok"
    assert allowed == (is_public(address) and (port in (80, 443) or port > 1023))
