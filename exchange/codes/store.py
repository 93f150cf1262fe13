"""All SQL of code lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.errors import Conflict
from exchange.codes.model import Code, CodeList

_LISTS = (
    "SELECT l.*, v.codes FROM exchange.code_list l"
    " JOIN exchange.code_list_version v ON v.name = l.name AND v.version = l.version"
)


async def save_code_list(connection: Connection, *, held: CodeList, at: datetime) -> None:
    """Insert a list with its first version. Raises Conflict where its name is taken."""
    try:
        await connection.execute(
            "INSERT INTO exchange.code_list (name, title, source, version, owner_code)"
            " VALUES ($1, $2, $3, $4, $5)",
            held.name,
            held.title,
            held.source,
            held.version,
            held.owner_code,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = f"the code list {held.name} is registered already; send a new version of it with PUT"
        raise Conflict(msg) from taken
    await _save_version(connection, held, at)


async def save_new_version(connection: Connection, *, held: CodeList, at: datetime) -> None:
    """Make `held` the newest version of the list of its name."""
    await connection.execute(
        "UPDATE exchange.code_list SET title = $2, source = $3, version = $4 WHERE name = $1",
        held.name,
        held.title,
        held.source,
        held.version,
    )
    await _save_version(connection, held, at)


async def _save_version(connection: Connection, held: CodeList, at: datetime) -> None:
    await connection.execute(
        "INSERT INTO exchange.code_list_version (name, version, codes, changed_at) VALUES ($1, $2, $3, $4)",
        held.name,
        held.version,
        json.dumps([[c.code, c.title, c.is_retired] for c in held.codes], ensure_ascii=False),
        at,
    )


async def load_code_list(connection: Connection, *, name: str, for_update: bool = False) -> CodeList | None:
    """Load the newest version of a registered list; `for_update` holds it until the transaction ends."""
    lock = " FOR NO KEY UPDATE OF l" if for_update else ""
    row = await connection.fetchrow(f"{_LISTS} WHERE l.name = $1{lock}", name)
    return None if row is None else _read(row)


async def load_code_lists(connection: Connection, *, names: Sequence[str] | None = None) -> list[CodeList]:
    """Load the newest versions of registered lists, by name; of all where no names are given."""
    rows = await connection.fetch(
        f"{_LISTS} WHERE $1::text[] IS NULL OR l.name = ANY($1) ORDER BY l.name", names
    )
    return [_read(row) for row in rows]


async def load_known_names(connection: Connection, *, names: Sequence[str]) -> set[str]:
    """Load which of `names` are names of registered lists."""
    rows = await connection.fetch("SELECT name FROM exchange.code_list WHERE name = ANY($1::text[])", names)
    return {row[0] for row in rows}


async def load_versions(connection: Connection, *, name: str) -> list[tuple[int, datetime, tuple[Code, ...]]]:
    """Load every version of a list, the oldest first: (version, when, codes)."""
    rows = await connection.fetch(
        "SELECT version, changed_at, codes FROM exchange.code_list_version WHERE name = $1 ORDER BY version",
        name,
    )
    return [(row["version"], row["changed_at"], _read_codes(row["codes"])) for row in rows]


async def load_users(connection: Connection, *, name: str) -> list[str]:
    """Load the codes of the resources of which an item names a list, in whatever state they are."""
    rows = await connection.fetch(
        "SELECT DISTINCT resource_code FROM exchange.resource_item WHERE code_list = $1 ORDER BY 1", name
    )
    return [row[0] for row in rows]


def _read(row: asyncpg.Record) -> CodeList:
    return CodeList(
        name=row["name"],
        title=row["title"],
        source=row["source"],
        version=row["version"],
        owner_code=OrganisationCode(row["owner_code"]),
        codes=_read_codes(row["codes"]),
    )


def _read_codes(text: str) -> tuple[Code, ...]:
    return tuple(Code(code=code, title=title, is_retired=gone) for code, title, gone in json.loads(text))
