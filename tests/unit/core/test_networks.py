"""Who calls behind proxies: only what trusted proxies say is believed."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import AddressRefused, SchemaViolation
from core.identity.networks import find_address, parse_networks, require_network

PROXIES = parse_networks(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "10.9.9.9", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.9, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "192.0.2.7, junk", None),
        ("10.0.0.1", "junk, 192.0.2.7", "192.0.2.7"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("fd00::1", "[2001:db8::5]", "2001:db8::5"),
        ("testclient", "192.0.2.7", None),
        (None, "192.0.2.7", None),
    ],
)
def test_address_is_the_first_from_the_right_that_is_no_trusted_proxy(
    peer: str | None, forwarded: str, found: str | None
) -> None:
    assert find_address(peer, forwarded, PROXIES) == (None if found is None else ip_address(found))


@given(forged=st.text(max_size=60), real=st.ip_addresses(v=4))
def test_address_that_a_caller_wrote_itself_never_counts(forged: str, real: object) -> None:
    if any(ip_address(str(real)) in network for network in PROXIES if network.version == 4):
        return
    assert find_address("10.0.0.1", f"{forged},{real}", PROXIES) == real
    assert find_address(str(real), forged, PROXIES) == real


def test_network_of_the_other_family_allows_nobody() -> None:
    with pytest.raises(AddressRefused):
        require_network(parse_networks(["::/0"]), ip_address("192.0.2.1"))
    with pytest.raises(AddressRefused):
        require_network(parse_networks(["0.0.0.0/0"]), None)
    require_network(None, None)


def test_networks_are_read_and_bad_ones_pointed_at() -> None:
    assert [str(each) for each in parse_networks([" 10.0.0.0/8", "::/0"])] == ["10.0.0.0/8", "::/0"]
    with pytest.raises(SchemaViolation) as refused:
        parse_networks(["10.0.0.0/8", "10.0.0.1/8"])
    assert [error.pointer for error in refused.value.errors] == ["/networks/1"]
