"""All SQL of interchange."""

from __future__ import annotations

from collections.abc import Sequence

from core.database import Connection


async def load_published_codes(
    connection: Connection, *, codes: Sequence[str], provider_code: str | None
) -> list[str]:
    """Load the codes of published resources: of all, or of those among `codes`, or of one provider's."""
    rows = await connection.fetch(
        "SELECT code FROM exchange.resource WHERE state = 'published'"
        " AND (cardinality($1::text[]) = 0 OR code = ANY($1::text[]))"
        " AND ($2::text IS NULL OR provider_code = $2) ORDER BY code",
        list(codes),
        provider_code,
    )
    return [row[0] for row in rows]


async def load_names(connection: Connection, *, codes: Sequence[str]) -> dict[str, str]:
    """Load the names of organisations by their codes."""
    rows = await connection.fetch(
        "SELECT code, name FROM core.organisation WHERE code = ANY($1::text[])", list(set(codes))
    )
    return {row[0]: row[1] for row in rows}
