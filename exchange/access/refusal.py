"""Refusals leave a leaf in the log too, in a transaction of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request

from core.caller import Caller, Purpose
from core.database import Database
from core.database.names import check_resource_code
from core.errors import BadInput, Forbidden, PurposeMissing, RateLimited, SchemaViolation
from core.http.authentication import read_purpose
from core.log.model import Event
from core.log.recorded import mark_recorded
from core.log.writer import LogWriter

NOT_SHARED_CODE: Final = "NOT-SHARED"


class RefusalLog:
    """Records that a known caller was refused data."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log

    @asynccontextmanager
    async def watch(
        self, *, caller: Caller, purpose: Purpose | None, resource_code: str | None, action: str
    ) -> AsyncIterator[None]:
        """Let the block run; where it refuses the caller, record that and let the refusal go on."""
        try:
            yield
        except (Forbidden, RateLimited, SchemaViolation) as refused:
            closed = any(error.code == NOT_SHARED_CODE for error in refused.errors)
            if closed or not isinstance(refused, SchemaViolation):
                await self._record(caller, purpose, resource_code, action, refused.code)
                mark_recorded(refused)
            raise

    async def read_purpose(
        self, request: Request, *, caller: Caller, resource_code: str | None, action: str
    ) -> Purpose:
        """Read the purpose headers. Raises PurposeMissing, on record, or SchemaViolation."""
        try:
            return await read_purpose(request)
        except PurposeMissing as refused:
            await self._record(caller, None, resource_code, action, refused.code)
            mark_recorded(refused)
            raise

    async def _record(
        self, caller: Caller, purpose: Purpose | None, resource_code: str | None, action: str, code: str
    ) -> None:
        async with self._database.transaction() as connection:
            await self._log.append(
                connection,
                event=Event.ACCESS_REFUSED,
                caller=caller,
                purpose=purpose,
                resource_code=_known_form(resource_code),
                details={"action": action, "code": code},
            )


def _known_form(resource_code: str | None) -> str | None:
    """Return a code that may stand in the log: hostile names are left out."""
    try:
        return None if resource_code is None else check_resource_code(resource_code)
    except BadInput:
        return None
