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
from certs.issue.store_register import FirstStep, IssueRequest, register
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
        certificates = [entry.certificate for entry in entries]
        for certificate in certificates:
            if certificate.predecessor is not None:
                await self._supersede(connection, certificate, actor)
        await register(
            connection,
            certificates=certificates,
            step=FirstStep(system_id=actor.system_id, reason=ISSUED_REASON, changed_at=self._now()),
            sources={
                entry.certificate.identifier: entry.source for entry in entries if entry.source is not None
            },
            requests=self._requests(entries, actor),
        )
        leaves = [_describe_leaf(entry, purpose=purpose, actor=actor) for entry in entries]
        await self._log.append_all(connection, leaves, touches_rows=True)

    def _requests(self, entries: Sequence[Entry], actor: Caller) -> list[IssueRequest]:
        now = self._now()
        return [
            IssueRequest(
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
