"""Addresses: from where a system may call, and who the caller is behind proxies."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from core.errors import AddressRefused, FieldError, SchemaViolation
from core.identity.model import Network

Address = IPv4Address | IPv6Address
MAX_NETWORKS = 64
MAX_HOPS = 32


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read networks in CIDR notation; raise SchemaViolation pointing at each that is none."""
    found, errors = [], []
    for index, text in enumerate(texts):
        try:
            found.append(ip_network(text.strip()))
        except ValueError:
            detail = "not a network in CIDR notation with its host bits zero, such as 10.20.0.0/16"
            errors.append(FieldError(pointer=f"/networks/{index}", code="NETWORK", detail=detail))
    if len(texts) > MAX_NETWORKS:
        detail = f"at most {MAX_NETWORKS} networks"
        errors.append(FieldError(pointer="/networks", code="TOO-MANY", detail=detail))
    if errors:
        msg = "the networks are not all right"
        raise SchemaViolation(msg, errors=tuple(errors))
    return tuple(found)


def require_network(networks: tuple[Network, ...] | None, address: Address | None) -> None:
    """Raise AddressRefused unless `address` lies in one of `networks`; None for networks allows any."""
    if networks is None:
        return
    if address is None or not any(_contains(network, address) for network in networks):
        msg = "the system may not call from this address; an administrator decides which it may call from"
        raise AddressRefused(msg)


def find_address(peer: str | None, forwarded: str, trusted: Sequence[Network]) -> Address | None:
    """Tell who calls: the peer, or, where that is a trusted proxy, whom the proxies say they forward.

    `forwarded` is X-Forwarded-For: each proxy appends whom it was called by, so it is read from the right,
    and the first address that is no trusted proxy is the caller. What stands left of it, anyone may have
    written. None where it cannot be told.
    """
    address = _parse(peer or "")
    hops = [hop.strip() for hop in forwarded.split(",")][-MAX_HOPS:] if forwarded else []
    while address is not None and hops and any(_contains(network, address) for network in trusted):
        address = _parse(hops.pop())
    return address


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _contains(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network
