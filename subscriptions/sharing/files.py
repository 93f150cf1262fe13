"""Giving out shared files by their tickets, whole or in ranges, while the grant holds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.database import Database
from core.errors import GrantMissing, RangeOutside
from core.objects import ObjectStore
from subscriptions.sharing import store
from subscriptions.sharing.access import Doorkeeper
from subscriptions.sharing.model import Access, SharedFile
from subscriptions.sharing.service import Answer, digest_terms
from subscriptions.sharing.ticket import Ticket, name_of, parse_ticket, write_ticket
from subscriptions.sharing.wire import Links

PIECE_BYTES: Final = 4 * 1024 * 1024
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """Octets `first` up to `last`, both included, of a file; `is_whole` where the whole was asked for."""

    ticket: Ticket
    size_bytes: int
    first: int
    last: int
    is_whole: bool

    @property
    def length(self) -> int:
        """How many octets that are."""
        return self.last - self.first + 1


class FileService:
    """Writes the addresses of files, and gives the files to who asks by them."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        doorkeeper: Doorkeeper,
        key: bytes,
        base_url: str,
        life: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._objects = objects
        self._doorkeeper = doorkeeper
        self._key = key
        self._base_url = base_url
        self._life = life
        self._now = now

    def link(self, access: Access, answer: Answer) -> Links:
        """Write the addresses of an answer's files; they end with the profile at the latest."""
        expires_at = min(self._now() + self._life, access.profile.expires_at)

        def address(file: SharedFile) -> str:
            ticket = Ticket(
                profile_id=access.profile.id,
                terms=answer.terms,
                view=answer.view.digest,
                name=name_of(file.source),
                expires_at=expires_at,
            )
            return f"{self._base_url}/{write_ticket(ticket, self._key)}"

        files = [file for part in answer.parts for file in part.files]
        return Links(address_of={file.object_key: address(file) for file in files}, expires_at=expires_at)

    async def open(self, text: str, *, wanted: str | None) -> FilePart:
        """Find what a ticket and a Range header ask for.

        Raises GrantMissing where the ticket or its grant has ended, NotFound, or RangeOutside.
        """
        ticket = parse_ticket(text, self._key, at=self._now())
        await self._require(ticket)
        size = await asyncio.to_thread(self._objects.size, ticket.object_key)
        found = parse_range(wanted, size)
        first, last = (0, size - 1) if found is None else found
        return FilePart(ticket=ticket, size_bytes=size, first=first, last=last, is_whole=found is None)

    async def read(self, part: FilePart) -> AsyncIterator[bytes]:
        """Read a part piece by piece; the grant is looked at before each piece but the first."""
        place = part.first
        while place <= part.last:
            if place != part.first:
                await self._require(part.ticket)
            length = min(PIECE_BYTES, part.last - place + 1)
            yield await asyncio.to_thread(self._objects.get_range, part.ticket.object_key, place, length)
            place += length

    async def _require(self, ticket: Ticket) -> None:
        """Let a ticket pass whose profile is good and whose grant says what it said. Raises GrantMissing."""
        async with self._database.transaction(read_only=True) as connection:
            profile = await store.load_profile(connection, profile_id=ticket.profile_id)
            if profile is None or not profile.is_good(self._now()):
                msg = "the profile has expired or was revoked; fetch a new one"
                raise GrantMissing(msg)
            if await digest_terms(connection, self._doorkeeper, profile) != ticket.terms:
                msg = "the grant was changed since the table was queried; query it again"
                raise GrantMissing(msg)


def parse_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Read a Range header of one range (RFC 9110 14.1.2): first and last octet; None to give all.

    Other units, several ranges and what cannot be read are ignored, as RFC 9110 14.2 allows.
    """
    found = _RANGE.fullmatch(text.strip()) if text else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
        if found[2] and int(found[2]) < first:
            return None
    if first > last:
        msg = f"the file has {size} octets"
        raise RangeOutside(msg)
    return first, last


def headers_of(part: FilePart) -> Mapping[str, str]:
    """Return the headers of an answer with a part of a file."""
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(part.length),
        "ETag": f'"{part.ticket.view.hex()[:16]}{part.ticket.name.hex()}"',
        "Cache-Control": "private, no-store",
    }
    if not part.is_whole:
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{part.size_bytes}"
    return headers
