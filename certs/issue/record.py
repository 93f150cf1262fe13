"""Register certificates whose files are stored: the row, its first step and the leaf, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certs.issue import store
from certs.issue.lifecycle import change_status
from certs.issue.model import (
    REPLACEABLE,
    Certificate,
    CertificateStatus,
    SourceFingerprint,
    StatusChange,
)
from certs.seals.model import SealStatus
from certs.seals.store import load_seal
from core.caller import Caller, Purpose
from core.database import Connection
from core.errors import BadInput, Conflict
from core.log.model import Event
from core.log.writer import LogWriter, NewLeaf

MAX_KEY_CHARACTERS: Final = 128
ISSUED_REASON: Final = "issued"


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
    """A certificate to register, the row that it rests on, and the request that asked for it."""

    certificate: Certificate
    source: SourceFingerprint | None = None
    key: RequestKey | None = None


class Recorder:
    """Writes certificates on a transaction that the caller holds."""

    def __init__(self, *, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._log = log
        self._now = now

    async def record(
        self, connection: Connection, entries: Sequence[Entry], *, purpose: Purpose | None, actor: Caller
    ) -> None:
        """Register certificates, retire their predecessors and write the log: all of them, or none.

        Raises Conflict, or asyncpg.UniqueViolationError where a request's key is taken.
        """
        for seal_id in {entry.certificate.seal_id for entry in entries}:
            seal = await load_seal(connection, seal_id=seal_id)
            if seal.status is not SealStatus.ACTIVE:
                msg = f"the seal was {seal.status} while the certificate was made"
                raise Conflict(msg)
        certificates = [entry.certificate for entry in entries]
        for certificate in certificates:
            if certificate.predecessor is not None:
                await self._supersede(connection, certificate, actor)
        await store.save_certificates(connection, certificates=certificates)
        steps = [
            self._step(each, each.status, before=None, reason=ISSUED_REASON, actor=actor)
            for each in certificates
        ]
        await store.save_changes(connection, changes=steps)
        sources = {
            entry.certificate.identifier: entry.source for entry in entries if entry.source is not None
        }
        if sources:
            await store.save_sources(connection, sources=sources)
        if requests := self._requests(entries, actor):
            await store.save_requests(connection, requests=requests)
        leaves = [_describe_leaf(entry, purpose=purpose, actor=actor) for entry in entries]
        await self._log.append_all(connection, leaves)

    def _requests(self, entries: Sequence[Entry], actor: Caller) -> list[store.IssueRequest]:
        now = self._now()
        return [
            store.IssueRequest(
                system_id=actor.system_id,
                key=entry.key.key,
                body_sm3=entry.key.body_sm3,
                identifier=entry.certificate.identifier,
                requested_at=now,
            )
            for entry in entries
            if entry.key is not None
        ]

    async def _supersede(self, connection: Connection, successor: Certificate, actor: Caller) -> None:
        assert successor.predecessor is not None
        old = await store.lock_certificate(connection, identifier=successor.predecessor)
        if old.status not in REPLACEABLE:
            msg = f"the predecessor is {old.status} and cannot be replaced"
            raise Conflict(msg)
        step = self._step(
            old,
            CertificateStatus.SUPERSEDED,
            before=old.status,
            reason=f"replaced by {successor.identifier}",
            actor=actor,
        )
        await change_status(connection, log=self._log, certificate=old, change=step, actor=actor)

    def _step(
        self,
        certificate: Certificate,
        after: CertificateStatus,
        *,
        before: CertificateStatus | None,
        reason: str,
        actor: Caller,
    ) -> StatusChange:
        return StatusChange(
            identifier=certificate.identifier,
            from_status=before,
            to_status=after,
            reason=reason,
            organisation_code=actor.organisation_code,
            system_id=actor.system_id,
            changed_at=self._now(),
        )


def _describe_leaf(entry: Entry, *, purpose: Purpose | None, actor: Caller) -> NewLeaf:
    certificate, source = entry.certificate, entry.source
    return NewLeaf(
        event=Event.CERTIFICATE_ISSUED,
        caller=actor,
        purpose=purpose,
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
