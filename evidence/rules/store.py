"""All SQL of the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from core.database import Connection
from evidence.rules.document import dump_item, parse_item
from evidence.rules.model import ItemVersion, ServiceItem, VersionState


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHead:
    """An item as lists show it; versions are None where there is none of that state."""

    code: str
    title: str
    office: str
    region: str
    released: int | None
    draft: int | None


async def load_known_organisations(connection: Connection, *, codes: Sequence[str]) -> frozenset[str]:
    """Return which of the codes are those of registered organisations."""
    rows = await connection.fetch(
        "SELECT code FROM core.organisation WHERE code = ANY($1::text[])", list(codes)
    )
    return frozenset(row["code"] for row in rows)


async def lock_item(connection: Connection, *, code: str) -> str | None:
    """Lock an item until the transaction ends, and return its office; None where there is no such item."""
    office: str | None = await connection.fetchval(
        "SELECT office_code FROM evidence.service_item WHERE code = $1 FOR UPDATE", code
    )
    return office


async def save_item(connection: Connection, *, item: ServiceItem, at: datetime) -> None:
    """Insert an item, or update what lists show of it."""
    await connection.execute(
        "INSERT INTO evidence.service_item (code, office_code, title, region, created_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT service_item_pk DO UPDATE"
        " SET office_code = EXCLUDED.office_code, title = EXCLUDED.title, region = EXCLUDED.region",
        item.code,
        item.office,
        item.title,
        item.region,
        at,
    )


async def save_draft(connection: Connection, *, item: ServiceItem, digest_sm3: str, at: datetime) -> int:
    """Save an item's draft in the place of the one before; return its version."""
    version: int = await connection.fetchval(
        "INSERT INTO evidence.item_version (item_code, version, state, document, digest_sm3, saved_at)"
        " SELECT $1, 1 + coalesce(max(version) FILTER (WHERE state <> 'draft'), 0), 'draft', $2, $3, $4"
        " FROM evidence.item_version WHERE item_code = $1"
        " ON CONFLICT ON CONSTRAINT item_version_pk DO UPDATE"
        " SET document = EXCLUDED.document, digest_sm3 = EXCLUDED.digest_sm3, saved_at = EXCLUDED.saved_at"
        " RETURNING version",
        item.code,
        dump_item(item),
        digest_sm3,
        at,
    )
    return version


async def delete_draft(connection: Connection, *, code: str) -> None:
    """Delete an item's draft, where there is one."""
    await connection.execute(
        "DELETE FROM evidence.item_version WHERE item_code = $1 AND state = 'draft'", code
    )


async def release_draft(connection: Connection, *, code: str, version: int, at: datetime) -> None:
    """Release an item's draft and retire the version before it."""
    await connection.execute(
        "UPDATE evidence.item_version SET state = 'retired', retired_at = $2"
        " WHERE item_code = $1 AND state = 'released'",
        code,
        at,
    )
    await connection.execute(
        "UPDATE evidence.item_version SET state = 'released', released_at = $3"
        " WHERE item_code = $1 AND version = $2",
        code,
        version,
        at,
    )


async def retire_released(connection: Connection, *, code: str, at: datetime) -> int | None:
    """Retire an item's released version; return its number, None where there is none."""
    version: int | None = await connection.fetchval(
        "UPDATE evidence.item_version SET state = 'retired', retired_at = $2"
        " WHERE item_code = $1 AND state = 'released' RETURNING version",
        code,
        at,
    )
    return version


async def load_version(
    connection: Connection, *, code: str, version: int | None = None, state: VersionState | None = None
) -> ItemVersion | None:
    """Load one version, by its number or its state."""
    row = await connection.fetchrow(
        "SELECT * FROM evidence.item_version WHERE item_code = $1"
        " AND ($2::integer IS NULL OR version = $2) AND ($3::text IS NULL OR state = $3)"
        " ORDER BY version DESC LIMIT 1",
        code,
        version,
        state,
    )
    return None if row is None else _version(row)


async def load_versions(connection: Connection, *, code: str) -> list[ItemVersion]:
    """Load every version of an item, the newest first."""
    rows = await connection.fetch(
        "SELECT * FROM evidence.item_version WHERE item_code = $1 ORDER BY version DESC", code
    )
    return [_version(row) for row in rows]


async def load_heads(connection: Connection, *, office: str | None, after: str, limit: int) -> list[ItemHead]:
    """Load items by code, those of one office where it is named."""
    rows = await connection.fetch(
        "SELECT i.code, i.title, i.office_code, i.region,"
        " max(v.version) FILTER (WHERE v.state = 'released') AS released,"
        " max(v.version) FILTER (WHERE v.state = 'draft') AS draft"
        " FROM evidence.service_item i JOIN evidence.item_version v ON v.item_code = i.code"
        " WHERE i.code > $2 AND ($1::text IS NULL OR i.office_code = $1)"
        " GROUP BY i.code ORDER BY i.code LIMIT $3",
        office,
        after,
        limit,
    )
    return [
        ItemHead(
            code=row["code"],
            title=row["title"],
            office=row["office_code"],
            region=row["region"],
            released=row["released"],
            draft=row["draft"],
        )
        for row in rows
    ]


async def load_released(connection: Connection, *, office: str | None) -> list[ItemVersion]:
    """Load every released version, by item code."""
    rows = await connection.fetch(
        "SELECT v.* FROM evidence.item_version v JOIN evidence.service_item i ON i.code = v.item_code"
        " WHERE v.state = 'released' AND ($1::text IS NULL OR i.office_code = $1) ORDER BY v.item_code",
        office,
    )
    return [_version(row) for row in rows]


def _version(row: asyncpg.Record) -> ItemVersion:
    return ItemVersion(
        item=parse_item(row["document"]),
        version=row["version"],
        state=VersionState(row["state"]),
        digest_sm3=row["digest_sm3"],
        saved_at=row["saved_at"],
        released_at=row["released_at"],
        retired_at=row["retired_at"],
    )
