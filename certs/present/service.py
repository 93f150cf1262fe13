"""The steps of a presentation: shown, scanned, confirmed or declined by the holder, released once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from certs.authorise.service import AuthoriseService
from certs.issue.model import Certificate, CertificateStatus, Holder
from certs.issue.store import load_certificate
from certs.present import store
from certs.present.model import DECISION_LIFE, SHOWN_LIFE, Presentation, PresentationStatus
from core.caller import Caller, Purpose
from core.china_time import china_day
from core.database import Connection, Database
from core.errors import Conflict, NotFound
from core.log.model import Event
from core.log.writer import LogWriter
from signing import sm3

CODE_BYTES: Final = 24
PREFIX: Final = "shuzheng:present:"
NOT_IN_TIME: Final = (
    "the presentation does not stand there any more: it was used, declined, or its time ran out"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCode:
    """A presentation with the content of its QR code, which is shown this once."""

    presentation: Presentation
    code: str = field(repr=False)


class PresentService:
    """Keeps presentations. Holders act through a portal that signed them in and vouches for them."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        authorise: AuthoriseService,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._authorise = authorise
        self._now = now

    async def show(self, identifier: str, *, acting: Holder, portal: Caller) -> ShownCode:
        """Make a code to show, good for one scan within 60 seconds.

        It holds nothing but chance. Raises NotFound unless `acting` holds the certificate or is its delegate,
        Conflict where the certificate is not valid today.
        """
        code = PREFIX + secrets.token_urlsafe(CODE_BYTES)
        now = self._now()
        async with self._database.transaction() as connection:
            certificate, _ = await self._authorise.load_for(connection, identifier, acting)
            status = certificate.status_on(china_day(now))
            if status is not CertificateStatus.ACTIVE:
                msg = f"the certificate is {status} and cannot be presented"
                raise Conflict(msg)
            presentation = Presentation(
                id=uuid4(),
                identifier=identifier,
                status=PresentationStatus.SHOWN,
                shown_by=portal.system_id,
                shown_at=now,
                expires_at=now + SHOWN_LIFE,
            )
            await store.save_presentation(connection, presentation=presentation, code_sm3=_digest(code))
            await self._write(connection, presentation, certificate, caller=portal, purpose=None)
        return ShownCode(presentation=presentation, code=code)

    async def scan(self, code: str, *, caller: Caller, purpose: Purpose) -> tuple[Presentation, Certificate]:
        """Scan a code: tells the verifier what is offered, and the holder who asks. Raises NotFound."""
        async with self._database.transaction() as connection:
            found = await store.take_scan(
                connection,
                code_sm3=_digest(code.strip()),
                verifier=caller.organisation_code,
                purpose=purpose,
                at=self._now(),
            )
            if found is None:
                msg = (
                    "the code is unknown, was scanned before, or is older than 60 seconds; ask for a new one"
                )
                raise NotFound(msg)
            certificate = await load_certificate(connection, identifier=found.identifier)
            await self._write(connection, found, certificate, caller=caller, purpose=purpose)
        return found, certificate

    async def decide(
        self, presentation_id: UUID, *, acting: Holder, confirm: bool, portal: Caller
    ) -> Presentation:
        """Let the holder confirm or decline what was scanned. Raises NotFound, Conflict."""
        after = PresentationStatus.CONFIRMED if confirm else PresentationStatus.DECLINED
        async with self._database.transaction() as connection:
            await self._load_own(connection, presentation_id, acting)
            found = await self._step(connection, presentation_id, PresentationStatus.SCANNED, after)
            certificate = await load_certificate(connection, identifier=found.identifier)
            await self._write(connection, found, certificate, caller=portal, purpose=None)
        return found

    async def release(
        self, presentation_id: UUID, *, caller: Caller, purpose: Purpose
    ) -> tuple[Presentation, Certificate]:
        """Give the verifier who scanned it the certificate's data, once. Raises NotFound, Conflict."""
        async with self._database.transaction() as connection:
            await self._load_scanned(connection, presentation_id, caller)
            found = await self._step(
                connection, presentation_id, PresentationStatus.CONFIRMED, PresentationStatus.RELEASED
            )
            if (found.service_item, found.case_number) != (purpose.service_item, purpose.case_number):
                msg = "the certificate was shown for another case"
                raise Conflict(msg)
            certificate = await load_certificate(connection, identifier=found.identifier)
            await self._write(connection, found, certificate, caller=caller, purpose=purpose)
        return found, certificate

    async def watch(self, presentation_id: UUID, *, acting: Holder | None, caller: Caller) -> Presentation:
        """Tell the holder (`acting`, through a portal) or the verifier where it stands. Raises NotFound."""
        async with self._database.acquire() as connection:
            if acting is not None:
                return await self._load_own(connection, presentation_id, acting)
            return await self._load_scanned(connection, presentation_id, caller)

    async def _load_own(self, connection: Connection, presentation_id: UUID, acting: Holder) -> Presentation:
        found = await store.load_presentation(connection, presentation_id=presentation_id)
        await self._authorise.load_for(connection, found.identifier, acting)
        return found

    async def _load_scanned(
        self, connection: Connection, presentation_id: UUID, caller: Caller
    ) -> Presentation:
        found = await store.load_presentation(connection, presentation_id=presentation_id)
        if found.scanned_by != caller.organisation_code:
            msg = "no such presentation"
            raise NotFound(msg)
        return found

    async def _step(
        self,
        connection: Connection,
        presentation_id: UUID,
        before: PresentationStatus,
        after: PresentationStatus,
    ) -> Presentation:
        now = self._now()
        found = await store.take_step(
            connection,
            presentation_id=presentation_id,
            before=before,
            after=after,
            scanned_after=now - DECISION_LIFE,
            at=now,
        )
        if found is None:
            raise Conflict(NOT_IN_TIME)
        return found

    async def _write(
        self,
        connection: Connection,
        presentation: Presentation,
        certificate: Certificate,
        *,
        caller: Caller,
        purpose: Purpose | None,
    ) -> None:
        await self._log.append(
            connection,
            event=Event.CERTIFICATE_PRESENTED,
            caller=caller,
            purpose=purpose,
            certificate_id=certificate.identifier,
            subject=certificate.holder.code,
            details={"presentation": str(presentation.id), "status": presentation.status},
        )


def _digest(code: str) -> bytes:
    return sm3.digest(code.encode("utf-8", "surrogatepass"))
