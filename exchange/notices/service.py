"""Reading notices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from core.caller import Caller, Scope
from core.database import Database
from core.errors import NotFound
from exchange.notices import store
from exchange.notices.model import Notice


class NoticeService:
    """Hands notices to those whom they address; administrators read the platform's too."""

    def __init__(self, *, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def list_own(self, *, caller: Caller, unread_only: bool) -> list[Notice]:
        """List the caller's notices, newest first."""
        async with self._database.acquire() as connection:
            return await store.load_notices(
                connection,
                organisation_code=caller.organisation_code,
                with_platform=Scope.ADMIN in caller.scopes,
                unread_only=unread_only,
            )

    async def mark_read(self, *, caller: Caller, notice_id: UUID) -> Notice:
        """Mark a notice as read. Raises NotFound for what the caller may not know of."""
        async with self._database.acquire() as connection:
            found = await store.mark_read(
                connection,
                notice_id=notice_id,
                organisation_code=caller.organisation_code,
                with_platform=Scope.ADMIN in caller.scopes,
                at=self._now(),
            )
        if found is None:
            msg = "there is no notice of that id that you may know of"
            raise NotFound(msg)
        return found
