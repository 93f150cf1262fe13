"""Tickets: the signed part of a file's address, by which the hub gives one file to whoever holds it.

A ticket names the profile, the view and the file, and ends by itself. The grant is looked at whenever it is
used, so that a ticket of a grant that was revoked or narrowed is worth nothing at once, however long it runs.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from core.errors import GrantMissing
from signing import sm3

_PLAIN: Final = struct.Struct(">16s32s32s16sQ")
MAC_BYTES: Final = 32
MAX_CHARACTERS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """`terms` is the digest of the grant's terms as they were, `view` the view, `name` the file's."""

    profile_id: UUID
    terms: bytes
    view: bytes
    name: bytes
    expires_at: datetime

    @property
    def object_key(self) -> str:
        """The key of the file in the object store."""
        return object_key(self.view, self.name)


def object_key(view: bytes, name: bytes) -> str:
    """Return the key of a view's file."""
    return f"shares/{view.hex()}/{name.hex()}.parquet"


def name_of(source: str) -> bytes:
    """Return the name of the file made from `source`."""
    return sm3.digest(source.encode())[:16]


def write_ticket(ticket: Ticket, key: bytes) -> str:
    """Write a ticket as it stands in an address."""
    plain = _PLAIN.pack(
        ticket.profile_id.bytes, ticket.terms, ticket.view, ticket.name, int(ticket.expires_at.timestamp())
    )
    return base64.urlsafe_b64encode(plain + sm3.hmac(key, plain)).decode().rstrip("=")


def parse_ticket(text: str, key: bytes, *, at: datetime) -> Ticket:
    """Read a ticket. Raises GrantMissing for what the hub did not write, or what has run out."""
    try:
        octets = (
            base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= MAX_CHARACTERS else b""
        )
    except (binascii.Error, ValueError):
        octets = b""
    plain, mac = octets[:-MAC_BYTES], octets[-MAC_BYTES:]
    if len(plain) != _PLAIN.size or not hmac.compare_digest(sm3.hmac(key, plain), mac):
        msg = "this is no address of a shared file; query the table for the addresses of its files"
        raise GrantMissing(msg)
    profile_id, terms, view, name, ends = _PLAIN.unpack(plain)
    ticket = Ticket(
        profile_id=UUID(bytes=profile_id),
        terms=terms,
        view=view,
        name=name,
        expires_at=datetime.fromtimestamp(ends, UTC),
    )
    if ticket.expires_at <= at:
        msg = "the address of this file has run out; query the table again for new ones"
        raise GrantMissing(msg)
    return ticket
