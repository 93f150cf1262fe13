"""The one statement that every call for data begins with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from core.caller import Caller
from core.database import Connection
from core.identity.store_standing import write_mark
from exchange.access.model import Mode

# The locks are taken in the order given; PostgreSQL evaluates an aggregate over unnest in that order.
_GROUND: Final = (
    "SELECT r.xmin::text || '/' || (SELECT count(*)::text || '/' || sum(i.xmin::text::bigint)::text"
    " FROM exchange.resource_item i WHERE i.resource_code = r.code) AS fingerprint,"
    " (SELECT array_agg(g.id::text || ':' || g.xmin::text ORDER BY g.valid_from, g.id)"
    " FROM exchange.grant_ g WHERE g.resource_code = r.code AND g.organisation_code = $2"
    " AND g.revoked_at IS NULL AND g.valid_from <= $3 AND g.valid_until > $3"
    " AND $4 = ANY(g.modes)) AS grants,"
    " (SELECT jsonb_agg(jsonb_build_array(m.item, m.service_item, m.mask))"
    " FROM exchange.mask_rule m WHERE m.resource_code = r.code) AS masks,"
    " EXISTS (SELECT FROM exchange.objection o WHERE o.resource_code = r.code AND o.state = 'open')"
    " AS has_disputes,"
    " (SELECT count(pg_advisory_xact_lock(l)) FROM unnest($5::bigint[]) l) AS locked,"
    f" {write_mark(6)} AS mark"
    " FROM exchange.resource r WHERE r.code = $1"
)


_GROUNDS: Final = _GROUND.replace("SELECT r.xmin", "SELECT r.code, r.xmin", 1).replace(
    "WHERE r.code = $1", "WHERE r.code = ANY($1::text[])"
)


async def load_grounds(
    connection: Connection, *, resource_codes: Sequence[str], caller: Caller, at: datetime, mode: Mode
) -> list[asyncpg.Record]:
    """Load what calls to several resources stand on, as `load_ground` does, without locks; `code` names each.

    Unknown resources are left out.
    """
    token_hash = None if caller.standing is None else caller.standing.token_hash
    return await connection.fetch(
        _GROUNDS, list(resource_codes), caller.organisation_code, at, mode, [], token_hash
    )


async def load_ground(
    connection: Connection,
    *,
    resource_code: str,
    caller: Caller,
    at: datetime,
    mode: Mode,
    locks: Sequence[int],
) -> asyncpg.Record | None:
    """Load the names of what a call stands on, and take advisory locks; None for an unknown resource.

    `fingerprint` and `grants` (id:xmin) change with every change of the rows behind them, `mark` with every
    change of what the caller's token stands for, where that is yet to be proved.
    """
    token_hash = None if caller.standing is None else caller.standing.token_hash
    return await connection.fetchrow(
        _GROUND, resource_code, caller.organisation_code, at, mode, list(locks), token_hash
    )
