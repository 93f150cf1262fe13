"""Routes by which an administrator rotates credentials and limits who calls, from where and how."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope, SystemId
from core.http.authentication import Authentication
from core.identity.credentials import MAX_OVERLAP, CredentialService
from core.identity.model import Credential, CredentialId, Organisation, SignatureRule, Status
from core.identity.networks import parse_networks
from core.identity.service import IdentityService

DAY_S = 86_400
MAX_PEM_CHARACTERS = 64 * 1024
_Overlap = Annotated[
    int, Field(ge=0, le=int(MAX_OVERLAP.total_seconds()), description="how long the former ones stay good")
]


class RotationIn(BaseModel):
    """How to rotate a secret."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: _Overlap = DAY_S


class KeyIn(BaseModel):
    """An SM2 key to register: a certificate or a public key, in PEM. With `overlap_s` former keys end."""

    model_config = ConfigDict(extra="forbid")

    pem: Annotated[str, Field(max_length=MAX_PEM_CHARACTERS)]
    overlap_s: _Overlap | None = None


class NetworksIn(BaseModel):
    """From where a system may call; null lifts the limit."""

    model_config = ConfigDict(extra="forbid")

    networks: list[str] | None = Field(examples=[["10.20.0.0/16", "2001:db8::/32"]])


class RuleIn(BaseModel):
    """Whether an organisation's requests are signed."""

    model_config = ConfigDict(extra="forbid")

    rule: SignatureRule


class OrganisationStatusIn(BaseModel):
    """Whether an organisation may act."""

    model_config = ConfigDict(extra="forbid")

    status: Status


class CredentialOut(BaseModel):
    """A credential as registered; a secret's text is in the answer that made it and nowhere else."""

    credential_id: str
    kind: str
    created_at: datetime
    not_after: datetime | None
    revoked_at: datetime | None
    public_key: str | None


class SecretOut(BaseModel):
    """A secret just made."""

    credential_id: str
    client_secret: str
    former_until: datetime


class NetworksOut(BaseModel):
    """From where a system may call."""

    client_id: str
    networks: list[str] | None


class RuleOut(BaseModel):
    """An organisation's status, and whether its requests are signed."""

    code: str
    status: str
    request_signatures: str


def build_router(
    *, identity: IdentityService, credentials: CredentialService, authentication: Authentication
) -> APIRouter:
    """Build the routes over `credentials` and `identity`."""
    router = APIRouter(prefix="/v1", tags=["identity"])
    required = Depends(authentication.requires(Scope.ADMIN))
    administrator = Annotated[Caller, required]

    @router.get("/systems/{system_id}/credentials", dependencies=[required])
    async def list_credentials(system_id: UUID) -> list[CredentialOut]:
        """List every credential that a system ever had, the newest first."""
        return [_render(found) for found in await credentials.list_of(SystemId(system_id))]

    @router.post("/systems/{system_id}/secrets", status_code=201)
    async def rotate_secret(system_id: UUID, body: RotationIn, caller: administrator) -> SecretOut:
        """Give a system a new secret; former ones stay good for `overlap_s` more."""
        made = await credentials.rotate_secret(
            SystemId(system_id), overlap=timedelta(seconds=body.overlap_s), actor=caller
        )
        return SecretOut(
            credential_id=str(made.credential.id),
            client_secret=made.secret,
            former_until=made.former_until,
        )

    @router.post("/systems/{system_id}/keys", status_code=201)
    async def add_key(system_id: UUID, body: KeyIn, caller: administrator) -> CredentialOut:
        """Register an SM2 key of a system, for assertions and signed requests."""
        overlap = None if body.overlap_s is None else timedelta(seconds=body.overlap_s)
        made = await credentials.add_key(SystemId(system_id), text=body.pem, overlap=overlap, actor=caller)
        return _render(made)

    @router.delete("/systems/{system_id}/credentials/{credential_id}", status_code=204)
    async def revoke_credential(system_id: UUID, credential_id: UUID, caller: administrator) -> None:
        """Revoke a secret or key, and every token that it brought, at once."""
        await credentials.revoke(SystemId(system_id), CredentialId(credential_id), actor=caller)

    @router.put("/systems/{system_id}/networks")
    async def set_networks(system_id: UUID, body: NetworksIn, caller: administrator) -> NetworksOut:
        """Limit the addresses that a system may call from."""
        networks = None if body.networks is None else parse_networks(body.networks)
        system = await credentials.set_networks(SystemId(system_id), networks, actor=caller)
        listed = None if system.networks is None else [str(network) for network in system.networks]
        return NetworksOut(client_id=str(system.id), networks=listed)

    @router.post("/organisations/{code}/status")
    async def set_organisation_status(
        code: str, body: OrganisationStatusIn, caller: administrator
    ) -> RuleOut:
        """Suspend an organisation, or make it active again; all its tokens stop or work at once."""
        return _render_rule(await identity.set_organisation_status(code, body.status, actor=caller))

    @router.put("/organisations/{code}/request-signatures")
    async def set_request_signatures(code: str, body: RuleIn, caller: administrator) -> RuleOut:
        """Say whether an organisation's requests are signed (RFC 9421): off, accepted or required."""
        return _render_rule(await identity.set_request_signatures(code, body.rule, actor=caller))

    return router


def _render(credential: Credential) -> CredentialOut:
    return CredentialOut(
        credential_id=str(credential.id),
        kind=credential.kind,
        created_at=credential.created_at,
        not_after=credential.not_after,
        revoked_at=credential.revoked_at,
        public_key=None if credential.key is None else credential.key.point.hex(),
    )


def _render_rule(organisation: Organisation) -> RuleOut:
    return RuleOut(
        code=organisation.code,
        status=organisation.status,
        request_signatures=organisation.request_signatures,
    )
