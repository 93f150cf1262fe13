"""The rules of seals in use: who keeps them, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from certs.seals import store
from certs.seals.make import DrawPicture, SealMaker
from certs.seals.model import OpenSeal, RegisteredSeal, SealChange, SealStatus
from certs.seals.opening import SealOpener
from certs.seals.request import SealRequest, check_request
from core.caller import Caller, Scope
from core.database import Connection, Database
from core.errors import Conflict, Forbidden, SchemaViolation
from core.identity.model import Organisation
from core.identity.store import load_organisation
from core.log.model import Event
from core.log.writer import LogWriter
from core.pki.service import PkiService
from core.text import check_text
from signing.seals.parse import parse_seal
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationReason

MAX_REASON_CHARACTERS: Final = 500
REGISTERED_REASON: Final = "registered"

TRANSITIONS: Final[dict[SealStatus, frozenset[SealStatus]]] = {
    SealStatus.ACTIVE: frozenset({SealStatus.SUSPENDED, SealStatus.DESTROYED}),
    SealStatus.SUSPENDED: frozenset({SealStatus.ACTIVE, SealStatus.DESTROYED}),
    SealStatus.REPLACED: frozenset({SealStatus.DESTROYED}),
    SealStatus.DESTROYED: frozenset(),
}
"""Which status a keeper may set. `replaced` comes from `rotate`, and only from that."""


class SealService:
    """Keeps seals, and opens them for those who use them. Safe to share within one event loop."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        pki: PkiService,
        draw_picture: DrawPicture,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._pki = pki
        self._now = now
        self._maker = SealMaker(pki=pki, draw_picture=draw_picture, now=now)
        self._opener = SealOpener(database=database, pki=pki, now=now)

    async def register(self, request: SealRequest, *, actor: Caller) -> RegisteredSeal:
        """Make a seal and keep it.

        Raises Forbidden unless `actor` keeps the organisation's seals, NotFound for an unknown organisation,
        SchemaViolation for a bad name, picture or signer, Conflict where the name is in use.
        """
        require_keeper(actor, request.organisation_code)
        organisation = await self._check(request)
        seal = await self._maker.make(request, organisation=organisation, predecessor=None)
        async with self._database.transaction() as connection:
            await self._save_new(connection, seal, reason=REGISTERED_REASON, actor=actor)
        return seal

    async def rotate(self, seal_id: UUID, *, reason: str, years: int, actor: Caller) -> RegisteredSeal:
        """Replace a seal by a new one of the same name and picture, under a new key and validity.

        What the old one signed stays verifiable; it cannot sign any more. Raises Forbidden, NotFound,
        SchemaViolation, Conflict for a seal that was replaced or destroyed before.
        """
        _check_reason(reason)
        old = await self.get_seal(seal_id, actor=actor)
        parsed = parse_seal(old.der)
        own = Certificate.parse(old.signer_certificate).fingerprint
        certificates = [Certificate.parse(der) for der in parsed.property.certificates]
        request = SealRequest(
            organisation_code=old.organisation_code,
            name=old.name,
            kind=old.kind,
            picture=parsed.picture.data,
            width_mm=old.picture_width_mm,
            height_mm=old.picture_height_mm,
            years=years,
            signers=tuple(each.der for each in certificates if each.fingerprint != own),
            version=old.version,
        )
        organisation = await self._check(request)
        seal = await self._maker.make(request, organisation=organisation, predecessor=old.id)
        async with self._database.transaction() as connection:
            locked = await store.lock_seal(connection, seal_id=seal_id)
            if locked.status not in {SealStatus.ACTIVE, SealStatus.SUSPENDED}:
                msg = f"a seal that is {locked.status} cannot be replaced"
                raise Conflict(msg)
            await self._change(connection, locked, SealStatus.REPLACED, reason=reason, actor=actor)
            await self._save_new(connection, seal, reason=reason, actor=actor)
        return seal

    async def _check(self, request: SealRequest) -> Organisation:
        if errors := await asyncio.to_thread(check_request, request):
            msg = "the seal's fields are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.acquire() as connection:
            return await load_organisation(connection, code=request.organisation_code)

    async def list_seals(self, *, actor: Caller) -> list[RegisteredSeal]:
        """List the seals of the actor's organisation, newest first; an administrator sees all."""
        own = None if Scope.ADMIN in actor.scopes else actor.organisation_code
        async with self._database.acquire() as connection:
            return await store.load_seals(connection, organisation_code=own)

    async def get_seal(self, seal_id: UUID, *, actor: Caller) -> RegisteredSeal:
        """Return a seal of the actor's organisation. Raises NotFound or Forbidden."""
        async with self._database.acquire() as connection:
            seal = await store.load_seal(connection, seal_id=seal_id)
        require_owner(actor, seal.organisation_code)
        return seal

    async def fetch_file(self, seal_id: UUID, *, actor: Caller) -> RegisteredSeal:
        """Return a seal whose file goes out to the actor, on record. Raises NotFound or Forbidden."""
        async with self._database.transaction() as connection:
            seal = await store.load_seal(connection, seal_id=seal_id)
            require_owner(actor, seal.organisation_code)
            await self._log.append(
                connection, event=Event.SEAL_FETCHED, caller=actor, details={"seal": str(seal_id)}
            )
        return seal

    async def load_history(self, seal_id: UUID, *, actor: Caller) -> list[SealChange]:
        """Return the life of a seal, oldest step first. Raises as `get_seal`."""
        await self.get_seal(seal_id, actor=actor)
        async with self._database.acquire() as connection:
            return await store.load_changes(connection, seal_id=seal_id)

    async def set_status(
        self, seal_id: UUID, *, status: SealStatus, reason: str, compromised: bool = False, actor: Caller
    ) -> RegisteredSeal:
        """Suspend, take up again or destroy a seal. Raises Conflict for a change that there is not.

        With the seal, the private key that it was set with is destroyed: nobody can sign with it again.

        `compromised`, with `destroyed` only, also revokes the certificate of the seal's key: then what it
        signed without a time stamp is no longer to be relied upon.
        """
        _check_reason(reason)
        if compromised and status is not SealStatus.DESTROYED:
            msg = "only a seal that is destroyed can be declared compromised"
            raise Conflict(msg)
        async with self._database.transaction() as connection:
            seal = await store.lock_seal(connection, seal_id=seal_id)
            require_keeper(actor, seal.organisation_code)
            if status not in TRANSITIONS[seal.status]:
                msg = f"a seal that is {seal.status} cannot become {status}"
                raise Conflict(msg)
            await self._change(
                connection, seal, status, reason=reason, actor=actor, revoked=compromised or None
            )
            changed = await store.load_seal(connection, seal_id=seal_id)
        if changed.status is SealStatus.DESTROYED:
            await self._destroy_key(changed)
        if compromised:
            serial = Certificate.parse(seal.signer_certificate).serial
            await self._pki.revoke(serial=serial, reason=RevocationReason.KEY_COMPROMISE)
        return changed

    async def destroy_left_keys(self) -> int:
        """Destroy the keys of destroyed seals that a crash left behind; return how many there were."""
        async with self._database.acquire() as connection:
            seals = await store.load_seals(connection, organisation_code=None)
        destroyed = [seal for seal in seals if seal.status is SealStatus.DESTROYED]
        return sum([await self._destroy_key(seal) for seal in destroyed])

    async def _destroy_key(self, seal: RegisteredSeal) -> bool:
        self._opener.forget(seal.id)
        return await self._pki.destroy_key(seal.signer_key)

    async def open_seal(self, *, actor: Caller, seal_id: UUID | None) -> OpenSeal:
        """Open a seal of the actor's organisation to sign; see `SealOpener.open`.

        Raises Forbidden for whoever administers seals: keeping and using are two hands.
        """
        if actor.scopes & {Scope.ADMIN, Scope.SEAL_MANAGE}:
            msg = "who administers seals does not set them; sign with a system that has certificate:issue"
            raise Forbidden(msg)
        return await self._opener.open(organisation_code=actor.organisation_code, seal_id=seal_id)

    async def open_for_copy(self, *, issuer_code: str) -> OpenSeal:
        """Open an issuer's seal for the hub itself, which seals annotated copies; as `open_seal`."""
        return await self._opener.open(organisation_code=issuer_code, seal_id=None)

    async def _save_new(
        self, connection: Connection, seal: RegisteredSeal, *, reason: str, actor: Caller
    ) -> None:
        await store.save_seal(connection, seal=seal)
        await store.save_change(connection, change=self._step(seal.id, None, seal.status, reason, actor))
        await self._log.append(
            connection,
            event=Event.SEAL_REGISTERED,
            caller=actor,
            details={
                "seal": str(seal.id),
                "organisation": seal.organisation_code,
                "name": seal.name,
                "seal_code": seal.seal_code,
                "signers": len(parse_seal(seal.der).property.certificates),
                "predecessor": None if seal.predecessor is None else str(seal.predecessor),
            },
        )

    async def _change(
        self,
        connection: Connection,
        seal: RegisteredSeal,
        status: SealStatus,
        *,
        reason: str,
        actor: Caller,
        revoked: bool | None = None,
    ) -> None:
        await store.set_status(connection, seal_id=seal.id, status=status)
        await store.save_change(connection, change=self._step(seal.id, seal.status, status, reason, actor))
        details = {"seal": str(seal.id), "from": seal.status, "to": status, "reason": reason}
        await self._log.append(
            connection,
            event=Event.SEAL_STATUS_CHANGED,
            caller=actor,
            details=details if revoked is None else details | {"revoked": revoked},
        )

    def _step(
        self, seal_id: UUID, before: SealStatus | None, after: SealStatus, reason: str, actor: Caller
    ) -> SealChange:
        return SealChange(
            seal_id=seal_id,
            from_status=before,
            to_status=after,
            reason=reason,
            organisation_code=actor.organisation_code,
            system_id=actor.system_id,
            changed_at=self._now(),
        )


def require_owner(actor: Caller, organisation_code: str) -> None:
    """Raise Forbidden unless `actor` acts for the organisation, or is an administrator."""
    if actor.organisation_code != organisation_code and Scope.ADMIN not in actor.scopes:
        msg = "seals are the business of the organisation that they belong to"
        raise Forbidden(msg)


def require_keeper(actor: Caller, organisation_code: str) -> None:
    """Raise Forbidden unless `actor` keeps the organisation's seals, or is an administrator."""
    require_owner(actor, organisation_code)
    if not actor.scopes & {Scope.ADMIN, Scope.SEAL_MANAGE}:
        msg = "seals are kept by a system with seal:manage, which is never the one that sets them"
        raise Forbidden(msg)


def _check_reason(reason: str) -> None:
    if errors := check_text("/reason", reason, max_characters=MAX_REASON_CHARACTERS):
        msg = "every change of a seal has a reason"
        raise SchemaViolation(msg, errors=tuple(errors))
