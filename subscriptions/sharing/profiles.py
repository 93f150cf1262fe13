"""Profile files: fetched under a grant and a purpose, listed, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import FieldError, GrantMissing, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.model import Grant, Mode
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource, verify_grant
from exchange.access.store import load_grant
from exchange.catalogue.standing import verify_open
from signing import sm3
from subscriptions.ground import load_own
from subscriptions.sharing import store
from subscriptions.sharing.model import Profile

TOKEN_BYTES: Final = 32


class ProfileService:
    """Gives out profiles. `key` hashes their tokens; a token itself is told once and kept nowhere."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        key: bytes,
        life: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._key = key
        self._life = life
        self._now = now

    def hash_token(self, token: str) -> bytes:
        """Return the hash by which a token is known."""
        return sm3.hmac(self._key, token.encode("utf-8", "surrogateescape"))

    async def issue(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        grant_id: UUID | None = None,
        resource_code: str | None = None,
        subscription_id: UUID | None = None,
    ) -> tuple[Profile, str]:
        """Make a profile under a grant of mode bulk; return it and its token.

        The grant is that of a subscription, which has a share of its own, or it is named, or found by its
        resource. The purpose given now is that of every read by the profile. Raises GrantMissing, NotFound,
        Closed or SchemaViolation.
        """
        if sum(part is not None for part in (grant_id, resource_code, subscription_id)) != 1:
            msg = "name grant_id, resource or subscription_id, one of the three"
            raise SchemaViolation(msg, errors=(FieldError(pointer="/grant_id", code="ONE-OF", detail=msg),))
        now, token = self._now(), secrets.token_urlsafe(TOKEN_BYTES)
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="share.profile"
        )
        async with watch, self._database.transaction() as connection:
            if subscription_id is not None:
                held = await load_own(connection, caller=caller, subscription_id=subscription_id)
                grant_id = held.grant_id
            grant = await self._find_grant(connection, caller, purpose, grant_id, resource_code)
            profile = Profile(
                id=uuid4(),
                grant_id=grant.id,
                resource_code=grant.resource_code,
                organisation_code=caller.organisation_code,
                system_id=caller.system_id,
                purpose=purpose,
                created_at=now,
                expires_at=min(grant.terms.valid_until, now + self._life),
                subscription_id=subscription_id,
            )
            await store.save_profile(connection, profile=profile, token_hash=self.hash_token(token))
            await self._log.append(
                connection,
                event=Event.SHARE_PROFILE_ISSUED,
                caller=caller,
                purpose=purpose,
                resource_code=grant.resource_code,
                grant_id=grant.id,
                details={"profile": str(profile.id), "expires_at": profile.expires_at.isoformat()},
            )
        return profile, token

    async def list_own(self, *, caller: Caller) -> list[Profile]:
        """List the profiles of the caller's organisation, newest first."""
        async with self._database.acquire() as connection:
            return await store.load_profiles(connection, organisation_code=caller.organisation_code)

    async def revoke(self, profile_id: UUID, *, caller: Caller) -> Profile:
        """Revoke a profile at once, on every process. Raises NotFound."""
        async with self._database.transaction() as connection:
            found = await store.revoke_profile(
                connection,
                profile_id=profile_id,
                organisation_code=caller.organisation_code,
                at=self._now(),
            )
            if found is None:
                msg = "there is no profile of that id that this organisation holds"
                raise NotFound(msg)
            await self._log.append(
                connection,
                event=Event.SHARE_PROFILE_REVOKED,
                caller=caller,
                resource_code=found.resource_code,
                grant_id=found.grant_id,
                details={"profile": str(found.id)},
            )
        return found

    async def _find_grant(
        self,
        connection: Connection,
        caller: Caller,
        purpose: Purpose,
        grant_id: UUID | None,
        resource_code: str | None,
    ) -> Grant:
        if resource_code is not None:
            resource = await load_known_resource(connection, code=resource_code)
            return await verify_grant(
                connection,
                resource=resource,
                caller=caller,
                purpose=purpose,
                mode=Mode.BULK,
                wanted=(),
                at=self._now(),
            )
        assert grant_id is not None
        grant = await load_grant(connection, grant_id=grant_id)
        if grant is None or grant.organisation_code != caller.organisation_code:
            msg = "there is no grant of that id that this organisation holds"
            raise NotFound(msg)
        require_bulk(grant, purpose=purpose, at=self._now())
        verify_open(await load_known_resource(connection, code=grant.resource_code), at=self._now())
        return grant


def require_bulk(grant: Grant, *, purpose: Purpose, at: datetime) -> None:
    """Let a grant pass by which bulk copies may be taken for a purpose. Raises GrantMissing."""
    allows = Mode.BULK in grant.terms.modes and grant.serves(purpose.service_item)
    if not grant.is_in_force(at) or not allows:
        msg = "the grant has ended, or does not allow bulk copies for this service item"
        raise GrantMissing(msg)
