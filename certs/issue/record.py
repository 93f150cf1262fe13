"""Register certificates whose files are stored: the row, its first step and the leaf, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from certs.issue import store
from certs.issue.lifecycle import change_status
from certs.issue.model import (
    REPLACEABLE,
    Certificate,
    CertificateStatus,
    SourceFingerprint,
    StatusChange,
)
from certs.issue.store_register import IssueRequest, NewCertificate, register
from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import BadInput, Conflict, ShuzhengError
from core.log.model import Event
from core.log.writer import LogWriter, NewLeaf

MAX_KEY_CHARACTERS: Final = 128
ISSUED_REASON: Final = "issued"

Refusal = ShuzhengError | asyncpg.UniqueViolationError | asyncpg.DeadlockDetectedError
"""What keeps a certificate out of the register. After a deadlock, registering it apart may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """An Idempotency-Key and the SM3 of the request body that came with it. BadInput for a bad key."""

    key: str
    body_sm3: bytes

    def __post_init__(self) -> None:
        fits = 0 < len(self.key) <= MAX_KEY_CHARACTERS and self.key.isascii() and self.key.isprintable()
        if not fits:
            msg = f"an Idempotency-Key has 1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
            raise BadInput(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A certificate to register, who issues it and what for, and the request that asked for it."""

    certificate: Certificate
    actor: Caller
    purpose: Purpose | None
    source: SourceFingerprint | None = None
    key: RequestKey | None = None


class Recorder:
    """Registers certificates."""

    def __init__(self, *, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._log = log
        self._now = now

    async def record_together(self, database: Database, entries: Sequence[Entry]) -> Refusal | None:
        """Register certificates in one transaction, all or none; return what keeps one of them out.

        Other trouble with the database is raised.
        """
        try:
            async with database.transaction() as connection:
                await self.record(connection, entries)
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, Conflict) as refusal:
            return refusal
        return None

    async def record_apart(self, database: Database, entries: Sequence[Entry]) -> list[Refusal | None]:
        """Register certificates each on its own; return for each what keeps it out, or None."""
        async with database.transaction() as connection:
            return [await self._record_one(connection, entry) for entry in entries]

    async def _record_one(self, connection: Connection, entry: Entry) -> Refusal | None:
        try:
            async with connection.transaction():
                await self.record(connection, [entry])
        except (ShuzhengError, asyncpg.UniqueViolationError) as refusal:
            return refusal
        return None

    async def record(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Register certificates, retire their predecessors and write the log: all of them, or none.

        Raises Conflict, or asyncpg.UniqueViolationError where a request's key is taken.
        """
        for entry in entries:
            if entry.certificate.predecessor is not None:
                await self._supersede(connection, entry.certificate, entry.actor)
        now = self._now()
        new = [
            NewCertificate(
                certificate=entry.certificate,
                system_id=entry.actor.system_id,
                source=entry.source,
                request=_describe_request(entry, now),
            )
            for entry in entries
        ]
        await register(connection, entries=new, reason=ISSUED_REASON, at=now)
        await self._log.append_all(
            connection, [_describe_leaf(entry) for entry in entries], touches_rows=True
        )

    async def _supersede(self, connection: Connection, successor: Certificate, actor: Caller) -> None:
        assert successor.predecessor is not None
        old = await store.lock_certificate(connection, identifier=successor.predecessor)
        if old.status not in REPLACEABLE:
            msg = f"the predecessor is {old.status} and cannot be replaced"
            raise Conflict(msg)
        step = StatusChange(
            identifier=old.identifier,
            from_status=old.status,
            to_status=CertificateStatus.SUPERSEDED,
            reason=f"replaced by {successor.identifier}",
            organisation_code=actor.organisation_code,
            system_id=actor.system_id,
            changed_at=self._now(),
        )
        await change_status(connection, log=self._log, certificate=old, change=step, actor=actor)


def _describe_request(entry: Entry, now: datetime) -> IssueRequest | None:
    if entry.key is None:
        return None
    return IssueRequest(
        system_id=entry.actor.system_id,
        key=entry.key.key,
        body_sm3=entry.key.body_sm3,
        identifier=entry.certificate.identifier,
        requested_at=now,
    )


def _describe_leaf(entry: Entry) -> NewLeaf:
    certificate, source = entry.certificate, entry.source
    return NewLeaf(
        event=Event.CERTIFICATE_ISSUED,
        caller=entry.actor,
        purpose=entry.purpose,
        certificate_id=certificate.identifier,
        owner=certificate.issuer_code,
        subject=certificate.holder.code,
        details={
            "type": certificate.type_code,
            "version": certificate.version,
            "digest_sm3": certificate.digest_sm3.hex(),
            "sealed_sm3": certificate.sealed_sm3.hex(),
            "seal": str(certificate.seal_id),
            "predecessor": certificate.predecessor,
            "source": None if source is None else source.resource_code,
            "source_version": None if source is None else source.version,
            "source_sm3": None if source is None else source.row_sm3.hex(),
        },
    )
