"""Whether a token stands as it did: asked in the statement that reads for the call, not in one of its own.

A process keeps whom the tokens it has seen stood for. A call with such a token goes ahead on that word; the
first statement that reads for it asks for the mark of the token, which changes with every change of the
token, its system and its organisation (their xmin). Where it is another, or none since the token was
revoked, nothing that was read is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from core.caller import Caller
from core.database import Connection

MARK: Final = "t.xmin::text || '/' || s.xmin::text || '/' || o.xmin::text"
STANDING_TOKENS: Final = (
    "core.token t JOIN core.system s ON s.id = t.system_id"
    " JOIN core.organisation o ON o.code = s.organisation_code"
    " WHERE t.revoked_at IS NULL AND s.status = 'active' AND o.status = 'active'"
)


class StandingChanged(Exception):
    """A token does not stand as this process knew it: whoever let the call in has to ask anew."""


def write_mark(place: str) -> str:
    """Write a scalar that is the mark of the token whose hash `place` (such as `$1`) stands for, or NULL."""
    return f"(SELECT {MARK} FROM {STANDING_TOKENS} AND t.token_hash = {place}::bytea)"


def confirm_standing(caller: Caller, mark: str | None) -> None:
    """Take the mark that the database gave; raise StandingChanged where it is not the caller's."""
    if caller.standing is None:
        return
    if mark != caller.standing.mark:
        raise StandingChanged
    caller.standing.is_confirmed = True


async def find_changed(connection: Connection, callers: Sequence[Caller]) -> list[StandingChanged | None]:
    """Ask for the marks of several callers at once: for each, in order, None or that it is another.

    Those who were proved before are not asked about.
    """
    waiting = [
        each.standing.token_hash
        for each in callers
        if each.standing is not None and not each.standing.is_confirmed
    ]
    marks: dict[bytes, str] = {}
    if waiting:
        rows = await connection.fetch(
            f"SELECT t.token_hash, {MARK} AS mark FROM {STANDING_TOKENS} AND t.token_hash = ANY($1::bytea[])",
            waiting,
        )
        marks = {row["token_hash"]: row["mark"] for row in rows}
    return [_try_confirm(each, marks) for each in callers]


def _try_confirm(caller: Caller, marks: Mapping[bytes, str]) -> StandingChanged | None:
    if caller.standing is None or caller.standing.is_confirmed:
        return None
    try:
        confirm_standing(caller, marks.get(caller.standing.token_hash))
    except StandingChanged as changed:
        return changed
    return None


async def verify_standing(connection: Connection, caller: Caller) -> None:
    """Ask for the mark of a caller who is not proved yet; raise StandingChanged where it is another."""
    if caller.standing is not None and not caller.standing.is_confirmed:
        mark = await connection.fetchval(f"SELECT {write_mark('$1')}", caller.standing.token_hash)
        confirm_standing(caller, mark)
