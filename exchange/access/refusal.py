"""Refusals leave a leaf in the log too, in a transaction of their own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request

from core.caller import Caller, Purpose, SystemId
from core.database import Database
from core.database.names import check_resource_code
from core.errors import (
    BadInput,
    Forbidden,
    PurposeMissing,
    RateLimited,
    SchemaViolation,
    ShuzhengError,
)
from core.http.authentication import read_purpose
from core.identity.store_standing import verify_standing
from core.log.model import Event
from core.log.recorded import mark_recorded
from core.log.writer import LogWriter
from exchange.guard.gate import Gate

NOT_SHARED_CODE: Final = "NOT-SHARED"
MAX_REMEMBERED: Final = 10_000


class RefusalLog:
    """Records that a known caller was refused data."""

    def __init__(self, *, database: Database, log: LogWriter, gate: Gate | None = None) -> None:
        self._database = database
        self._log = log
        self._gate = gate
        self._limited: dict[SystemId, int] = {}

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

    async def note(
        self, refused: ShuzhengError, *, caller: Caller, purpose: Purpose, resource_code: str, action: str
    ) -> None:
        """Record a refusal that ends one part of a call and not the call."""
        await self._record(caller, purpose, resource_code, action, refused.code)

    async def read_purpose(
        self, request: Request, *, caller: Caller, resource_code: str | None, action: str
    ) -> Purpose:
        """Read the purpose headers, and let the call pass the gate: every call for data comes through here.

        Raises PurposeMissing or RateLimited, on record, or SchemaViolation.
        """
        try:
            purpose = await read_purpose(request)
        except PurposeMissing as refused:
            await self._record(caller, None, resource_code, action, refused.code)
            mark_recorded(refused)
            raise
        await self.admit(caller, purpose, resource_code=resource_code, action=action)
        return purpose

    async def admit(
        self, caller: Caller, purpose: Purpose, *, resource_code: str | None, action: str
    ) -> None:
        """Let a call whose purpose is known already pass the gate. Raises RateLimited, on record."""
        try:
            if self._gate is not None:
                await self._gate.admit(caller, purpose)
        except RateLimited as refused:
            if self._is_first_this_minute(caller):
                await self._record(caller, purpose, resource_code, action, refused.code)
            raise

    def _is_first_this_minute(self, caller: Caller) -> bool:
        """Tell whether a system's refusal by a limit is to be recorded: one a minute, not one a call."""
        minute = int(time.monotonic() // 60)
        if self._limited.get(caller.system_id) == minute:
            return False
        if len(self._limited) >= MAX_REMEMBERED:
            self._limited.clear()
        self._limited[caller.system_id] = minute
        return True

    async def _record(
        self, caller: Caller, purpose: Purpose | None, resource_code: str | None, action: str, code: str
    ) -> None:
        async with self._database.transaction() as connection:
            await verify_standing(connection, caller)
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
