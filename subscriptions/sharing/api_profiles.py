"""Routes of profile files."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from subscriptions.sharing.model import Profile
from subscriptions.sharing.profiles import ProfileService

CREDENTIALS_VERSION = 1


class ProfileIn(BaseModel):
    """What to read: a subscription's share, or under a grant, named by its id or found by its resource."""

    model_config = ConfigDict(extra="forbid")

    grant_id: UUID | None = None
    resource: str | None = None
    subscription_id: UUID | None = None


class ProfileOut(BaseModel):
    """A profile, without its token."""

    id: UUID
    grant_id: UUID
    subscription_id: UUID | None
    resource: str
    share: str
    operator: str
    service_item: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


def build_router(
    *, profiles: ProfileService, refusals: RefusalLog, authentication: Authentication, endpoint: str
) -> APIRouter:
    """Build the routes; `endpoint` is where the protocol is spoken."""
    router = APIRouter(prefix="/v1/share-profiles", tags=["sharing"])
    subscriber = Annotated[Caller, Depends(authentication.requires(Scope.SUBSCRIBE))]

    @router.post("", status_code=201, response_class=JSONResponse)
    async def issue_profile(body: ProfileIn, caller: subscriber, request: Request) -> JSONResponse:
        """Download a profile file of Delta Sharing for a subscription or a grant, of mode bulk.

        A subscription has a share of its own, under its grant. Send the purpose headers.

        The purpose sent now is that of every read by the profile. The token in it is told this once.
        """
        purpose = await refusals.read_purpose(
            request, caller=caller, resource_code=body.resource, action="share.profile"
        )
        profile, token = await profiles.issue(
            caller=caller,
            purpose=purpose,
            grant_id=body.grant_id,
            resource_code=body.resource,
            subscription_id=body.subscription_id,
        )
        name = f"{profile.resource_code}-{profile.share_id.hex[:8]}.share"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return JSONResponse(_profile_file(profile, token, endpoint), status_code=201, headers=headers)

    @router.get("")
    async def list_profiles(caller: subscriber) -> list[ProfileOut]:
        """List this organisation's profiles."""
        return [_render(each) for each in await profiles.list_own(caller=caller)]

    @router.delete("/{profile_id}")
    async def revoke_profile(profile_id: UUID, caller: subscriber) -> ProfileOut:
        """Revoke a profile at once, with the addresses of files that were given out by it."""
        return _render(await profiles.revoke(profile_id, caller=caller))

    return router


def _profile_file(profile: Profile, token: str, endpoint: str) -> dict[str, Any]:
    """Write a profile file (Delta Sharing protocol, "Profile File Format")."""
    return {
        "shareCredentialsVersion": CREDENTIALS_VERSION,
        "endpoint": endpoint,
        "bearerToken": token,
        "expirationTime": profile.expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _render(profile: Profile) -> ProfileOut:
    return ProfileOut(
        id=profile.id,
        grant_id=profile.grant_id,
        subscription_id=profile.subscription_id,
        resource=profile.resource_code,
        share=profile.share,
        operator=profile.purpose.operator,
        service_item=profile.purpose.service_item,
        created_at=profile.created_at,
        expires_at=profile.expires_at,
        revoked_at=profile.revoked_at,
        used_at=profile.used_at,
    )
