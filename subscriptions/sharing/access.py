"""Letting a call with a profile's token in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core.caller import Caller
from core.database import Connection, Database
from core.errors import GrantMissing, NotFound, TokenExpired, Unauthenticated
from core.identity import store as identity
from core.identity.acting import act_as
from core.identity.networks import Address, require_network
from exchange.access.model import Grant
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource
from exchange.access.store import load_grant
from exchange.catalogue.standing import verify_open
from subscriptions.sharing import store
from subscriptions.sharing.model import Access, Profile
from subscriptions.sharing.profiles import ProfileService, require_bulk


class Doorkeeper:
    """Finds out who calls by a profile's token, and whether its grant still holds."""

    def __init__(
        self,
        *,
        database: Database,
        refusals: RefusalLog,
        profiles: ProfileService,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._refusals = refusals
        self._profiles = profiles
        self._now = now

    async def admit(self, token: str, *, address: Address | None) -> Access:
        """Let a call in.

        1. The token is that of a profile which is neither revoked nor over.
        2. The system that fetched it, and its organisation, may act; the system may call from `address`.
        3. The call passes the gate of all calls for data.
        4. The grant is in force, of mode bulk, for the profile's service item; the resource is open.

        Raises Unauthenticated, TokenExpired, AddressRefused, RateLimited, GrantMissing or Closed.
        """
        async with self._database.acquire() as connection:
            profile = await store.load_profile_of_token(
                connection, token_hash=self._profiles.hash_token(token)
            )
            if profile is None or profile.revoked_at is not None:
                msg = "the profile is unknown or was revoked; fetch a new one"
                raise Unauthenticated(msg)
            if not profile.is_good(self._now()):
                msg = "the profile has expired; fetch a new one"
                raise TokenExpired(msg)
            caller = await self._load_caller(connection, profile, address)
        await self._refusals.admit(
            caller, profile.purpose, resource_code=profile.resource_code, action="share.read"
        )
        watch = self._refusals.watch(
            caller=caller, purpose=profile.purpose, resource_code=profile.resource_code, action="share.read"
        )
        async with watch, self._database.transaction() as connection:
            grant = await self.require_grant(connection, profile)
            resource = await load_known_resource(connection, code=grant.resource_code)
            await store.save_use(connection, profile_id=profile.id, at=self._now())
        return Access(profile=profile, caller=caller, grant=grant, resource=resource)

    async def require_grant(self, connection: Connection, profile: Profile) -> Grant:
        """Return a profile's grant as it is now. Raises GrantMissing or Closed."""
        grant = await load_grant(connection, grant_id=profile.grant_id)
        if grant is None:
            msg = "the grant has ended"
            raise GrantMissing(msg)
        require_bulk(grant, purpose=profile.purpose, at=self._now())
        verify_open(await load_known_resource(connection, code=grant.resource_code), at=self._now())
        return grant

    async def _load_caller(self, connection: Connection, profile: Profile, address: Address | None) -> Caller:
        system = await identity.load_active_system(connection, system_id=profile.system_id)
        if system is None:
            msg = "the system that fetched the profile, or its organisation, is suspended"
            raise Unauthenticated(msg)
        require_network(system.networks, address)
        return await act_as(connection, system)


def require_table(access: Access, *, share: str, schema: str | None = None, table: str | None = None) -> None:
    """Let the names pass that the profile sees; names are compared without case. Raises NotFound."""
    wanted = [(share, access.share), (schema, access.schema), (table, access.table)]
    if any(name is not None and name.lower() != known.lower() for name, known in wanted):
        msg = "the profile sees no share, schema or table of that name"
        raise NotFound(msg)
