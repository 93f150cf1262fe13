"""Routes by which holders see what is authorised and delegated over their certificates."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from certs.authorise.listing import ListingService
from certs.authorise.model import Delegation
from certs.issue.model import Holder
from certs.present.api import ActingIn, AuthorisationOut, PersonIn, render_authorisation
from core.caller import Caller, Scope
from core.http.authentication import Authentication


class ListedDelegationOut(BaseModel):
    """A delegation; `is_own` where who is signed in gave it, as the holder."""

    id: UUID
    identifier: str
    delegate: PersonIn
    is_own: bool
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def build_router(*, listing: ListingService, authentication: Authentication) -> APIRouter:
    """Build the routes over `listing`."""
    router = APIRouter(prefix="/v1/holders", tags=["holders"])
    holder_portal = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_HOLDER))]

    @router.post("/authorisations/list")
    async def list_authorisations(body: ActingIn, portal: holder_portal) -> list[AuthorisationOut]:
        """List who may use the certificates of who is signed in, or those delegated to that person."""
        found = await listing.list_authorisations(body.acting.to_holder(), portal=portal)
        return [render_authorisation(each) for each in found]

    @router.post("/delegations/list")
    async def list_delegations(body: ActingIn, portal: holder_portal) -> list[ListedDelegationOut]:
        """List the delegations that who is signed in gave or was given."""
        acting = body.acting.to_holder()
        found = await listing.list_delegations(acting, portal=portal)
        return [_render(each, acting) for each in found]

    return router


def _render(delegation: Delegation, acting: Holder) -> ListedDelegationOut:
    delegate = PersonIn.model_validate(
        {"code": delegation.delegate_code, "code_type": delegation.delegate_code_type}
    )
    return ListedDelegationOut(
        id=delegation.id,
        identifier=delegation.identifier,
        delegate=delegate,
        is_own=(delegate.code, delegate.code_type) != (acting.code, acting.code_type),
        created_at=delegation.created_at,
        expires_at=delegation.expires_at,
        revoked_at=delegation.revoked_at,
    )
