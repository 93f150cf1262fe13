"""Routes of holders and those who ask them: authorisations, delegations, presentations.

A portal (scope `certificate:holder`) signs citizens and firms in, and names in `acting` who is signed in.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from certs.authorise.model import Authorisation, AuthorisationMode
from certs.authorise.service import AuthoriseService, NewAuthorisation, Terms
from certs.issue.api import CertificateOut, render_certificate
from certs.issue.model import Holder
from certs.present.model import Presentation, PresentationStatus
from certs.present.service import PresentService
from certs.types.model import HolderCodeType
from certs.use.api import CertificateDataOut
from core.caller import Caller, OrganisationCode, Purpose, Scope
from core.http.authentication import Authentication, read_purpose


class Body(BaseModel):
    """A body without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class PersonIn(Body):
    """Who is signed in at the portal, or who is delegated."""

    code: str = Field(max_length=128)
    code_type: HolderCodeType

    def to_holder(self) -> Holder:
        """Name the person; portals tell the number only."""
        return Holder(name="", code=self.code.strip(), code_type=self.code_type)


class TermsIn(Body):
    """How far an authorisation reaches."""

    original: bool = Field(default=False, description="the original file too, not only data and copies")
    max_uses: int = 1
    minutes: int = Field(default=60, ge=1, le=43_200)


class FunctionIn(TermsIn):
    """An authorisation by function, for the case of the purpose headers."""

    identifier: str


class HolderIn(TermsIn):
    """An authorisation by the holder or a delegate."""

    identifier: str
    acting: PersonIn
    organisation_code: str
    service_item: str
    case_number: str


class AuthorisationOut(BaseModel):
    """An authorisation; `code` (用证码) stands in the first answer only."""

    id: UUID
    mode: AuthorisationMode
    identifier: str
    organisation_code: str
    service_item: str
    case_number: str
    original: bool
    max_uses: int
    uses: int
    expires_at: datetime
    revoked_at: datetime | None
    code: str | None = None


class RevokeIn(Body):
    """A revocation; a portal names who is signed in."""

    reason: str
    acting: PersonIn | None = None


class DelegateIn(Body):
    """A delegation."""

    identifier: str
    acting: PersonIn
    delegate: PersonIn
    days: int = Field(ge=1, le=366)


class DelegationOut(BaseModel):
    """A delegation as kept."""

    id: UUID
    identifier: str
    expires_at: datetime


class ActingIn(Body):
    """Who is signed in."""

    acting: PersonIn


class ShowIn(ActingIn):
    """A certificate to show."""

    identifier: str


class ScanIn(Body):
    """The content of a scanned code."""

    code: str = Field(max_length=200)


class DecideIn(ActingIn):
    """The holder's word."""

    confirm: bool


class PresentationOut(BaseModel):
    """Where a presentation stands; `code` stands in the first answer only."""

    id: UUID
    identifier: str
    status: PresentationStatus
    expires_at: datetime
    scanned_by: str | None
    service_item: str | None
    case_number: str | None
    code: str | None = None


class ScannedOut(BaseModel):
    """What is offered to who scanned."""

    id: UUID
    status: PresentationStatus
    type_name: str
    issuer_name: str


def build_router(
    *,
    authorise: AuthoriseService,
    present: PresentService,
    authentication: Authentication,
    clock: Callable[[], datetime],
) -> APIRouter:
    """Build the routes; `clock` tells the time (aware, UTC)."""
    router = APIRouter(tags=["holders"])
    _add_authorisations(router, authorise, authentication)
    _add_delegations(router, authorise, authentication)
    _add_showing(router, present, authentication)
    _add_deciding(router, present, authentication, clock)
    return router


def _add_authorisations(
    router: APIRouter, authorise: AuthoriseService, authentication: Authentication
) -> None:
    holder_portal = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_HOLDER))]
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]
    purposeful = Annotated[Purpose, Depends(read_purpose)]

    @router.post("/v1/authorisations", status_code=201)
    async def authorise_by_function(body: FunctionIn, caller: user, purpose: purposeful) -> AuthorisationOut:
        """Take an authorisation by function (依职能) for the case of the purpose headers."""
        terms = _terms(
            body,
            organisation_code=caller.organisation_code,
            service_item=purpose.service_item,
            case_number=purpose.case_number,
        )
        return _render_new(
            await authorise.authorise_by_function(
                body.identifier, terms=terms, caller=caller, purpose=purpose
            )
        )

    @router.post("/v1/holders/authorisations", status_code=201)
    async def authorise_by_holder(body: HolderIn, portal: holder_portal) -> AuthorisationOut:
        """Authorise an organisation for one case, in the name of the holder or of a delegate."""
        terms = _terms(
            body,
            organisation_code=body.organisation_code,
            service_item=body.service_item,
            case_number=body.case_number,
        )
        acting = body.acting.to_holder()
        return _render_new(
            await authorise.authorise_by_holder(body.identifier, acting=acting, terms=terms, portal=portal)
        )

    @router.post("/v1/authorisations/{authorisation_id}/revoke")
    async def revoke(authorisation_id: UUID, body: RevokeIn, caller: user) -> AuthorisationOut:
        """Give an authorisation up, as the organisation that has it."""
        found = await authorise.revoke(authorisation_id, acting=None, reason=body.reason, actor=caller)
        return render_authorisation(found)

    @router.post("/v1/holders/authorisations/{authorisation_id}/revoke")
    async def revoke_by_holder(
        authorisation_id: UUID, body: RevokeIn, portal: holder_portal
    ) -> AuthorisationOut:
        """Take an authorisation back, in the name of the holder."""
        acting = body.acting.to_holder() if body.acting is not None else _nobody()
        found = await authorise.revoke(authorisation_id, acting=acting, reason=body.reason, actor=portal)
        return render_authorisation(found)


def _add_delegations(router: APIRouter, authorise: AuthoriseService, authentication: Authentication) -> None:
    holder_portal = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_HOLDER))]
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]

    @router.post("/v1/holders/delegations", status_code=201)
    async def delegate(body: DelegateIn, portal: holder_portal) -> DelegationOut:
        """Let somebody authorise the use of a certificate in the holder's place (委托)."""
        made = await authorise.delegate(
            body.identifier,
            holder=body.acting.to_holder(),
            delegate=body.delegate.to_holder(),
            life=timedelta(days=body.days),
            portal=portal,
        )
        return DelegationOut(id=made.id, identifier=made.identifier, expires_at=made.expires_at)

    @router.post("/v1/holders/delegations/{delegation_id}/revoke", status_code=204)
    async def revoke_delegation(delegation_id: UUID, body: ShowIn, portal: holder_portal) -> None:
        """Take a delegation back."""
        await authorise.revoke_delegation(
            body.identifier, delegation_id, holder=body.acting.to_holder(), portal=portal
        )

    @router.put("/v1/certificate-types/{type_code}/copies-only", status_code=204)
    async def set_copies_only(type_code: str, body: list[str], caller: administrator) -> None:
        """Say which service items (`*`: all) get only annotated copies by function."""
        await authorise.set_copies_only(type_code, body, actor=caller)


def _add_showing(router: APIRouter, present: PresentService, authentication: Authentication) -> None:
    holder_portal = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_HOLDER))]
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]
    purposeful = Annotated[Purpose, Depends(read_purpose)]

    @router.post("/v1/presentations", status_code=201)
    async def show(body: ShowIn, portal: holder_portal) -> PresentationOut:
        """Show a certificate (亮证): a code for one scan within 60 seconds."""
        shown = await present.show(body.identifier, acting=body.acting.to_holder(), portal=portal)
        return _render_presentation(shown.presentation, code=shown.code)

    @router.post("/v1/presentations/scan")
    async def scan(body: ScanIn, caller: user, purpose: purposeful) -> ScannedOut:
        """Scan a code that a holder shows; the holder then sees who asks, and decides."""
        found, certificate = await present.scan(body.code, caller=caller, purpose=purpose)
        return ScannedOut(
            id=found.id,
            status=found.status,
            type_name=certificate.type_name,
            issuer_name=certificate.issuer_name,
        )

    @router.post("/v1/presentations/{presentation_id}/watch")
    async def watch(presentation_id: UUID, body: ActingIn, portal: holder_portal) -> PresentationOut:
        """Tell the holder who scanned the code, and where the presentation stands."""
        acting = body.acting.to_holder()
        return _render_presentation(await present.watch(presentation_id, acting=acting, caller=portal))


def _add_deciding(
    router: APIRouter,
    present: PresentService,
    authentication: Authentication,
    clock: Callable[[], datetime],
) -> None:
    holder_portal = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_HOLDER))]
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]
    either = Annotated[
        Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE, Scope.CERTIFICATE_HOLDER))
    ]
    purposeful = Annotated[Purpose, Depends(read_purpose)]

    @router.get("/v1/presentations/{presentation_id}")
    async def follow(presentation_id: UUID, caller: either) -> PresentationOut:
        """Tell who scanned the code where the presentation stands."""
        return _render_presentation(await present.watch(presentation_id, acting=None, caller=caller))

    @router.post("/v1/presentations/{presentation_id}/decide")
    async def decide(presentation_id: UUID, body: DecideIn, portal: holder_portal) -> PresentationOut:
        """Let the holder confirm or decline."""
        found = await present.decide(
            presentation_id, acting=body.acting.to_holder(), confirm=body.confirm, portal=portal
        )
        return _render_presentation(found)

    @router.post("/v1/presentations/{presentation_id}/release")
    async def release(presentation_id: UUID, caller: user, purpose: purposeful) -> CertificateDataOut:
        """Take the data of a certificate whose holder confirmed; once."""
        _, certificate = await present.release(presentation_id, caller=caller, purpose=purpose)
        summary: CertificateOut = render_certificate(certificate, clock())
        return CertificateDataOut(**summary.model_dump(), data=dict(certificate.data))


def _nobody() -> Holder:
    return Holder(name="", code="", code_type=HolderCodeType.OTHER_PERSON)


def _terms(body: TermsIn, *, organisation_code: str, service_item: str, case_number: str) -> Terms:
    return Terms(
        organisation_code=OrganisationCode(organisation_code),
        service_item=service_item,
        case_number=case_number,
        original=body.original,
        max_uses=body.max_uses,
        life=timedelta(minutes=body.minutes),
    )


def _render_new(made: NewAuthorisation) -> AuthorisationOut:
    return render_authorisation(made.authorisation, code=made.code)


def render_authorisation(found: Authorisation, *, code: str | None = None) -> AuthorisationOut:
    named = {name: getattr(found, name) for name in AuthorisationOut.model_fields if name != "code"}
    return AuthorisationOut(**named, code=code)


def _render_presentation(found: Presentation, *, code: str | None = None) -> PresentationOut:
    named = {name: getattr(found, name) for name in PresentationOut.model_fields if name != "code"}
    return PresentationOut(**named, code=code)
