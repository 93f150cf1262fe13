"""All SQL of objects that no certificate and no copy owns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.database import Connection


async def load_unowned(connection: Connection, *, keys: Sequence[str]) -> list[str]:
    """Return those keys that nothing owns, in order."""
    rows = await connection.fetch(
        "SELECT k.key FROM unnest($1::text[]) AS k (key)"
        " WHERE NOT EXISTS (SELECT FROM certs.owned_object o WHERE o.object_key = k.key) ORDER BY k.key",
        list(keys),
    )
    return [row["key"] for row in rows]


async def note_candidates(connection: Connection, *, keys: Sequence[str], seen_at: datetime) -> None:
    """Note keys without an owner, unless they were noted before."""
    await connection.execute(
        "INSERT INTO certs.orphan_candidate (object_key, seen_at)"
        " SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING",
        list(keys),
        seen_at,
    )


async def take_ripe(connection: Connection, *, keys: Sequence[str], seen_before: datetime) -> list[str]:
    """Forget and return those keys that were noted before a time."""
    rows = await connection.fetch(
        "DELETE FROM certs.orphan_candidate WHERE object_key = ANY($1::text[]) AND seen_at <= $2"
        " RETURNING object_key",
        list(keys),
        seen_before,
    )
    return [row["object_key"] for row in rows]


async def forget_owned(connection: Connection) -> None:
    """Forget candidates that got an owner after all."""
    await connection.execute(
        "DELETE FROM certs.orphan_candidate c"
        " WHERE EXISTS (SELECT FROM certs.owned_object o WHERE o.object_key = c.object_key)"
    )
