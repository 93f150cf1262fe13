"""What becomes of a certificate after its issue: suspended, reactivated, cancelled, revoked, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from certs.identifiers import parse_identifier
from certs.issue import store
from certs.issue.model import (
    TRANSITIONS,
    Certificate,
    CertificateStatus,
    SourceFingerprint,
    StatusChange,
)
from core.caller import Caller
from core.database import Connection, Database
from core.errors import Conflict, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text

MAX_REASON_CHARACTERS: Final = 500


class LifecycleService:
    """Keeps the status of certificates, for their issuers."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def set_status(
        self, identifier: str, *, status: CertificateStatus, reason: str, actor: Caller
    ) -> Certificate:
        """Suspend, reactivate, cancel, revoke or withdraw a certificate. Only its issuer may.

        Setting the status that it already has changes nothing and is no error. Raises NotFound, Forbidden,
        SchemaViolation for a missing reason, Conflict for a change that there is not.
        """
        if errors := check_text("/reason", reason, max_characters=MAX_REASON_CHARACTERS):
            msg = "every change of a certificate has a reason"
            raise SchemaViolation(msg, errors=tuple(errors))
        parse_identifier(identifier)
        async with self._database.transaction() as connection:
            certificate = await store.lock_certificate(connection, identifier=identifier)
            require_issuer(actor, certificate)
            if status is certificate.status:
                return certificate
            if status not in TRANSITIONS[certificate.status]:
                msg = f"a certificate that is {certificate.status} cannot become {status}"
                raise Conflict(msg)
            change = StatusChange(
                identifier=identifier,
                from_status=certificate.status,
                to_status=status,
                reason=reason,
                organisation_code=actor.organisation_code,
                system_id=actor.system_id,
                changed_at=self._now(),
            )
            await change_status(
                connection, log=self._log, certificate=certificate, change=change, actor=actor
            )
            return await store.load_certificate(connection, identifier=identifier)

    async def get(self, identifier: str, *, actor: Caller) -> tuple[Certificate, list[StatusChange]]:
        """Return a certificate and its life to its issuer. Raises NotFound, also for anybody else."""
        parse_identifier(identifier)
        async with self._database.transaction() as connection:
            certificate = await store.load_certificate(connection, identifier=identifier)
            if certificate.issuer_code != actor.organisation_code:
                msg = "no certificate of that identifier was issued by your organisation"
                raise NotFound(msg)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_FETCHED,
                caller=actor,
                certificate_id=identifier,
                subject=certificate.holder.code,
                details={"act": "issuer", "status": certificate.status},
            )
            return certificate, await store.load_changes(connection, identifier=identifier)

    async def load_source(self, identifier: str) -> SourceFingerprint | None:
        """Return the fingerprint of the row that a certificate rests on; None where it rests on none."""
        async with self._database.acquire() as connection:
            return await store.load_source(connection, identifier=identifier)


async def change_status(
    connection: Connection, *, log: LogWriter, certificate: Certificate, change: StatusChange, actor: Caller
) -> None:
    """Set the status, keep the step and write the log, on a transaction that holds the certificate's row."""
    await store.set_status(connection, identifier=certificate.identifier, status=change.to_status)
    await store.save_change(connection, change=change)
    await log.append(
        connection,
        event=Event.CERTIFICATE_STATUS_CHANGED,
        caller=actor,
        certificate_id=certificate.identifier,
        subject=certificate.holder.code,
        details={"from": change.from_status, "to": change.to_status, "reason": change.reason},
    )


def require_issuer(actor: Caller, certificate: Certificate) -> None:
    """Raise Forbidden unless `actor` acts for the organisation that issued the certificate."""
    if actor.organisation_code != certificate.issuer_code:
        msg = "only the organisation that issued a certificate may change it"
        raise Forbidden(msg)
