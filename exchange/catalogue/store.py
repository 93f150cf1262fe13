"""All SQL of the catalogue."""

from __future__ import annotations

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.database.names import quote_name
from core.errors import Conflict
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import CheckRule, Item, Resource, ShareType, Theme, UpdateCycle

CHANGES_PER_PARTITION = 256
VERSION_COLUMN = "_version"


def table_of(code: str) -> str:
    """Return the quoted name of a resource's current rows."""
    return f"data.{quote_name(code)}"


def changes_of(code: str) -> str:
    """Return the quoted name of a resource's change log."""
    return f"data.{quote_name(code + '__changes')}"


async def save_resource(connection: Connection, *, resource: Resource) -> None:
    """Insert a resource and its items. Raises Conflict where the code is taken."""
    try:
        await connection.execute(
            "INSERT INTO exchange.resource (code, title, summary, theme, provider_code, update_cycle)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            resource.code,
            resource.title,
            resource.summary,
            resource.theme,
            resource.provider_code,
            resource.update_cycle,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = f"a resource with the code {resource.code} is already registered"
        raise Conflict(msg) from taken
    await connection.executemany(
        "INSERT INTO exchange.resource_item"
        " (resource_code, position, name, title, format, is_key, is_required, share_type,"
        " share_basis, code_list, check_rule, is_sensitive)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            (
                resource.code,
                position,
                item.name,
                item.title,
                item.format,
                item.is_key,
                item.is_required,
                item.share_type,
                item.share_basis,
                item.code_list,
                item.check_rule,
                item.is_sensitive,
            )
            for position, item in enumerate(resource.items)
        ],
    )
    await connection.executemany(
        "INSERT INTO exchange.external_code (resource_code, scheme, code) VALUES ($1, $2, $3)",
        [(resource.code, scheme, code) for scheme, code in resource.external_codes.items()],
    )


async def create_tables(connection: Connection, *, resource: Resource) -> None:
    """Create a resource's two tables: current rows keyed by the key items, and the change log."""
    columns = ", ".join(
        f"{quote_name(item.name)} {parse_format(item.format).column_type}{' NOT NULL' if item.is_key else ''}"
        for item in resource.items
    )
    keys = ", ".join(quote_name(item.name) for item in resource.key_items)
    table, changes = table_of(resource.code), changes_of(resource.code)
    await connection.execute(
        f"CREATE TABLE {table} ({columns}, {VERSION_COLUMN} bigint NOT NULL, PRIMARY KEY ({keys}))"
    )
    await connection.execute(
        f"CREATE TABLE {changes} (_version bigint NOT NULL, _sequence bigint NOT NULL,"
        " _operation text NOT NULL,"
        f" _before {table}, _after {table}, PRIMARY KEY (_version, _sequence)) PARTITION BY RANGE (_version)"
    )


async def ensure_partition(connection: Connection, *, code: str, version: int) -> None:
    """Create the partition of the change log that holds `version`, where it is missing.

    The caller holds the resource's row lock. The table is made apart and attached, because creating it as a
    partition would lock readers of the change log out until the publish commits.
    """
    first = version // CHANGES_PER_PARTITION * CHANGES_PER_PARTITION
    name = f"data.{quote_name(f'{code}__changes_{first}')}"
    if await connection.fetchval("SELECT to_regclass($1)", name) is not None:
        return
    changes = changes_of(code)
    await connection.execute(f"CREATE TABLE {name} (LIKE {changes} INCLUDING INDEXES)")
    await connection.execute(
        f"ALTER TABLE {changes} ATTACH PARTITION {name}"
        f" FOR VALUES FROM ({first}) TO ({first + CHANGES_PER_PARTITION})"
    )


async def load_resource(connection: Connection, *, code: str) -> Resource | None:
    """Load one resource with its items; None where there is none."""
    row = await connection.fetchrow("SELECT * FROM exchange.resource WHERE code = $1", code)
    if row is None:
        return None
    items = await connection.fetch(
        "SELECT * FROM exchange.resource_item WHERE resource_code = $1 ORDER BY position", code
    )
    codes = await connection.fetch(
        "SELECT scheme, code FROM exchange.external_code WHERE resource_code = $1", code
    )
    return _resource(row, tuple(_item(item) for item in items), {c["scheme"]: c["code"] for c in codes})


async def search_resources(connection: Connection, *, text: str, limit: int) -> list[Resource]:
    """Find resources whose code, title, summary or an item's title contains `text`; without their items."""
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    rows = await connection.fetch(
        "SELECT * FROM exchange.resource r WHERE r.code ILIKE $1 OR r.title ILIKE $1 OR r.summary ILIKE $1"
        " OR EXISTS (SELECT FROM exchange.resource_item i WHERE i.resource_code = r.code"
        " AND (i.title ILIKE $1 OR i.name ILIKE $1)) ORDER BY r.code LIMIT $2",
        pattern,
        limit,
    )
    return [_resource(row, (), {}) for row in rows]


async def load_versions(connection: Connection, *, code: str, limit: int) -> list[dict[str, object]]:
    """Load the accounting of the newest versions, newest first."""
    rows = await connection.fetch(
        "SELECT version, mode, received_rows, accepted_rows, rejected_rows, inserted_rows, updated_rows,"
        " unchanged_rows, deleted_rows, missing_rows, current_rows, committed_at FROM exchange.version"
        " WHERE resource_code = $1 ORDER BY version DESC LIMIT $2",
        code,
        limit,
    )
    return [dict(row) for row in rows]


def _resource(row: asyncpg.Record, items: tuple[Item, ...], codes: dict[str, str]) -> Resource:
    return Resource(
        code=row["code"],
        title=row["title"],
        summary=row["summary"],
        theme=Theme(row["theme"]),
        provider_code=OrganisationCode(row["provider_code"]),
        update_cycle=UpdateCycle(row["update_cycle"]),
        items=items,
        external_codes=codes,
        schema_version=row["schema_version"],
        current_version=row["current_version"],
        current_rows=row["current_rows"],
    )


def _item(row: asyncpg.Record) -> Item:
    return Item(
        name=row["name"],
        title=row["title"],
        format=row["format"],
        is_key=row["is_key"],
        is_required=row["is_required"],
        share_type=ShareType(row["share_type"]),
        share_basis=row["share_basis"],
        code_list=row["code_list"],
        check_rule=None if row["check_rule"] is None else CheckRule(row["check_rule"]),
        is_sensitive=row["is_sensitive"],
    )


async def load_provider_code(connection: Connection, *, code: str) -> str | None:
    """Load which organisation provides a resource; None where there is no such resource."""
    provider: str | None = await connection.fetchval(
        "SELECT provider_code FROM exchange.resource WHERE code = $1", code
    )
    return provider
