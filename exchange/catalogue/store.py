"""All SQL of the catalogue: resources, their items and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from core.database.names import quote_name
from core.errors import Conflict
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import CheckRule, Item, Resource, ResourceState, ShareType, Theme, UpdateCycle
from exchange.catalogue.written import read_details, read_metadata, write_details, write_metadata
from exchange.codes.model import SHIPPED
from exchange.codes.store import load_code_lists

CHANGES_PER_PARTITION = 256
FILL_PERCENT = 90  # of a page; a row that changes then finds room beside itself, and needs no new index entry
VERSION_COLUMN = "_version"
DATA_SCHEMA = "data"


def table_of(code: str) -> str:
    """Return the quoted name of a resource's current rows."""
    return f"{DATA_SCHEMA}.{quote_name(code)}"


def changes_of(code: str) -> str:
    """Return the quoted name of a resource's change log."""
    return f"{DATA_SCHEMA}.{quote_name(code + '__changes')}"


async def save_resource(
    connection: Connection, *, resource: Resource, submitted_by: SystemId | None = None
) -> None:
    """Insert a resource and its items. Raises Conflict where the code is taken."""
    try:
        await connection.execute(
            "INSERT INTO exchange.resource (code, title, summary, theme, provider_code, update_cycle, state,"
            " submitted_by, published_at, metadata, major, supersedes, schema_version)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            resource.code,
            resource.title,
            resource.summary,
            resource.theme,
            resource.provider_code,
            resource.update_cycle,
            resource.state,
            submitted_by,
            resource.published_at,
            write_metadata(resource.metadata),
            resource.major,
            resource.supersedes,
            resource.schema_version,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = f"a resource with the code {resource.code} is already registered"
        raise Conflict(msg) from taken
    await _save_parts(connection, resource=resource)


async def update_resource(connection: Connection, *, resource: Resource) -> None:
    """Replace a resource's description: title, metadata, items, external codes, revision."""
    await connection.execute(
        "UPDATE exchange.resource SET title = $2, summary = $3, theme = $4, update_cycle = $5, metadata = $6,"
        " schema_version = $7 WHERE code = $1",
        resource.code,
        resource.title,
        resource.summary,
        resource.theme,
        resource.update_cycle,
        write_metadata(resource.metadata),
        resource.schema_version,
    )
    await connection.execute("DELETE FROM exchange.resource_item WHERE resource_code = $1", resource.code)
    await connection.execute("DELETE FROM exchange.external_code WHERE resource_code = $1", resource.code)
    await _save_parts(connection, resource=resource)


async def _save_parts(connection: Connection, *, resource: Resource) -> None:
    await connection.executemany(
        "INSERT INTO exchange.resource_item"
        " (resource_code, position, name, title, format, is_key, is_required, share_type,"
        " share_basis, code_list, check_rule, is_sensitive, details)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
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
                write_details(item),
            )
            for position, item in enumerate(resource.items)
        ],
    )
    await connection.executemany(
        "INSERT INTO exchange.external_code (resource_code, scheme, code) VALUES ($1, $2, $3)",
        [(resource.code, scheme, code) for scheme, code in resource.external_codes.items()],
    )
    await connection.execute("SELECT exchange.index_resource($1)", resource.code)


async def delete_resource(connection: Connection, *, code: str) -> None:
    """Delete a draft, which has no tables yet."""
    for part in ("resource_item", "external_code", "resource_history", "resource_revision"):
        await connection.execute(f"DELETE FROM exchange.{part} WHERE resource_code = $1", code)
    await connection.execute("DELETE FROM exchange.resource WHERE code = $1", code)


async def save_state(
    connection: Connection,
    *,
    code: str,
    state: ResourceState,
    reason: str,
    submitted_by: SystemId | None,
    published_at: datetime | None,
) -> None:
    """Bring a resource into a state; `published_at` None keeps the day that it was first published."""
    await connection.execute(
        "UPDATE exchange.resource SET state = $2, state_reason = $3, submitted_by = $4,"
        " published_at = coalesce(published_at, $5) WHERE code = $1",
        code,
        state,
        reason,
        submitted_by,
        published_at,
    )


async def next_national_number(connection: Connection, *, classification: str) -> int:
    """Count one more resource of a classification: the sequence part of its national code."""
    return int(
        await connection.fetchval(
            "INSERT INTO exchange.classification_sequence AS s (classification, last_number) VALUES ($1, 1)"
            " ON CONFLICT ON CONSTRAINT classification_sequence_pk"
            " DO UPDATE SET last_number = s.last_number + 1 RETURNING last_number",
            classification,
        )
    )


async def load_taken_codes(connection: Connection, *, resource: Resource) -> list[tuple[str, str]]:
    """Load those external codes of `resource` that another resource has: (scheme, code)."""
    rows = await connection.fetch(
        "SELECT e.scheme, e.code FROM exchange.external_code e"
        " JOIN unnest($1::text[], $2::text[]) w (scheme, code) ON w.scheme = e.scheme AND w.code = e.code"
        " WHERE e.resource_code <> $3",
        list(resource.external_codes),
        list(resource.external_codes.values()),
        resource.code,
    )
    return [(row[0], row[1]) for row in rows]


async def load_known_codes(connection: Connection, *, codes: Sequence[str]) -> set[str]:
    """Load which of `codes` are codes of resources here."""
    rows = await connection.fetch("SELECT code FROM exchange.resource WHERE code = ANY($1::text[])", codes)
    return {row[0] for row in rows}


async def has_tables(connection: Connection, *, code: str) -> bool:
    """Tell whether a resource's tables were made."""
    return await connection.fetchval("SELECT to_regclass($1)", table_of(code)) is not None


async def load_columns(connection: Connection, *, code: str) -> list[str]:
    """Load the columns of a resource's table in the order that PostgreSQL keeps them in.

    `_version` comes after the items that the resource began with, and before those added since.
    """
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum",
        table_of(code),
    )
    return [row[0] for row in rows]


async def create_tables(connection: Connection, *, resource: Resource) -> None:
    """Create a resource's two tables: current rows, and the change log.

    The current rows are indexed by their key when the first of them are in (`ensure_key_index`): to sort many
    at once takes a third of what it takes to enter one after the other.
    """
    columns = ", ".join(
        f"{quote_name(item.name)} {parse_format(item.format).column_type}{' NOT NULL' if item.is_key else ''}"
        for item in resource.items
    )
    table, changes = table_of(resource.code), changes_of(resource.code)
    await connection.execute(
        f"CREATE TABLE {table} ({columns}, {VERSION_COLUMN} bigint NOT NULL)"
        f" WITH (fillfactor = {FILL_PERCENT})"
    )
    await connection.execute(
        f"CREATE TABLE {changes} (_version bigint NOT NULL, _sequence bigint NOT NULL,"
        " _operation text NOT NULL,"
        f" _before {table}, _after {table}, PRIMARY KEY (_version, _sequence)) PARTITION BY RANGE (_version)"
    )


async def has_key_index(connection: Connection, *, code: str) -> bool:
    """Tell whether the current rows are indexed by their key."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = $1::text::regclass AND indisunique)",
        table_of(code),
    )
    return bool(found)


async def ensure_key_index(connection: Connection, *, resource: Resource) -> None:
    """Index the current rows by their key, where they are not yet; no two may share one from then on.

    Readers go on meanwhile. The caller holds the resource's row lock.
    """
    if await has_key_index(connection, code=resource.code):
        return
    keys = ", ".join(quote_name(item.name) for item in resource.key_items)
    await connection.execute(f"CREATE UNIQUE INDEX ON {table_of(resource.code)} ({keys})", timeout=None)


def partition_of(code: str, version: int) -> str:
    """Return the quoted name of the partition of a change log that holds `version`."""
    first = version // CHANGES_PER_PARTITION * CHANGES_PER_PARTITION
    return f"{DATA_SCHEMA}.{quote_name(f'{code}__changes_{first}')}"


async def ensure_partition(connection: Connection, *, code: str, version: int) -> None:
    """Create the partition of the change log that holds `version`, where it is missing.

    The caller holds the resource's row lock.
    """
    if await create_partition(connection, code=code, version=version):
        await attach_partition(connection, code=code, version=version)


async def create_partition(connection: Connection, *, code: str, version: int) -> bool:
    """Create the table that is to be the partition which holds `version`; False where it is there.

    It is made apart, because creating it as a partition would lock readers of the change log out until the
    publish commits. Many rows are best brought into it before `attach_partition`, which makes its index.
    """
    name = partition_of(code, version)
    if await connection.fetchval("SELECT to_regclass($1)", name) is not None:
        return False
    await connection.execute(f"CREATE TABLE {name} (LIKE {changes_of(code)})")
    return True


async def attach_partition(connection: Connection, *, code: str, version: int) -> None:
    """Make a table of `create_partition` a partition of the change log."""
    first = version // CHANGES_PER_PARTITION * CHANGES_PER_PARTITION
    name = partition_of(code, version)
    await connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (_version, _sequence)", timeout=None)
    await connection.execute(
        f"ALTER TABLE {changes_of(code)} ATTACH PARTITION {name}"
        f" FOR VALUES FROM ({first}) TO ({first + CHANGES_PER_PARTITION})",
        timeout=None,
    )


async def count_rows(connection: Connection, *, code: str) -> int:
    """Return the number of a resource's current rows, as its newest version left them."""
    return int(
        await connection.fetchval("SELECT current_rows FROM exchange.resource WHERE code = $1", code) or 0
    )


async def load_resource(
    connection: Connection, *, code: str, for_update: bool = False, unpublished: bool = False
) -> Resource | None:
    """Load one resource with its items; None where there is none.

    What was never published is found only with `unpublished`. `for_update` holds it until the
    transaction ends.
    """
    row = await connection.fetchrow(
        "SELECT * FROM exchange.resource WHERE code = $1 AND ($2 OR state IN ('published', 'recalled'))"
        + (" FOR NO KEY UPDATE" if for_update else ""),
        code,
        unpublished,
    )
    if row is None:
        return None
    items = await connection.fetch(
        "SELECT * FROM exchange.resource_item WHERE resource_code = $1 ORDER BY position", code
    )
    codes = await connection.fetch(
        "SELECT scheme, code FROM exchange.external_code WHERE resource_code = $1 ORDER BY scheme", code
    )
    loaded = _resource(row, tuple(_item(item) for item in items), {c["scheme"]: c["code"] for c in codes})
    return await with_registered_codes(connection, loaded)


async def with_registered_codes(connection: Connection, resource: Resource) -> Resource:
    """Give the items that name a registered code list its codes of now."""
    names = {each.code_list for each in resource.items if each.code_list is not None} - SHIPPED.keys()
    if not names:
        return resource
    found = await load_code_lists(connection, names=sorted(names))
    codes = {held.name: held.codes for held in found}
    items = tuple(
        replace(each, registered_codes=codes[each.code_list]) if each.code_list in codes else each
        for each in resource.items
    )
    return replace(resource, items=items)


async def load_submitter(connection: Connection, *, code: str) -> SystemId | None:
    """Load which system submitted a resource to review."""
    found = await connection.fetchval("SELECT submitted_by FROM exchange.resource WHERE code = $1", code)
    return None if found is None else SystemId(found)


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


def read_resource(row: asyncpg.Record) -> Resource:
    """Read a row of exchange.resource; without items."""
    return _resource(row, (), {})


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
        metadata=read_metadata(row["metadata"]),
        state=ResourceState(row["state"]),
        state_reason=row["state_reason"],
        published_at=row["published_at"],
        major=row["major"],
        supersedes=row["supersedes"],
        superseded_by=row["superseded_by"],
        readable_until=row["readable_until"],
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
        **read_details(row["details"]),
    )


async def load_all_codes(connection: Connection) -> list[str]:
    """Load the codes of all resources, in whatever state; a row of the catalogue is never deleted."""
    return [row[0] for row in await connection.fetch("SELECT code FROM exchange.resource ORDER BY code")]


async def load_provider_code(connection: Connection, *, code: str) -> str | None:
    """Load which organisation provides a resource; None where there is no such resource."""
    provider: str | None = await connection.fetchval(
        "SELECT provider_code FROM exchange.resource WHERE code = $1", code
    )
    return provider
