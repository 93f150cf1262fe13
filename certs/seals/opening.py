"""Open a seal to sign: choose it, and judge it together with its signer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from certs.seals import store
from certs.seals.model import OpenSeal, RegisteredSeal
from core.database import Connection, Database
from core.errors import Conflict, NotFound
from core.pki.service import PkiService
from signing.seals.parse import parse_seal
from signing.seals.sign import SealSigner, prepare_seal_signer
from signing.x509.certificate import Certificate
from signing.x509.profiles import Profile

SIGNER_LIFE: Final = timedelta(minutes=1)
"""How long a process opens a seal again before it judges seal, chain and revocation anew."""
SIGNING_TIME: Final = timedelta(minutes=5)
"""How long those who opened a seal may take to sign: a chunk of a batch, on a machine that is busy."""


class SealOpener:
    """Opens seals. Instances are safe to share within one event loop."""

    def __init__(self, *, database: Database, pki: PkiService, now: Callable[[], datetime]) -> None:
        self._database = database
        self._pki = pki
        self._now = now
        self._ready: dict[UUID, SealSigner] = {}

    async def open(self, *, organisation_code: str, seal_id: UUID | None) -> OpenSeal:
        """Open the seal named, or the newest of the organisation that may be used now.

        Raises NotFound where there is none, Conflict where the one named may not be used, or where the
        signer's certificate is no longer the one that the seal lists: then the seal is to be rotated.
        """
        async with self._database.acquire() as connection:
            seal = await self._choose(connection, organisation_code, seal_id)
        return OpenSeal(seal=seal, signer=await self._open_signer(seal))

    def forget(self, seal_id: UUID) -> None:
        """Let go of the key of a seal that was opened before."""
        self._ready.pop(seal_id, None)

    async def _choose(
        self, connection: Connection, organisation_code: str, seal_id: UUID | None
    ) -> RegisteredSeal:
        now = self._now()
        seals = await store.load_seals(connection, organisation_code=organisation_code)
        if seal_id is not None:
            named = next((seal for seal in seals if seal.id == seal_id), None)
            if named is None:
                msg = "the organisation has no such seal"
                raise NotFound(msg)
            if not named.is_usable_at(now):
                msg = f"the seal is {named.status} or outside its validity; choose or register another"
                raise Conflict(msg)
            return named
        usable = next((seal for seal in seals if seal.is_usable_at(now)), None)
        if usable is None:
            msg = "the organisation has no seal in use; POST /v1/seals registers one"
            raise NotFound(msg)
        return usable

    async def _open_signer(self, seal: RegisteredSeal) -> SealSigner:
        now = self._now().replace(microsecond=0)
        ready = self._ready.get(seal.id)
        if ready is not None and ready.prepared_at <= now < min(
            ready.prepared_at + SIGNER_LIFE, ready.usable_until
        ):
            return ready
        subject = Certificate.parse(seal.signer_certificate).subject
        certified = await self._pki.certified_signer(
            name=seal.signer_key, profile=Profile.SEAL_SIGNER, subject=subject
        )
        if certified.certificate.der != seal.signer_certificate:
            msg = "the signer's certificate was renewed since the seal was made; rotate the seal"
            raise Conflict(msg)
        ready = await asyncio.to_thread(
            prepare_seal_signer,
            seal=parse_seal(seal.der),
            signer=certified.signer,
            certificate=certified.certificate,
            at=now,
            trust=await self._pki.trust_policy(),
            validity=SIGNER_LIFE + SIGNING_TIME,
        )
        self._ready[seal.id] = ready
        return ready
