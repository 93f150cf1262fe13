"""All SQL of evolution."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.database.names import quote_name
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Item
from exchange.catalogue.store import table_of
from exchange.evolution.model import Reader

LOCK_WAIT_MS = 200


class TableBusy(Exception):
    """Somebody holds a lock that a short wait did not get past."""


@asynccontextmanager
async def waiting_briefly(connection: Connection) -> AsyncIterator[None]:
    """Let this transaction wait only briefly for locks, because others queue up behind one that waits.

    Raises TableBusy where the wait was too short.
    """
    await connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
    try:
        yield
    except asyncpg.LockNotAvailableError as busy:
        raise TableBusy from busy


async def add_columns(connection: Connection, *, code: str, items: Sequence[Item]) -> None:
    """Add a column for each new item. Nothing is rewritten: present rows have null there.

    The change log keeps whole rows of the table's type and so has the new items at once.
    """
    added = ", ".join(
        f"ADD COLUMN {quote_name(item.name)} {parse_format(item.format).column_type}" for item in items
    )
    await connection.execute(f"ALTER TABLE {table_of(code)} {added}")


async def load_bounded_columns(connection: Connection, *, code: str) -> set[str]:
    """Load the decimal columns whose width the table itself bounds, as the first hubs made them."""
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
        " AND NOT attisdropped AND atttypid = 'numeric'::regtype AND atttypmod <> -1",
        table_of(code),
    )
    return {row[0] for row in rows}


async def load_readers(connection: Connection, *, code: str, at: datetime) -> list[Reader]:
    """Load the grants in force on a resource, oldest first."""
    rows = await connection.fetch(
        "SELECT id, organisation_code, items, modes, row_filter FROM exchange.grant_"
        " WHERE resource_code = $1 AND revoked_at IS NULL AND valid_from <= $2 AND valid_until > $2"
        " ORDER BY valid_from, id",
        code,
        at,
    )
    return [
        Reader(
            grant_id=row["id"],
            organisation_code=OrganisationCode(row["organisation_code"]),
            items=frozenset(row["items"]),
            filter_items=frozenset(str(each.get("item")) for each in row["row_filter"].values()),
            modes=frozenset(row["modes"]),
        )
        for row in rows
    ]


async def count_misfits(connection: Connection, *, code: str, item: Item, codes: Sequence[str] | None) -> int:
    """Count the current rows whose value does not fit `item`.

    That is: empty where it is required, of a wrong length or size, or not among `codes` where there are some.
    """
    column, form = quote_name(item.name), parse_format(item.format)
    tests = [f"{column} IS NULL"] if item.is_required else []
    if form.kind in {Kind.TEXT, Kind.DIGITS}:
        bounds = f"{form.min_characters} AND {form.max_characters}"
        tests.append(f"char_length({column}::text) NOT BETWEEN {bounds}")
    elif form.kind is Kind.DECIMAL:
        tests.append(f"abs({column}::text::numeric) >= 10::numeric ^ {form.precision - form.scale}")
    if form.kind is Kind.DIGITS:
        tests.append(f"{column}::text !~ '^[0-9]*$'")
    parameters: list[object] = []
    if codes is not None:
        parameters.append(list(codes))
        tests.append(f"NOT ({column}::text = ANY($1::text[]))")
    if not tests:
        return 0
    counted = await connection.fetchval(
        f"SELECT count(*) FROM {table_of(code)} WHERE {' OR '.join(tests)}", *parameters
    )
    return int(counted)


async def plan_takeover(connection: Connection, *, code: str, predecessor_until: date) -> None:
    """Note until when the predecessor of a new major version is to stay readable."""
    await connection.execute(
        "UPDATE exchange.resource SET predecessor_until = $2 WHERE code = $1", code, predecessor_until
    )


async def take_over(connection: Connection, *, predecessor: str, successor: str) -> date:
    """Put a new major version in the place of its predecessor; return the last day that one is readable."""
    until: date = await connection.fetchval(
        "UPDATE exchange.resource old SET superseded_by = new.code, readable_until = new.predecessor_until"
        " FROM exchange.resource new WHERE old.code = $1 AND new.code = $2 RETURNING old.readable_until",
        predecessor,
        successor,
    )
    return until
