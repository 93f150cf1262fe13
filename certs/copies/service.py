"""Make annotated copies, and hand each out to whom it was made for."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from certs.copies import store
from certs.copies.model import (
    MAX_CAUSE_CHARACTERS,
    Annotate,
    AnnotatedCopy,
    CopyFile,
    copy_metadata,
    watermark_text,
)
from certs.issue.model import Certificate
from certs.seals.service import SealService
from certs.use.service import UseService
from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import FieldError, NotFound, SchemaViolation, Unavailable
from core.log.model import Event
from core.log.writer import LogWriter
from core.objects import ObjectStore
from core.text import check_text
from signing import sm3

TOKEN_BYTES: Final = 24
TICKET_LIFE: Final = timedelta(seconds=600)
MAX_LIFE: Final = timedelta(days=366)


class CopyService:
    """Makes copies. The hub seals them with the seal of the certificate's issuer."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        log: LogWriter,
        use: UseService,
        seals: SealService,
        annotate: Annotate,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._objects = objects
        self._log = log
        self._use = use
        self._seals = seals
        self._annotate = annotate
        self._now = now

    async def make(
        self,
        identifier: str,
        *,
        cause: str,
        expires_at: datetime,
        code: str | None,
        caller: Caller,
        purpose: Purpose,
    ) -> AnnotatedCopy:
        """Make a copy for one use: with maker, cause, expiry and watermark, sealed again.

        `code` is an authorisation code, where the caller has one. Raises what `UseService.fetch_data` does,
        SchemaViolation for a bad cause or an expiry that is past or over a year ahead, NotFound or
        Conflict where the issuer has no seal in use.
        """
        made_at = self._now().replace(microsecond=0)
        _check(cause, expires_at, made_at)
        certificate = await self._use.fetch_data(
            identifier, allow_invalid=False, code=code, act="copy", caller=caller, purpose=purpose
        )
        seal = await self._seals.open_for_copy(issuer_code=certificate.issuer_code)
        original = await self._use.read_file(certificate)
        produced = await asyncio.to_thread(
            self._annotate,
            original,
            metadata=copy_metadata(
                maker=caller.organisation_name, cause=cause, made_at=made_at, expires_at=expires_at
            ),
            watermark=watermark_text(maker=caller.organisation_name, cause=cause, expires_at=expires_at),
            seal=seal,
            sealed_at=made_at,
        )
        digest = sm3.digest(produced.data)
        copy = AnnotatedCopy(
            id=uuid4(),
            identifier=identifier,
            maker_code=caller.organisation_code,
            maker_name=caller.organisation_name,
            cause=cause,
            service_item=purpose.service_item,
            case_number=purpose.case_number,
            operator=purpose.operator,
            made_at=made_at,
            expires_at=expires_at,
            seal_id=seal.seal.id,
            object_key=f"copies/{digest.hex()[:2]}/{digest.hex()}.ofd",
            size_bytes=len(produced.data),
            digest_sm3=digest,
            sealed_sm3=produced.sealed_sm3,
        )
        await asyncio.to_thread(self._objects.put, copy.object_key, produced.data)
        await self._record(copy, certificate, caller=caller, purpose=purpose)
        return copy

    async def fetch(self, copy_id: UUID, *, caller: Caller) -> CopyFile:
        """Return a copy's file to whom it was made for. Raises NotFound for others, and once it is past."""
        async with self._database.transaction() as connection:
            copy = await store.load_copy(connection, copy_id=copy_id)
            if copy.maker_code != caller.organisation_code or copy.expires_at <= self._now():
                msg = "no such copy, or it is past its expiry; make another for the case"
                raise NotFound(msg)
            await self._log_fetch(connection, copy, act="copy-file", caller=caller)
        return await self._read(copy)

    async def open_download(self, copy_id: UUID, *, caller: Caller) -> tuple[str, datetime]:
        """Make a one-time download of a copy; return its token and when it lapses. Raises as `fetch`."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._now()
        async with self._database.transaction() as connection:
            copy = await store.load_copy(connection, copy_id=copy_id)
            if copy.maker_code != caller.organisation_code or copy.expires_at <= now:
                msg = "no such copy, or it is past its expiry; make another for the case"
                raise NotFound(msg)
            expires_at = min(now + TICKET_LIFE, copy.expires_at)
            await store.save_ticket(
                connection, token_sm3=sm3.digest(token.encode()), copy_id=copy_id, expires_at=expires_at
            )
            await self._log_fetch(connection, copy, act="download-url", caller=caller)
        return token, expires_at

    async def download(self, token: str) -> CopyFile:
        """Return the file of a one-time download, this once. Raises NotFound ever after."""
        async with self._database.transaction() as connection:
            digest = sm3.digest(token.encode("utf-8", "surrogatepass"))
            copy = await store.take_ticket(connection, token_sm3=digest, at=self._now())
            if copy is None:
                msg = "this download is unknown, was used, or has lapsed; ask for another"
                raise NotFound(msg)
            await self._log_fetch(connection, copy, act="download", caller=None)
        return await self._read(copy)

    async def _read(self, copy: AnnotatedCopy) -> CopyFile:
        data = await asyncio.to_thread(self._objects.get, copy.object_key)
        if sm3.digest(data) != copy.digest_sm3:
            msg = "the stored copy is not the one that was made; make another"
            raise Unavailable(msg)
        return CopyFile(copy=copy, data=data)

    async def _log_fetch(
        self, connection: Connection, copy: AnnotatedCopy, *, act: str, caller: Caller | None
    ) -> None:
        await self._log.append(
            connection,
            event=Event.CERTIFICATE_FETCHED,
            caller=caller,
            purpose=Purpose(
                service_item=copy.service_item, case_number=copy.case_number, operator=copy.operator
            ),
            certificate_id=copy.identifier,
            details={"act": act, "copy": str(copy.id)},
        )

    async def _record(
        self, copy: AnnotatedCopy, certificate: Certificate, *, caller: Caller, purpose: Purpose
    ) -> None:
        async with self._database.transaction() as connection:
            await store.save_copy(connection, copy=copy)
            await self._log.append(
                connection,
                event=Event.COPY_MADE,
                caller=caller,
                purpose=purpose,
                certificate_id=copy.identifier,
                subject=certificate.holder.code,
                details={
                    "copy": str(copy.id),
                    "seal": str(copy.seal_id),
                    "expires_at": copy.expires_at.isoformat(),
                    "original_sm3": certificate.digest_sm3.hex(),
                    "digest_sm3": copy.digest_sm3.hex(),
                },
            )


def _check(cause: str, expires_at: datetime, now: datetime) -> None:
    errors = check_text("/cause", cause, max_characters=MAX_CAUSE_CHARACTERS)
    if expires_at.tzinfo is None or not now < expires_at <= now + MAX_LIFE:
        detail = "must be a time with its zone, ahead of now and within a year"
        errors.append(FieldError(pointer="/expires_at", code="RANGE", detail=detail))
    if errors:
        msg = "the copy's fields are not all right"
        raise SchemaViolation(msg, errors=tuple(errors))
