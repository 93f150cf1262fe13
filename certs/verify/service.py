"""Verify a file that somebody handed in: the examination, then the register's word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from certs.copies.store import find_by_file as find_copy
from certs.issue import store
from certs.verify.copies import assess_copy
from certs.verify.document import assess_document
from certs.verify.model import DocumentReport
from certs.verify.policy import build_policy
from certs.verify.register import Verification, assess_register, read_claim
from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.log.model import Event
from core.log.writer import LogWriter
from signing.trust import JudgeAt, TrustPolicy


class VerifyService:
    """Verifies certificate files. `trust` tells what the hub trusts at the moment."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        trust: Callable[[], Awaitable[TrustPolicy]],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._trust = trust
        self._now = now

    async def verify(
        self,
        data: bytes,
        *,
        caller: Caller,
        purpose: Purpose | None,
        at: str = JudgeAt.SIGNING,
        strict: bool = False,
    ) -> Verification:
        """Examine `data` and look it up in the register. Bad files give a report, never an error.

        `at` and `strict` as `build_policy` has them; raises BadInput for a bad moment.
        """
        trust = build_policy(await self._trust(), at=at, strict=strict)
        now = self._now()
        document = await asyncio.to_thread(assess_document, data, trust=trust, at=now)
        async with self._database.transaction() as connection:
            verification = await self._look_up(connection, document, now)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_VERIFIED,
                caller=caller,
                purpose=purpose,
                certificate_id=verification.register.identifier,
                details={
                    "status": verification.status,
                    "register": verification.register.status,
                    "match": verification.register.match,
                    "digest_sm3": document.digest_sm3.hex(),
                },
            )
        return verification

    async def _look_up(self, connection: Connection, document: DocumentReport, now: datetime) -> Verification:
        intact = [report.data_hash for report in document.signatures if report.is_intact]
        held = await store.find_by_file(
            connection,
            digest_sm3=document.digest_sm3,
            sealed_sm3=[digest for digest in intact if digest is not None],
        )
        claim = read_claim(document)
        copy = None
        if held is None:
            copy = await find_copy(
                connection,
                digest_sm3=document.digest_sm3,
                sealed_sm3=[digest for digest in intact if digest is not None],
            )
        if copy is not None:
            original = await store.load_certificate(connection, identifier=copy.identifier)
            changes = await store.load_changes(connection, identifier=copy.identifier)
            register = assess_copy(copy, original=original, changes=changes, now=now)
            return Verification(document=document, register=register)
        claimed = None
        if held is None and claim is not None:
            claimed = await store.find_certificate(connection, identifier=str(claim))
        changes = []
        if held is not None:
            changes = await store.load_changes(connection, identifier=held.identifier)
        register = assess_register(document, held=held, claimed=claimed, changes=changes, now=now)
        return Verification(document=document, register=register)
