"""The rules of seals in use."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from certs.seals import store
from certs.seals.model import OpenSeal, RegisteredSeal, SealStatus
from core.caller import Caller, OrganisationCode, Scope
from core.database import Connection, Database
from core.errors import Conflict, FieldError, Forbidden, NotFound, SchemaViolation
from core.identity.store import load_organisation
from core.log.model import Event
from core.log.writer import LogWriter
from core.pki.model import CertifiedSigner
from core.pki.service import PkiService
from core.text import check_text
from signing.pictures import MAX_SIDE_MM, assess_picture
from signing.seals.build import SealOrder, build_seal
from signing.seals.model import PictureType, SealPicture
from signing.seals.parse import parse_seal
from signing.seals.sign import SealSigner, prepare_seal_signer
from signing.x509.certificate import Certificate
from signing.x509.names import Name
from signing.x509.profiles import Profile

VENDOR_ID: Final = "SHUZHENG"
MAKER_KEY: Final = "seal-maker"
MAX_NAME_CHARACTERS: Final = 100
MAX_YEARS: Final = 5
DEFAULT_YEARS: Final = 3
DEFAULT_SIDE_MM: Final = 42
SIGNER_LIFE: Final = timedelta(minutes=1)
"""How long a process signs on before it judges seal, chain and revocation anew."""

DrawPicture = Callable[[str, int], bytes]
"""Draws a round seal as PNG: takes the name and the side in millimetres."""

TRANSITIONS: Final[dict[SealStatus, frozenset[SealStatus]]] = {
    SealStatus.ACTIVE: frozenset({SealStatus.SUSPENDED, SealStatus.DESTROYED}),
    SealStatus.SUSPENDED: frozenset({SealStatus.ACTIVE, SealStatus.DESTROYED}),
    SealStatus.DESTROYED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRequest:
    """A seal to register. `picture` None has a round seal drawn from the name; sides are millimetres."""

    organisation_code: OrganisationCode
    name: str
    kind: int = 1
    picture: bytes | None = field(default=None, repr=False)
    width_mm: int = DEFAULT_SIDE_MM
    height_mm: int = DEFAULT_SIDE_MM
    years: int = DEFAULT_YEARS


class SealService:
    """Registers seals and opens them to sign. Instances are safe to share within one event loop."""

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
        self._draw_picture = draw_picture
        self._now = now
        self._ready: dict[UUID, SealSigner] = {}

    async def register(self, request: SealRequest, *, actor: Caller) -> RegisteredSeal:
        """Make a seal and keep it.

        The organisation's own system or an administrator may. Raises Forbidden, NotFound for an unknown
        organisation, SchemaViolation for a bad name or picture, Conflict where the name is in use.
        """
        require_owner(actor, request.organisation_code)
        if errors := await asyncio.to_thread(_check, request):
            msg = "the seal's fields are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.acquire() as connection:
            organisation = await load_organisation(connection, code=request.organisation_code)
        signer_key = f"seal-signer-{request.organisation_code}"
        signer = await self._pki.certified_signer(
            name=signer_key,
            profile=Profile.SEAL_SIGNER,
            subject=Name.build(common_name=organisation.name, organization=organisation.name),
        )
        seal = await self._make(request, signer_key=signer_key, signer=signer)
        async with self._database.transaction() as connection:
            await store.save_seal(connection, seal=seal)
            await self._log.append(
                connection,
                event=Event.SEAL_REGISTERED,
                caller=actor,
                details={
                    "seal": str(seal.id),
                    "organisation": seal.organisation_code,
                    "name": seal.name,
                    "seal_code": seal.seal_code,
                },
            )
        return seal

    async def _make(
        self, request: SealRequest, *, signer_key: str, signer: CertifiedSigner
    ) -> RegisteredSeal:
        maker = await self._pki.certified_signer(
            name=MAKER_KEY,
            profile=Profile.SEAL_MAKER,
            subject=Name.build(common_name="Shuzheng Seal Maker", organization="Shuzheng"),
        )
        trust = await self._pki.trust_policy()
        data = request.picture
        if data is None:
            data = await asyncio.to_thread(self._draw_picture, request.name, request.width_mm)
        created_at = self._now().replace(microsecond=0)
        valid_until = min(created_at + timedelta(days=365 * request.years), signer.certificate.not_after)
        order = SealOrder(
            seal_id=f"{request.organisation_code}-{secrets.token_hex(8).upper()}",
            vendor_id=VENDOR_ID,
            name=request.name,
            type=request.kind,
            picture=SealPicture(
                type=PictureType.PNG, data=data, width_mm=request.width_mm, height_mm=request.height_mm
            ),
            signers=(signer.certificate,),
            created_at=created_at,
            valid_from=created_at,
            valid_until=valid_until,
        )
        der = await asyncio.to_thread(
            build_seal, order, maker=maker.signer, maker_certificate=maker.certificate, trust=trust
        )
        return RegisteredSeal(
            id=uuid4(),
            organisation_code=request.organisation_code,
            name=request.name,
            seal_code=order.seal_id,
            kind=order.type,
            status=SealStatus.ACTIVE,
            signer_key=signer_key,
            signer_certificate=signer.certificate.der,
            maker_certificate=maker.certificate.der,
            picture_type=order.picture.type,
            picture_width_mm=request.width_mm,
            picture_height_mm=request.height_mm,
            der=der,
            valid_from=order.valid_from,
            valid_until=order.valid_until,
            created_at=created_at,
        )

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

    async def set_status(
        self, seal_id: UUID, *, status: SealStatus, reason: str, actor: Caller
    ) -> RegisteredSeal:
        """Suspend, reactivate or destroy a seal. Raises Conflict for a change that there is not."""
        if errors := check_text("/reason", reason, max_characters=500):
            msg = "every change of a seal has a reason"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            seal = await store.lock_seal(connection, seal_id=seal_id)
            require_owner(actor, seal.organisation_code)
            if status not in TRANSITIONS[seal.status]:
                msg = f"a seal that is {seal.status} cannot become {status}"
                raise Conflict(msg)
            await store.set_status(connection, seal_id=seal_id, status=status)
            await self._log.append(
                connection,
                event=Event.SEAL_STATUS_CHANGED,
                caller=actor,
                details={"seal": str(seal_id), "from": seal.status, "to": status, "reason": reason},
            )
            return await store.load_seal(connection, seal_id=seal_id)

    async def open_seal(self, *, organisation_code: str, seal_id: UUID | None) -> OpenSeal:
        """Open a seal to sign: the one named, or the newest of the organisation that may be used now.

        Raises NotFound where there is none, Conflict where the one named may not be used, or where the
        signer's certificate is no longer the one that the seal lists: then a new seal is due.
        """
        async with self._database.acquire() as connection:
            seal = await self._choose(connection, organisation_code, seal_id)
        return OpenSeal(seal=seal, signer=await self._open_signer(seal))

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
        if ready is not None and ready.prepared_at <= now < ready.usable_until:
            return ready
        subject = Certificate.parse(seal.signer_certificate).subject
        certified = await self._pki.certified_signer(
            name=seal.signer_key, profile=Profile.SEAL_SIGNER, subject=subject
        )
        if certified.certificate.der != seal.signer_certificate:
            msg = "the signer's certificate was renewed since the seal was made; register a new seal"
            raise Conflict(msg)
        ready = await asyncio.to_thread(
            prepare_seal_signer,
            seal=parse_seal(seal.der),
            signer=certified.signer,
            certificate=certified.certificate,
            at=now,
            trust=await self._pki.trust_policy(),
            validity=SIGNER_LIFE,
        )
        self._ready[seal.id] = ready
        return ready


def require_owner(actor: Caller, organisation_code: str) -> None:
    """Raise Forbidden unless `actor` acts for the organisation, or is an administrator."""
    if actor.organisation_code != organisation_code and Scope.ADMIN not in actor.scopes:
        msg = "seals are the business of the organisation that they belong to"
        raise Forbidden(msg)


def _check(request: SealRequest) -> list[FieldError]:
    errors = check_text("/name", request.name, max_characters=MAX_NAME_CHARACTERS)
    if not errors and not (request.name.isprintable() and request.name == request.name.strip()):
        detail = "must be printable and have no outer blanks"
        errors.append(FieldError(pointer="/name", code="TEXT", detail=detail))
    if not re.fullmatch(r"[1-9][0-9]?", str(request.kind)):
        errors.append(FieldError(pointer="/kind", code="RANGE", detail="must be 1 to 99"))
    if not 1 <= request.years <= MAX_YEARS:
        errors.append(FieldError(pointer="/years", code="RANGE", detail=f"must be 1 to {MAX_YEARS}"))
    return errors + _check_picture(request)


def _check_picture(request: SealRequest) -> list[FieldError]:
    if request.picture is None:
        if request.width_mm == request.height_mm and 20 <= request.width_mm <= 60:
            return []
        detail = "a drawn seal is round, 20 to 60 mm across; give a picture for other sizes"
        return [FieldError(pointer="/width_mm", code="RANGE", detail=detail)]
    if not (1 <= request.width_mm <= MAX_SIDE_MM and 1 <= request.height_mm <= MAX_SIDE_MM):
        detail = f"sides are 1 to {MAX_SIDE_MM} mm"
        return [FieldError(pointer="/width_mm", code="RANGE", detail=detail)]
    report = assess_picture(
        kind=PictureType.PNG,
        data=request.picture,
        width_mm=request.width_mm,
        height_mm=request.height_mm,
    )
    return [FieldError(pointer="/picture", code="PICTURE", detail=problem.en) for problem in report.problems]
