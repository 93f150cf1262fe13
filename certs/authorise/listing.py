"""Tell holders what is authorised and delegated over their certificates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from certs.authorise import store
from certs.authorise.model import Authorisation, Delegation
from certs.issue.model import Holder
from core.caller import Caller
from core.database import Connection, Database
from core.log.model import Event
from core.log.writer import LogWriter

MAX_LISTED: Final = 500


class ListingService:
    """Lists for who is signed in at a portal; every list is in the log under the person's number."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def list_authorisations(self, acting: Holder, *, portal: Caller) -> list[Authorisation]:
        """List who may use the certificates that `acting` holds or is a delegate for.

        At most 500, newest first. Those that ended, were used up or revoked are listed too.
        """
        async with self._database.transaction() as connection:
            found = await store.load_authorisations_for(
                connection,
                code=acting.code,
                code_type=acting.code_type,
                at=self._now(),
                limit=MAX_LISTED,
            )
            await self._write(connection, "authorisations-listed", acting, portal)
        return found

    async def list_delegations(self, acting: Holder, *, portal: Caller) -> list[Delegation]:
        """List the delegations that `acting` gave or was given, newest first, at most 500."""
        async with self._database.transaction() as connection:
            found = await store.load_delegations_for(
                connection, code=acting.code, code_type=acting.code_type, limit=MAX_LISTED
            )
            await self._write(connection, "delegations-listed", acting, portal)
        return found

    async def _write(self, connection: Connection, act: str, acting: Holder, portal: Caller) -> None:
        await self._log.append(
            connection,
            event=Event.CERTIFICATE_AUTHORISED,
            caller=portal,
            subject=acting.code,
            details={"act": act},
        )
