"""The one statement that every call for data begins with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from core.caller import Caller
from core.database import Connection
from core.database.gathering import Gathering
from core.identity.store_standing import write_mark
from exchange.access.model import Mode

_FINGERPRINT: Final = (
    "r.xmin::text || '/' || (SELECT count(*)::text || '/' || sum(i.xmin::text::bigint)::text"
    " FROM exchange.resource_item i WHERE i.resource_code = r.code)"
)
_MASKS: Final = (
    "(SELECT jsonb_agg(jsonb_build_array(m.item, m.service_item, m.mask))"
    " FROM exchange.mask_rule m WHERE m.resource_code = r.code)"
)
_HAS_DISPUTES: Final = (
    "EXISTS (SELECT FROM exchange.objection o WHERE o.resource_code = r.code AND o.state = 'open')"
)


def _write_grants(organisation: str, at: str, mode: str) -> str:
    """Write the names of the grants in force for what the placeholders stand for."""
    return (
        "(SELECT array_agg(g.id::text || ':' || g.xmin::text ORDER BY g.valid_from, g.id)"
        f" FROM exchange.grant_ g WHERE g.resource_code = r.code AND g.organisation_code = {organisation}"
        f" AND g.revoked_at IS NULL AND g.valid_from <= {at} AND g.valid_until > {at}"
        f" AND {mode} = ANY(g.modes))"
    )


# The locks are taken in the order given; PostgreSQL evaluates an aggregate over unnest in that order.
_GROUND: Final = (
    f"SELECT {_FINGERPRINT} AS fingerprint, {_write_grants('$2', '$3', '$4')} AS grants, {_MASKS} AS masks,"
    f" {_HAS_DISPUTES} AS has_disputes,"
    " (SELECT count(pg_advisory_xact_lock(l)) FROM unnest($5::bigint[]) l) AS locked,"
    f" {write_mark('$6')} AS mark"
    " FROM exchange.resource r WHERE r.code = $1"
)


_GROUNDS: Final = _GROUND.replace("SELECT ", "SELECT r.code, ", 1).replace(
    "WHERE r.code = $1", "WHERE r.code = ANY($1::text[])"
)


GROUND_COLUMNS: Final = (
    "mode",
    "code",
    "fingerprint",
    "grants",
    "masks",
    "has_disputes",
    "locked",
    "mark",
)
"""What `write_grounds` selects, in this order."""


class GroundChanged(Exception):
    """What a call stands on is not what this process knew it to be: it has to be read anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a process holds a call's ground to be: the names of the rows it was read from.

    The statement that reads for the call has it proved by the database (`write`), and gives no row where
    anything is otherwise.
    """

    caller: Caller
    mode: Mode
    at: datetime
    fingerprint: str
    grants: Sequence[str]
    masks: object
    has_disputes: bool

    def write(self, parameters: list[object]) -> str:
        """Write the condition on the resource `r`, and append what it takes to the statement's parameters."""
        first = len(parameters) + 1
        parameters += [
            self.fingerprint,
            self.caller.organisation_code,
            self.at,
            str(self.mode),
            list(self.grants),
            self.masks,
            self.has_disputes,
        ]
        grants = _write_grants(f"${first + 1}", f"${first + 2}", f"${first + 3}")
        condition = (
            f"{_FINGERPRINT} = ${first} AND {grants} = ${first + 4}::text[]"
            f" AND {_MASKS} IS NOT DISTINCT FROM ${first + 5}::jsonb AND {_HAS_DISPUTES} = ${first + 6}"
        )
        standing = self.caller.standing
        if standing is None or standing.is_confirmed:
            return condition
        parameters += [standing.token_hash, standing.mark]
        return f"{condition} AND {write_mark(f'${first + 7}')} = ${first + 8}"

    def take(self, rows: Sequence[object]) -> None:
        """Take what the statement gave: any row proves the claim. Raises GroundChanged where none is."""
        if not rows:
            raise GroundChanged
        if self.caller.standing is not None:
            self.caller.standing.is_confirmed = True


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


def write_grounds(
    gathering: Gathering,
    *,
    codes: Mapping[Mode, Collection[str]],
    caller: Caller,
    at: datetime,
    locks: Sequence[int] = (),
) -> int:
    """Write the statement that names what calls to resources in several modes stand on, and takes locks.

    As `load_ground` does for one; unknown resources are left out. What does not depend on the resource
    (locks, mark) is evaluated once.
    """
    wanted = [(code, str(mode)) for mode, named in codes.items() for code in sorted(named)]
    place = gathering.place
    grants = _write_grants(place(caller.organisation_code), f"{place(at)}::timestamptz", "w.mode")
    token_hash = None if caller.standing is None else caller.standing.token_hash
    return gathering.add(
        f"SELECT w.mode, r.code, {_FINGERPRINT}, {grants}, {_MASKS}, {_HAS_DISPUTES},"
        f" (SELECT count(pg_advisory_xact_lock(l)) FROM unnest({place(list(locks))}::bigint[]) l),"
        f" {write_mark(place(token_hash))}"
        f" FROM unnest({place([code for code, _ in wanted])}::text[],"
        f" {place([mode for _, mode in wanted])}::text[]) w(code, mode)"
        " JOIN exchange.resource r ON r.code = w.code"
    )
