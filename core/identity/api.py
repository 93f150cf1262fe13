"""Routes of organisations and systems. Tokens are in `api_tokens`, credentials in `api_credentials`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.http.authentication import Authentication
from core.identity.model import Organisation, Status, System
from core.identity.service import IdentityService


class OrganisationIn(BaseModel):
    """An organisation to register."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="unified social credit code (GB 32100)", examples=["11990000MB0000017T"])
    name: str = Field(examples=["示例市市场监督管理局"])
    division_code: str = Field(description="six digits (GB/T 2260)", examples=["990000"])
    parent_code: str | None = None


class OrganisationOut(BaseModel):
    """An organisation as registered."""

    code: str
    name: str
    division_code: str
    parent_code: str | None
    status: str


class SystemIn(BaseModel):
    """A system to register for an organisation."""

    model_config = ConfigDict(extra="forbid")

    organisation_code: str
    name: str
    scopes: list[Scope]


class SystemOut(BaseModel):
    """A system as registered; `client_secret` is shown once, when it is made."""

    client_id: str
    organisation_code: str
    name: str
    scopes: list[str]
    status: str
    client_secret: str | None = None


class StatusIn(BaseModel):
    """Whether a system may act."""

    model_config = ConfigDict(extra="forbid")

    status: Status


def build_router(*, identity: IdentityService, authentication: Authentication) -> APIRouter:
    """Build the routes over `identity`."""
    router = APIRouter(prefix="/v1", tags=["identity"])
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]
    known = Depends(authentication.requires())

    @router.post("/organisations", status_code=201)
    async def register_organisation(body: OrganisationIn, caller: administrator) -> OrganisationOut:
        """Register an organisation."""
        organisation = Organisation(
            code=OrganisationCode(body.code),
            name=body.name,
            division_code=body.division_code,
            parent_code=None if body.parent_code is None else OrganisationCode(body.parent_code),
        )
        await identity.register_organisation(organisation, actor=caller)
        return _render_organisation(organisation)

    @router.get("/organisations", dependencies=[known])
    async def list_organisations() -> list[OrganisationOut]:
        """List all organisations."""
        return [_render_organisation(found) for found in await identity.list_organisations()]

    @router.post("/systems", status_code=201)
    async def register_system(body: SystemIn, caller: administrator) -> SystemOut:
        """Register a system; its secret is in this answer and nowhere else."""
        made = await identity.register_system(
            organisation_code=OrganisationCode(body.organisation_code),
            name=body.name,
            scopes=frozenset(body.scopes),
            actor=caller,
        )
        return _render_system(made.system, secret=made.secret)

    @router.post("/systems/{system_id}/status")
    async def set_system_status(system_id: UUID, body: StatusIn, caller: administrator) -> SystemOut:
        """Suspend a system, or make it active again; its tokens stop or work at once."""
        system = await identity.set_system_status(SystemId(system_id), body.status, actor=caller)
        return _render_system(system, secret=None)

    return router


def _render_organisation(organisation: Organisation) -> OrganisationOut:
    return OrganisationOut(
        code=organisation.code,
        name=organisation.name,
        division_code=organisation.division_code,
        parent_code=organisation.parent_code,
        status=organisation.status,
    )


def _render_system(system: System, *, secret: str | None) -> SystemOut:
    return SystemOut(
        client_id=str(system.id),
        organisation_code=system.organisation_code,
        name=system.name,
        scopes=sorted(system.scopes),
        status=system.status,
        client_secret=secret,
    )
