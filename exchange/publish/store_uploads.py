"""All SQL of uploads in parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from core.database import Connection
from exchange.publish.model import PartialUpload

EXPIRED_LIMIT = 1000


async def save_upload(
    connection: Connection,
    *,
    upload: PartialUpload,
    resource_code: str,
    system_id: UUID,
    expires_at: datetime,
) -> None:
    """Insert an upload."""
    await connection.execute(
        "INSERT INTO exchange.upload (id, resource_code, system_id, media_type, charset, content_coding,"
        " length_bytes, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        upload.id,
        resource_code,
        system_id,
        upload.media_type,
        upload.charset,
        upload.coding,
        upload.length_bytes,
        expires_at,
    )


async def load_upload(
    connection: Connection, *, upload_id: UUID, resource_code: str, system_id: UUID, for_update: bool = False
) -> PartialUpload | None:
    """Load an upload of a system, locked if asked; None where there is none."""
    row = await connection.fetchrow(
        "SELECT * FROM exchange.upload WHERE id = $1 AND resource_code = $2 AND system_id = $3"
        + (" FOR UPDATE" if for_update else ""),
        upload_id,
        resource_code,
        system_id,
    )
    if row is None:
        return None
    return PartialUpload(
        id=row["id"],
        media_type=row["media_type"],
        charset=row["charset"],
        coding=row["content_coding"],
        length_bytes=row["length_bytes"],
        offset_bytes=row["offset_bytes"],
    )


async def save_part(
    connection: Connection, *, upload: PartialUpload, key: str, size_bytes: int
) -> PartialUpload:
    """Add a part at the upload's end; return the upload as it then is."""
    await connection.execute(
        "INSERT INTO exchange.upload_part (upload_id, offset_bytes, size_bytes, object_key)"
        " VALUES ($1, $2, $3, $4)",
        upload.id,
        upload.offset_bytes,
        size_bytes,
        key,
    )
    end = upload.offset_bytes + size_bytes
    await connection.execute("UPDATE exchange.upload SET offset_bytes = $2 WHERE id = $1", upload.id, end)
    return replace(upload, offset_bytes=end)


async def load_part_keys(connection: Connection, *, upload_id: UUID) -> list[str]:
    """Load the object keys of an upload's parts, in order."""
    rows = await connection.fetch(
        "SELECT object_key FROM exchange.upload_part WHERE upload_id = $1 ORDER BY offset_bytes", upload_id
    )
    return [row[0] for row in rows]


async def delete_upload(connection: Connection, *, upload_id: UUID) -> None:
    """Delete an upload and its parts' rows."""
    await connection.execute("DELETE FROM exchange.upload WHERE id = $1", upload_id)


async def load_expired(connection: Connection, *, at: datetime) -> list[UUID]:
    """Load uploads whose time has run out."""
    rows = await connection.fetch(
        "SELECT id FROM exchange.upload WHERE expires_at < $1 LIMIT $2", at, EXPIRED_LIMIT
    )
    return [row[0] for row in rows]
