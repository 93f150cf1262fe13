"""All SQL of the quarantine: refused and flagged rows, tickets, and what batches say of quality."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Connection
from exchange.catalogue.model import Resource
from exchange.catalogue.store import table_of
from exchange.publish.model import BatchResult, Reason, Reject, Ticket
from exchange.publish.store_staging import STAGING, staged_key_text

REJECTS, FLAGS = "reject", "flag"
PAGE_BYTES = 16 * 1024 * 1024


async def save_rows(
    connection: Connection, *, table: str, batch_id: UUID, resource_code: str, rows: Sequence[Reject]
) -> None:
    """Insert refused rows (`table` REJECTS) or flagged ones (FLAGS)."""
    await connection.copy_records_to_table(
        table,
        schema_name="exchange",
        columns=["batch_id", "row_number", "original", "reasons", "resource_code", "key_text"],
        records=[
            (
                batch_id,
                row.row_number,
                json.dumps(row.original, ensure_ascii=True),
                [{"item": r.item, "code": r.code, "detail": r.detail} for r in row.reasons],
                resource_code,
                row.key,
            )
            for row in rows
        ],
    )


async def take_flags(
    connection: Connection, *, batch_id: UUID, rows: Sequence[int]
) -> dict[int, tuple[Reason, ...]]:
    """Remove the flags of rows that are judged anew: row number → reasons."""
    taken = await connection.fetch(
        "DELETE FROM exchange.flag WHERE batch_id = $1 AND row_number = ANY($2::bigint[])"
        " RETURNING row_number, reasons",
        batch_id,
        rows,
        timeout=None,
    )
    return {
        row["row_number"]: tuple(
            Reason(item=r["item"], code=r["code"], detail=r["detail"]) for r in row["reasons"]
        )
        for row in taken
    }


async def close_by_key(
    connection: Connection, *, resource: Resource, batch_id: UUID, is_in_table: bool
) -> int:
    """Close the tickets of earlier batches whose key is staged now; return how many.

    Where the batch filled an empty table (`is_in_table`), all keys that this has are the batch's.
    """
    is_open = "r.resource_code = $1 AND r.closed_at IS NULL AND r.key_text IS NOT NULL AND r.batch_id <> $2"
    if not await connection.fetchval(
        f"SELECT EXISTS (SELECT FROM exchange.reject r WHERE {is_open})", resource.code, batch_id
    ):
        return 0
    came_in = table_of(resource.code) if is_in_table else STAGING
    done = await connection.execute(
        f"UPDATE exchange.reject r SET closed_by = $2, closed_at = now() FROM {came_in} s"
        f" WHERE {is_open} AND r.key_text = {staged_key_text(resource)}",
        resource.code,
        batch_id,
        timeout=None,
    )
    return int(done.rsplit(" ", 1)[1])


async def close_tickets(
    connection: Connection, *, resource_code: str, batch_id: UUID, tickets: Sequence[Ticket]
) -> int:
    """Close tickets of the resource that mended rows carried; return how many were open."""
    if not tickets:
        return 0
    done = await connection.execute(
        "UPDATE exchange.reject r SET closed_by = $2, closed_at = now()"
        " FROM unnest($3::uuid[], $4::bigint[]) t (batch_id, row_number)"
        " WHERE r.batch_id = t.batch_id AND r.row_number = t.row_number AND r.resource_code = $1"
        " AND r.closed_at IS NULL",
        resource_code,
        batch_id,
        [ticket.batch_id for ticket in tickets],
        [ticket.row_number for ticket in tickets],
        timeout=None,
    )
    return int(done.rsplit(" ", 1)[1])


async def load_headers(connection: Connection, *, batch_id: UUID) -> list[str]:
    """Load the headers of the file that refused rows came in, from the first that was split into cells."""
    original = await connection.fetchval(
        "SELECT original FROM exchange.reject WHERE batch_id = $1"
        " ORDER BY starts_with(original, '{\"\":'), row_number LIMIT 1",
        batch_id,
    )
    return [] if original is None else list(json.loads(original))


async def load_rows(
    connection: Connection, *, table: str, batch_id: UUID, after: int, limit: int, open_only: bool = False
) -> list[dict[str, Any]]:
    """Load refused or flagged rows, from after row `after` on; of tickets only those open if asked.

    As many as `limit`, and of huge rows fewer: once PAGE_BYTES are passed no more come.
    """
    ticket = ", closed_by, closed_at" if table == REJECTS else ""
    among = " AND closed_at IS NULL" if open_only and table == REJECTS else ""
    rows = await connection.fetch(
        "SELECT * FROM (SELECT *, coalesce(sum(octet_length(original)) OVER (ORDER BY row_number"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before_bytes"
        f" FROM (SELECT row_number, original, reasons{ticket} FROM exchange.{table}"
        f" WHERE batch_id = $1 AND row_number > $2{among} ORDER BY row_number LIMIT $3) chosen) page"
        f" WHERE before_bytes < {PAGE_BYTES} ORDER BY row_number",
        batch_id,
        after,
        limit,
    )
    return [_render(batch_id, row) for row in rows]


def _render(batch_id: UUID, row: asyncpg.Record) -> dict[str, Any]:
    shown = {"row": row["row_number"], "original": json.loads(row["original"]), "reasons": row["reasons"]}
    if "closed_at" in row.keys():  # noqa: SIM118 - a record's `in` looks at its values
        shown["ticket"] = str(Ticket(batch_id=batch_id, row_number=row["row_number"]))
        shown["state"] = "open" if row["closed_at"] is None else "closed"
        shown["closed_by"] = None if row["closed_by"] is None else str(row["closed_by"])
    return shown


async def count_open(connection: Connection, *, resource_code: str) -> int:
    """Count the open tickets of a resource."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM exchange.reject WHERE resource_code = $1 AND closed_at IS NULL",
            resource_code,
        )
    )


async def save_quality(connection: Connection, *, result: BatchResult) -> None:
    """Keep what a batch says of its resource's quality."""
    reasons = dict(result.rejected_by_reason)
    for code, rows in result.flagged_by_reason.items():
        reasons[code] = reasons.get(code, 0) + rows
    await connection.execute(
        "INSERT INTO exchange.quality (batch_id, resource_code, received_rows, flagged_rows, rejected_rows,"
        " rows_by_reason) VALUES ($1, $2, $3, $4, $5, $6)",
        result.batch_id,
        result.resource_code,
        result.received,
        result.flagged,
        result.rejected,
        reasons,
    )
