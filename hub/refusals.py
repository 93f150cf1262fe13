"""Refusals on every route leave a leaf, whichever package refused."""

from __future__ import annotations

import logging

from fastapi import Request

from core.caller import Caller, Purpose
from core.database import Database
from core.errors import Forbidden, RateLimited, ShuzhengError
from core.http.authentication import read_purpose
from core.log.model import Event
from core.log.recorded import is_recorded
from core.log.writer import LogWriter

logger = logging.getLogger("shuzheng.log")


async def record_refusal(
    request: Request, error: ShuzhengError, *, database: Database, log: LogWriter
) -> None:
    """Record that a known caller was refused, unless the package that refused has done so.

    The caller still gets its refusal where the log cannot be written: nothing was given out.
    """
    caller = getattr(request.state, "caller", None)
    refused = isinstance(error, Forbidden | RateLimited)
    if not refused or not isinstance(caller, Caller) or is_recorded(error):
        return
    route = getattr(request.scope.get("route"), "path", "unknown")
    try:
        async with database.transaction() as connection:
            await log.append(
                connection,
                event=Event.ACCESS_REFUSED,
                caller=caller,
                purpose=await _find_purpose(request),
                details={"action": f"{request.method} {route}", "code": error.code},
            )
    except Exception as trouble:
        logger.error("a refusal could not be recorded: %s", type(trouble).__name__)


async def _find_purpose(request: Request) -> Purpose | None:
    try:
        return await read_purpose(request)
    except ShuzhengError:
        return None
