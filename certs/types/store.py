"""All SQL of certificate types."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import asyncpg

from certs.types.model import (
    BodyLevel,
    CertificateItem,
    CertificateType,
    Evidence,
    HolderCategory,
    ServiceItem,
)
from core.database import Connection
from core.database.gathering import Gathering
from core.errors import NotFound

UNKNOWN: Final = "no certificate type of that code is registered; GET /v1/certificate-types lists them"


async def save_type(connection: Connection, *, kind: CertificateType) -> bool:
    """Insert one version of a type; False where that version is there already."""
    done = await connection.execute(
        "INSERT INTO certs.certificate_type (code, version, name, defining_body, defining_level,"
        " holder_category, items, template, end_required, max_years, evidence, issuing_level, validity_range,"
        " related_items)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING",
        kind.code,
        kind.version,
        kind.name,
        kind.defining_body,
        kind.defining_level,
        kind.holder_category,
        [_dump_item(item) for item in kind.items],
        kind.template,
        kind.end_required,
        kind.max_years,
        kind.evidence,
        kind.issuing_level,
        kind.validity_range,
        [[item.code, item.name] for item in kind.related_items],
    )
    return done.endswith(" 1")


async def replace_service_items(
    connection: Connection, *, type_code: str, items: Sequence[ServiceItem]
) -> None:
    """Make `items` the only service items that may use a type."""
    await connection.execute("DELETE FROM certs.type_service_item WHERE type_code = $1", type_code)
    await connection.executemany(
        "INSERT INTO certs.type_service_item (type_code, service_item, name) VALUES ($1, $2, $3)",
        [(type_code, item.code, item.name) for item in items],
    )


async def load_types(connection: Connection) -> list[CertificateType]:
    """Load the newest version of every type, by code."""
    rows = await connection.fetch("SELECT * FROM certs.described_type WHERE is_newest ORDER BY code")
    return [_type(row) for row in rows]


async def load_type(connection: Connection, *, code: str) -> CertificateType:
    """Load the newest version of one type. Raises NotFound."""
    row = await connection.fetchrow("SELECT * FROM certs.described_type WHERE code = $1 AND is_newest", code)
    if row is None:
        raise NotFound(UNKNOWN)
    return _type(row)


async def load_types_by_code(connection: Connection, *, codes: Iterable[str]) -> dict[str, CertificateType]:
    """Load the newest version of each type named; unknown codes are left out."""
    rows = await connection.fetch(
        "SELECT * FROM certs.described_type WHERE code = ANY($1::text[]) AND is_newest", sorted(set(codes))
    )
    return {row["code"]: _type(row) for row in rows}


def write_fingerprints(gathering: Gathering, *, codes: Collection[str]) -> int:
    """Write a statement that names the newest version of each type: code, and a text that changes with it."""
    return gathering.add(
        "SELECT t.code, t.version || '/' || t.xmin::text || '/' || (SELECT count(*) || '/'"
        " || coalesce(sum(s.xmin::text::bigint), 0)"
        " FROM certs.type_service_item s WHERE s.type_code = t.code)"
        f" FROM certs.certificate_type t WHERE t.code = ANY({gathering.place(sorted(set(codes)))}::text[])"
        " AND NOT EXISTS (SELECT FROM certs.certificate_type n"
        " WHERE n.code = t.code AND n.version > t.version)"
    )


async def load_versions(connection: Connection, *, code: str) -> list[CertificateType]:
    """Load every version of one type, the newest first. Raises NotFound."""
    rows = await connection.fetch(
        "SELECT * FROM certs.described_type WHERE code = $1 ORDER BY version DESC", code
    )
    if not rows:
        raise NotFound(UNKNOWN)
    return [_type(row) for row in rows]


def _dump_item(item: CertificateItem) -> dict[str, Any]:
    return {
        "name": item.name,
        "title": item.title,
        "format": item.format,
        "is_required": item.is_required,
        "is_sensitive": item.is_sensitive,
        "allowed": list(item.allowed),
    }


def _type(row: asyncpg.Record) -> CertificateType:
    return CertificateType(
        code=row["code"],
        version=row["version"],
        name=row["name"],
        defining_body=row["defining_body"],
        defining_level=BodyLevel(row["defining_level"]),
        holder_category=HolderCategory(row["holder_category"]),
        items=tuple(CertificateItem(**{**item, "allowed": tuple(item["allowed"])}) for item in row["items"]),
        template=row["template"],
        end_required=row["end_required"],
        max_years=row["max_years"],
        evidence=Evidence(row["evidence"]),
        issuing_level=BodyLevel(row["issuing_level"]),
        validity_range=row["validity_range"],
        related_items=tuple(ServiceItem(code=code, name=name) for code, name in row["related_items"]),
        service_items=tuple(ServiceItem(code=code, name=name) for code, name in row["service_items"]),
    )
