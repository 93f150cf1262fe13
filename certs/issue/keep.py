"""Keep made certificates: their files go into the object store, then their rows into the register.

Certificates that are made together are kept together: their files end to end in one object, a pack, which
the store writes about as fast as one of them, and their rows in one transaction. Where one of them cannot be
registered, all are stored again, each in an object of its own, and registered each on its own. So no object
ever holds the file of a certificate beside one of a refused order, and what belongs to none is an object that
can be removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

import asyncpg

from certs.issue.model import Certificate
from certs.issue.record import Entry, Recorder, Refusal
from core.database import Database
from core.objects import ObjectStore

MAX_PACK_BYTES: Final = 16 * 1024 * 1024
STORE_THREADS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCertificate:
    """A certificate to register, as the only one in an object of its own, and its file."""

    entry: Entry
    data: bytes = field(repr=False)


class Keeper:
    """Keeps made certificates in an object store and in the register."""

    def __init__(self, *, database: Database, objects: ObjectStore, recorder: Recorder) -> None:
        self._database = database
        self._objects = objects
        self._recorder = recorder

    async def keep(self, made: Sequence[MadeCertificate]) -> list[Certificate | Refusal]:
        """Keep certificates; return for each the registered one, or what kept it out.

        Each file is in the store before a row names it. Raises Unavailable, and other trouble with the
        database; then some may be registered all the same.
        """
        if not made:
            return []
        packs = [_Pack.build(part) for part in _divide(made)]
        await self._store([(pack.key, pack.data) for pack in packs])
        entries = [entry for pack in packs for entry in pack.entries]
        refusal = await self._recorder.record_together(self._database, entries)
        if refusal is None:
            return [entry.certificate for entry in entries]
        if len(made) == 1 and not isinstance(refusal, asyncpg.DeadlockDetectedError):
            return [refusal]
        await self._store([(each.entry.certificate.object_key, each.data) for each in made])
        entries = [each.entry for each in made]
        refusals = await self._recorder.record_apart(self._database, entries)
        return [refused or entry.certificate for entry, refused in zip(entries, refusals, strict=True)]

    async def _store(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """Write objects by several threads: most of it is waiting."""

        def store(part: Sequence[tuple[str, bytes]]) -> None:
            for key, data in part:
                self._objects.put(key, data)

        parts = [objects[first::STORE_THREADS] for first in range(STORE_THREADS)]
        await asyncio.gather(*(asyncio.to_thread(store, part) for part in parts if part))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pack:
    """The files of certificates end to end, and the certificates as they lie in it."""

    key: str
    data: bytes = field(repr=False)
    entries: Sequence[Entry]

    @classmethod
    def build(cls, made: Sequence[MadeCertificate]) -> _Pack:
        """Put files together; one alone keeps the object of its own that it names."""
        if len(made) == 1:
            [only] = made
            return cls(key=only.entry.certificate.object_key, data=only.data, entries=[only.entry])
        name = uuid4().hex
        key, entries, offset = f"certificates/{name[:2]}/{name}.pack", [], 0
        for each in made:
            place = replace(each.entry.certificate, object_key=key, object_offset=offset)
            entries.append(replace(each.entry, certificate=place))
            offset += len(each.data)
        return cls(key=key, data=b"".join(each.data for each in made), entries=entries)


def _divide(made: Sequence[MadeCertificate]) -> Iterator[Sequence[MadeCertificate]]:
    """Divide certificates, in their order, into parts whose files fit into a pack."""
    first = size = 0
    for place, each in enumerate(made):
        if place > first and size + len(each.data) > MAX_PACK_BYTES:
            yield made[first:place]
            first, size = place, 0
        size += len(each.data)
    yield made[first:]
