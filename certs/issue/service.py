"""Issue certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

import asyncpg

from certs.identifiers import Identifier, build_identifier, derive_serial
from certs.issue import store
from certs.issue.check import check_order, standardise_data
from certs.issue.lifecycle import change_status
from certs.issue.metadata import build_metadata
from certs.issue.model import (
    REPLACEABLE,
    Certificate,
    CertificateStatus,
    IssueOrder,
    StatusChange,
    china_day,
)
from certs.seals.model import OpenSeal, SealStatus
from certs.seals.service import SealService
from certs.seals.store import load_seal
from certs.types.model import CertificateType
from certs.types.store import load_type
from core.caller import Caller
from core.database import Connection, Database
from core.errors import (
    BadInput,
    Conflict,
    FieldError,
    IdempotencyConflict,
    SchemaViolation,
)
from core.log.model import Event
from core.log.writer import LogWriter
from core.objects import ObjectStore
from signing import sm3

MAX_KEY_CHARACTERS: Final = 128
ISSUED_REASON: Final = "issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """Everything that makes one certificate file."""

    order: IssueOrder
    kind: CertificateType
    identifier: str
    issuer_name: str
    metadata: dict[str, str]
    qr_payload: str
    seal: OpenSeal
    sealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducedFile:
    """A sealed file; `sealed_sm3` is the SM3 of its signature's description file."""

    data: bytes = field(repr=False)
    sealed_sm3: bytes


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


class Produce(Protocol):
    """Lays out, seals and signs one file. Blocks; raises ShuzhengError subclasses."""

    def __call__(self, production: Production) -> ProducedFile: ...


class IssueService:
    """Issues certificates for organisations."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        log: LogWriter,
        seals: SealService,
        produce: Produce,
        public_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._objects = objects
        self._log = log
        self._seals = seals
        self._produce = produce
        self._public_url = public_url
        self._now = now

    async def issue(self, order: IssueOrder, *, actor: Caller, key: RequestKey | None) -> Certificate:
        """Issue one certificate and return it as registered.

        With an Idempotency-Key, the same order again returns the certificate of the first time. Raises
        SchemaViolation with everything wrong in the order, NotFound for an unknown type or where the
        organisation has no seal in use, Conflict where the number was issued before or the predecessor
        cannot be replaced, IdempotencyConflict for another order under the same key.
        """
        if (done := await self._find_done(actor, key)) is not None:
            return done
        kind, order, version = await self._prepare(order, actor)
        identifier = _build_identifier(order, actor, version)
        produced, production = await self._make_file(order, kind, str(identifier), actor)
        certificate = _describe(production, produced, actor, version)
        await asyncio.to_thread(self._objects.put, certificate.object_key, produced.data)
        try:
            await self._record(certificate, actor=actor, key=key)
        except (Conflict, asyncpg.UniqueViolationError):
            if (done := await self._find_done(actor, key)) is not None:
                return done
            raise
        return certificate

    async def _find_done(self, actor: Caller, key: RequestKey | None) -> Certificate | None:
        if key is None:
            return None
        async with self._database.acquire() as connection:
            request = await store.load_request(connection, system_id=actor.system_id, key=key.key)
            if request is None:
                return None
            if request.body_sm3 != key.body_sm3:
                msg = "this Idempotency-Key came before with another order; take a new key"
                raise IdempotencyConflict(msg)
            return await store.load_certificate(connection, identifier=request.identifier)

    async def _prepare(self, order: IssueOrder, actor: Caller) -> tuple[CertificateType, IssueOrder, int]:
        """Load the type, standardise and check the order, and find the version that is due."""
        async with self._database.acquire() as connection:
            kind = await load_type(connection, code=order.type_code)
            order = replace(order, data=standardise_data(order.data, kind.items))
            errors = check_order(order, kind, today=china_day(self._now()))
            version = 1
            if order.predecessor is not None:
                version, found = await self._check_predecessor(connection, order, actor)
                errors += found
        if errors:
            msg = f"the order has {len(errors)} fields that are not right; see errors for each"
            raise SchemaViolation(msg, errors=tuple(errors))
        return kind, order, version

    async def _check_predecessor(
        self, connection: Connection, order: IssueOrder, actor: Caller
    ) -> tuple[int, list[FieldError]]:
        old = await store.find_certificate(connection, identifier=order.predecessor or "")
        detail = None
        if old is None or old.issuer_code != actor.organisation_code:
            detail = "no certificate of this identifier was issued by your organisation"
        elif (old.type_code, old.number) != (order.type_code, order.number):
            detail = "the predecessor has another type or number; a successor keeps both"
        if detail is None:
            assert old is not None
            return old.version + 1, []
        return 1, [FieldError(pointer="/predecessor", code="PREDECESSOR", detail=detail)]

    async def _make_file(
        self, order: IssueOrder, kind: CertificateType, identifier: str, actor: Caller
    ) -> tuple[ProducedFile, Production]:
        seal = await self._seals.open_seal(actor=actor, seal_id=order.seal_id)
        sealed_at = self._now().replace(microsecond=0)
        production = Production(
            order=order,
            kind=kind,
            identifier=identifier,
            issuer_name=actor.organisation_name,
            metadata=build_metadata(
                order=order,
                kind=kind,
                identifier=identifier,
                issuer_name=actor.organisation_name,
                issuer_code=actor.organisation_code,
                seal_name=seal.seal.name,
                sealed_at=sealed_at,
            ),
            qr_payload=f"{self._public_url}/c/{identifier}",
            seal=seal,
            sealed_at=sealed_at,
        )
        return await asyncio.to_thread(self._produce, production), production

    async def _record(self, certificate: Certificate, *, actor: Caller, key: RequestKey | None) -> None:
        """Register the certificate, retire its predecessor and write the log, in one transaction."""
        async with self._database.transaction() as connection:
            seal = await load_seal(connection, seal_id=certificate.seal_id)
            if seal.status is not SealStatus.ACTIVE:
                msg = f"the seal was {seal.status} while the certificate was made"
                raise Conflict(msg)
            if certificate.predecessor is not None:
                await self._supersede(connection, certificate, actor)
            await store.save_certificate(connection, certificate=certificate)
            change = self._step(
                certificate, certificate.status, before=None, reason=ISSUED_REASON, actor=actor
            )
            await store.save_change(connection, change=change)
            if key is not None:
                request = store.IssueRequest(
                    system_id=actor.system_id,
                    key=key.key,
                    body_sm3=key.body_sm3,
                    identifier=certificate.identifier,
                    requested_at=self._now(),
                )
                await store.save_request(connection, request=request)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_ISSUED,
                caller=actor,
                certificate_id=certificate.identifier,
                subject=certificate.holder.code,
                details={
                    "type": certificate.type_code,
                    "version": certificate.version,
                    "digest_sm3": certificate.digest_sm3.hex(),
                    "sealed_sm3": certificate.sealed_sm3.hex(),
                    "seal": str(certificate.seal_id),
                    "predecessor": certificate.predecessor,
                },
            )

    async def _supersede(self, connection: Connection, successor: Certificate, actor: Caller) -> None:
        assert successor.predecessor is not None
        old = await store.lock_certificate(connection, identifier=successor.predecessor)
        if old.status not in REPLACEABLE:
            msg = f"the predecessor is {old.status} and cannot be replaced"
            raise Conflict(msg)
        await change_status(
            connection,
            log=self._log,
            certificate=old,
            change=self._step(
                old,
                CertificateStatus.SUPERSEDED,
                before=old.status,
                reason=f"replaced by {successor.identifier}",
                actor=actor,
            ),
            actor=actor,
        )

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


def _build_identifier(order: IssueOrder, actor: Caller, version: int) -> Identifier:
    return build_identifier(
        type_code=order.type_code,
        issuer_code=actor.organisation_code,
        serial=derive_serial(order.number),
        version=version,
    )


def _describe(production: Production, produced: ProducedFile, actor: Caller, version: int) -> Certificate:
    order = production.order
    digest = sm3.digest(produced.data)
    active = CertificateStatus.ACTIVE if order.is_active else CertificateStatus.NOT_ACTIVATED
    return Certificate(
        identifier=production.identifier,
        type_code=production.kind.code,
        type_version=production.kind.version,
        type_name=production.kind.name,
        number=order.number,
        version=version,
        holder=order.holder,
        issuer_code=actor.organisation_code,
        issuer_name=actor.organisation_name,
        status=active,
        predecessor=order.predecessor,
        successor=None,
        issued_on=order.issued_on,
        valid_from=order.valid_from,
        valid_until=order.valid_until,
        data=order.data,
        qr_payload=production.qr_payload,
        service_item=order.service_item,
        case_number=order.case_number,
        seal_id=production.seal.seal.id,
        object_key=f"certificates/{digest.hex()[:2]}/{digest.hex()}.ofd",
        size_bytes=len(produced.data),
        digest_sm3=digest,
        sealed_sm3=produced.sealed_sm3,
        created_at=production.sealed_at,
    )
