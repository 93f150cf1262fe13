"""Where the hub may connect to on behalf of a subscriber: to the internet, and to networks on its list.

A name is resolved by us, every address that it has is checked, and the connection then goes to one of those
very addresses, so that a name cannot point elsewhere in between (server-side request forgery, DNS rebinding).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from core.identity.model import Network
from subscriptions.push.model import TargetDown, TargetGone

RESOLVE_TIMEOUT_S: Final = 10.0
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A host, and the address to connect to; `is_listed` where that lies in an allowed network."""

    host: str
    port: int
    address: Address
    is_listed: bool

    @property
    def authority(self) -> str:
        """The address and port as they stand in a URL."""
        host = f"[{self.address}]" if isinstance(self.address, IPv6Address) else str(self.address)
        return f"{host}:{self.port}"


class AddressBook:
    """Resolves the hosts of targets. `allowed` are the networks beside the internet (PRIVATE ranges too)."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = tuple(allowed)

    async def find(self, host: str, port: int) -> Place:
        """Resolve a host. Raises TargetDown where it has no address, TargetGone where one is barred."""
        addresses = await self._resolve(host, port)
        for address in addresses:
            if not self._is_listed(address) and not _is_public(address):
                msg = "the address of the target lies in a network that this hub does not connect to"
                raise TargetGone(msg)
        chosen = addresses[0]
        return Place(host=host, port=port, address=chosen, is_listed=self._is_listed(chosen))

    async def _resolve(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError) as trouble:
            msg = "the host name of the target cannot be resolved"
            raise TargetDown(msg) from trouble
        return [_unmap(ip_address(str(entry[4][0]).partition("%")[0])) for entry in found]

    def _is_listed(self, address: Address) -> bool:
        return any(network.version == address.version and address in network for network in self._allowed)


def _unmap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for: mapped, 6to4, NAT64 or Teredo."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address.packed[:12] == bytes.fromhex("0064ff9b0000000000000000"):
            inner = IPv4Address(address.packed[12:])
        if inner is not None and not _is_public(inner):
            return inner
        return address.ipv4_mapped or address
    return address


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved
