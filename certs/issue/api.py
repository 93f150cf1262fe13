"""Routes of issuing and of what becomes of certificates."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from certs.issue.lifecycle import LifecycleService
from certs.issue.model import (
    Certificate,
    CertificateStatus,
    Holder,
    IssueOrder,
    SourceFingerprint,
    StatusChange,
)
from certs.issue.record import RequestKey
from certs.issue.rows import RowReference
from certs.issue.service import IssueService
from certs.types.model import HolderCodeType
from core.caller import Caller, Purpose, Scope
from core.china_time import china_day
from core.http.authentication import Authentication, read_purpose_if_sent
from core.http.busy_route import busy_route
from signing import sm3
from signing.canonical_json import build_canonical_json

Clock = Callable[[], datetime]


class HolderBody(BaseModel):
    """Who holds a certificate."""

    model_config = ConfigDict(extra="forbid")

    name: str
    code: str
    code_type: HolderCodeType = Field(description="GB/T 36903-2018 annex A, such as 001 or 111")


class SourceIn(BaseModel):
    """A row of a published resource, read under the issuer's own data or a grant."""

    model_config = ConfigDict(extra="forbid")

    resource: str = Field(max_length=128)
    keys: dict[str, str] = Field(description="all key items of the resource and their values", max_length=20)
    items: dict[str, str] = Field(description="item of the type → item of the resource", max_length=200)


class OrderIn(BaseModel):
    """A certificate to issue."""

    model_config = ConfigDict(extra="forbid")

    type_code: str
    holder: HolderBody
    number: str = Field(description="the number printed on the certificate")
    data: dict[str, str] = Field(default_factory=dict, max_length=200)
    issued_on: date | None = Field(default=None, description="today in China where left out")
    valid_from: date | None = Field(default=None, description="the day of issue where left out")
    valid_until: date | None = Field(default=None, description="last valid day; left out where none is fixed")
    service_item: str | None = None
    case_number: str | None = None
    predecessor: str | None = Field(
        default=None, description="identifier of the certificate that this one corrects or renews"
    )
    seal_id: UUID | None = Field(default=None, description="the newest seal in use where left out")
    is_active: bool = Field(default=True, description="false issues it not yet activated")
    timestamp: bool = Field(default=False, description="add a time stamp of the hub's authority to the seal")
    source: SourceIn | None = Field(default=None, description="a published row that fills data")


class CertificateOut(BaseModel):
    """A certificate as registered."""

    identifier: str
    type_code: str
    type_name: str
    number: str
    version: int
    status: CertificateStatus
    holder: HolderBody
    issuer_code: str
    issuer_name: str
    issued_on: date
    valid_from: date
    valid_until: date | None
    predecessor: str | None
    successor: str | None
    digest: str = Field(description="`sm3:` and the SM3 of the file in hex")
    size_bytes: int
    qr_payload: str


class PreviewOut(BaseModel):
    """What a dry run would have issued."""

    identifier: str
    metadata: dict[str, str]
    qr_payload: str
    seal: str


class SourceOut(BaseModel):
    """The row that a certificate rests on, as it was."""

    resource: str
    version: int
    row_digest: str


class ChangeOut(BaseModel):
    """One step in a certificate's life."""

    from_status: CertificateStatus | None
    to_status: CertificateStatus
    reason: str
    changed_at: datetime


class CertificateDetailOut(CertificateOut):
    """A certificate with its data and its life, for its issuer."""

    data: dict[str, str]
    changes: list[ChangeOut]
    source: SourceOut | None


class StatusIn(BaseModel):
    """A change of a certificate's status."""

    model_config = ConfigDict(extra="forbid")

    to: CertificateStatus
    reason: str


def build_busy_router(*, issue: IssueService, authentication: Authentication, clock: Clock) -> APIRouter:
    """Build the route of issuing one certificate. Routes are tried in order: let it come early."""
    router = APIRouter(
        prefix="/v1/certificates",
        tags=["certificates"],
        route_class=busy_route(authentication, Scope.CERTIFICATE_ISSUE),
    )
    issuer = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_ISSUE))]

    @router.post("", status_code=201, response_model=CertificateOut)
    async def issue_certificate(
        body: OrderIn,
        caller: issuer,
        request: Request,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Issue a certificate: checked, laid out, sealed, stored and registered."""
        purpose = await read_purpose_if_sent(request)
        order = parse_order(body, today=china_day(clock()))
        sent = idempotency_key or request.headers.get("idempotency-key")
        key = None if sent is None else RequestKey(key=sent, body_sm3=digest_order(body))
        issued = await issue.issue(
            order, actor=caller, key=key, reference=parse_reference(body), purpose=purpose
        )
        told = render_certificate(issued, clock()).model_dump_json()
        return Response(told, status_code=201, media_type="application/json")

    return router


def build_router(
    *, issue: IssueService, lifecycle: LifecycleService, authentication: Authentication, clock: Clock
) -> APIRouter:
    """Build the routes; `clock` tells the time (aware, UTC)."""
    router = APIRouter(prefix="/v1/certificates", tags=["certificates"])
    issuer = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_ISSUE))]
    aimed = Annotated[Purpose | None, Depends(read_purpose_if_sent)]

    @router.post("/preview")
    async def preview_issue(body: OrderIn, caller: issuer, purpose: aimed) -> PreviewOut:
        """Check an order and lay it out, and keep nothing (dry run)."""
        order = parse_order(body, today=china_day(clock()))
        made = await issue.preview(order, actor=caller, reference=parse_reference(body), purpose=purpose)
        return PreviewOut(
            identifier=made.identifier,
            metadata=made.metadata,
            qr_payload=made.qr_payload,
            seal=made.seal.seal.name,
        )

    @router.get("/{identifier}")
    async def get_certificate(identifier: str, caller: issuer) -> CertificateDetailOut:
        """Show a certificate and its life to its issuer."""
        certificate, changes = await lifecycle.get(identifier, actor=caller)
        source = await lifecycle.load_source(identifier)
        summary = render_certificate(certificate, clock()).model_dump()
        return CertificateDetailOut(
            **summary,
            data=dict(certificate.data),
            changes=[_render_change(change) for change in changes],
            source=None if source is None else _render_source(source),
        )

    @router.post("/{identifier}/status")
    async def set_status(identifier: str, body: StatusIn, caller: issuer) -> CertificateOut:
        """Suspend, reactivate, cancel, revoke or withdraw a certificate."""
        changed = await lifecycle.set_status(identifier, status=body.to, reason=body.reason, actor=caller)
        return render_certificate(changed, clock())

    return router


def _render_source(source: SourceFingerprint) -> SourceOut:
    return SourceOut(
        resource=source.resource_code,
        version=source.version,
        row_digest=f"sm3:{source.row_sm3.hex()}",
    )


def digest_order(body: OrderIn) -> bytes:
    """Digest an order as it was sent, for its Idempotency-Key."""
    return sm3.digest(build_canonical_json(body.model_dump(mode="json")))


def parse_reference(body: OrderIn) -> RowReference | None:
    """Read which row fills the data; None where none does."""
    source = body.source
    if source is None:
        return None
    return RowReference(resource_code=source.resource, keys=source.keys, items=source.items)


def parse_order(body: OrderIn, *, today: date) -> IssueOrder:
    """Read an order; days that are left out become today's."""
    issued_on = body.issued_on or today
    return IssueOrder(
        type_code=body.type_code,
        holder=Holder(name=body.holder.name, code=body.holder.code, code_type=body.holder.code_type),
        number=body.number,
        data=body.data,
        issued_on=issued_on,
        valid_from=body.valid_from or issued_on,
        valid_until=body.valid_until,
        service_item=body.service_item,
        case_number=body.case_number,
        predecessor=body.predecessor,
        seal_id=body.seal_id,
        is_active=body.is_active,
        with_timestamp=body.timestamp,
    )


def render_certificate(certificate: Certificate, now: datetime) -> CertificateOut:
    """Render a certificate with its status of today."""
    return CertificateOut(
        identifier=certificate.identifier,
        type_code=certificate.type_code,
        type_name=certificate.type_name,
        number=certificate.number,
        version=certificate.version,
        status=certificate.status_on(china_day(now)),
        holder=HolderBody(
            name=certificate.holder.name,
            code=certificate.holder.code,
            code_type=certificate.holder.code_type,
        ),
        issuer_code=certificate.issuer_code,
        issuer_name=certificate.issuer_name,
        issued_on=certificate.issued_on,
        valid_from=certificate.valid_from,
        valid_until=certificate.valid_until,
        predecessor=certificate.predecessor,
        successor=certificate.successor,
        digest=f"sm3:{certificate.digest_sm3.hex()}",
        size_bytes=certificate.size_bytes,
        qr_payload=certificate.qr_payload,
    )


def _render_change(change: StatusChange) -> ChangeOut:
    return ChangeOut(
        from_status=change.from_status,
        to_status=change.to_status,
        reason=change.reason,
        changed_at=change.changed_at,
    )
