"""All SQL of objections and corrections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter, insert_row
from exchange.catalogue.store import changes_of, table_of
from exchange.objections.model import Correction, Holder, HoldingBasis, Objection, ObjectionState
from exchange.query.store import row_digest, row_key

LIST_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputedRow:
    """The row that an objection is about: its key as text, its digest, the version it is of."""

    key: tuple[str, ...]
    digest: bytes
    version: int


async def load_disputed_row(
    connection: Connection,
    *,
    resource_code: str,
    keys: Mapping[str, object],
    key_items: Sequence[str],
    row_filter: RowFilter,
    row_salt: bytes,
) -> DisputedRow | None:
    """Load the row of that key within the row filter; None where there is none."""
    parameters: list[object] = [resource_code, row_salt]
    tests = [compile_row_filter(row_filter, row="d", parameters=parameters)]
    for name, value in keys.items():
        parameters.append(value)
        tests.append(f"d.{quote_name(name)} = ${len(parameters)}")
    row = await connection.fetchrow(
        f"SELECT {row_key('d', key_items)} AS key, {row_digest('d', key_items, salt='$2')} AS digest,"
        f" r.current_version AS version FROM exchange.resource r, {table_of(resource_code)} d"
        f" WHERE r.code = $1 AND {' AND '.join(tests)}",
        *parameters,
    )
    if row is None:
        return None
    return DisputedRow(key=tuple(row["key"]), digest=row["digest"], version=row["version"])


async def save_objection(connection: Connection, *, objection: Objection) -> None:
    """Insert an objection."""
    columns = {
        "id": objection.id,
        "resource_code": objection.resource_code,
        "item": objection.item,
        "row_key": list(objection.row_key),
        "subject_hmac": objection.subject_hmac,
        "row_digest": objection.row_digest,
        "seen_version": objection.seen_version,
        "organisation_code": objection.organisation_code,
        "grant_id": objection.grant_id,
        "claim": objection.claim,
        "basis": objection.basis,
        "state": objection.state,
        "raised_at": objection.raised_at,
        "due_at": objection.due_at,
    }
    await insert_row(connection, "exchange.objection", columns)


async def is_disputed_by(connection: Connection, *, objection: Objection) -> bool:
    """Tell whether that organisation disputes that value already; its next objection waits meanwhile."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"objection/{objection.row_digest.hex()}"
    )
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM exchange.objection WHERE resource_code = $1 AND row_key = $2"
            " AND item = $3 AND organisation_code = $4 AND state = 'open')",
            objection.resource_code,
            list(objection.row_key),
            objection.item,
            objection.organisation_code,
        )
    )


async def load_objection(connection: Connection, *, objection_id: UUID) -> Objection | None:
    """Load an objection and lock it until the transaction ends; None where there is none."""
    row = await connection.fetchrow("SELECT * FROM exchange.objection WHERE id = $1 FOR UPDATE", objection_id)
    return None if row is None else _objection(row)


async def load_objections(
    connection: Connection, *, raiser_code: str | None, provider_code: str | None
) -> list[Objection]:
    """Load the newest objections of an organisation, or to a provider or escalated to it, newest first."""
    rows = await connection.fetch(
        "SELECT o.* FROM exchange.objection o JOIN exchange.resource r ON r.code = o.resource_code"
        " WHERE ($1::text IS NULL OR o.organisation_code = $1)"
        " AND ($2::text IS NULL OR r.provider_code = $2 OR o.escalated_to = $2)"
        " ORDER BY o.raised_at DESC, o.id LIMIT $3",
        raiser_code,
        provider_code,
        LIST_LIMIT,
    )
    return [_objection(row) for row in rows]


async def save_closing(
    connection: Connection,
    *,
    objection_id: UUID,
    state: ObjectionState,
    reason: str,
    closed_at: datetime,
    corrected_version: int | None,
) -> None:
    """Record how an objection ended."""
    await connection.execute(
        "UPDATE exchange.objection SET state = $2, closing_reason = $3, closed_at = $4,"
        " corrected_version = $5 WHERE id = $1",
        objection_id,
        state,
        reason,
        closed_at,
        corrected_version,
    )


async def take_overdue(
    connection: Connection, *, at: datetime, limit: int
) -> list[tuple[Objection, OrganisationCode, OrganisationCode | None]]:
    """Mark overdue objections as escalated; return each with its provider and the provider's superior."""
    rows = await connection.fetch(
        "WITH due AS (SELECT o.id FROM exchange.objection o"
        " WHERE o.state = 'open' AND o.escalated_at IS NULL AND o.due_at <= $1"
        " ORDER BY o.due_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
        " UPDATE exchange.objection o SET escalated_at = $1, escalated_to = p.parent_code"
        " FROM due, exchange.resource r, core.organisation p"
        " WHERE o.id = due.id AND r.code = o.resource_code AND p.code = r.provider_code"
        " RETURNING o.*, r.provider_code, p.parent_code",
        at,
        limit,
    )
    return [
        (
            _objection(row),
            OrganisationCode(row["provider_code"]),
            None if row["parent_code"] is None else OrganisationCode(row["parent_code"]),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldValue:
    """When a disputed value was current: from version `first` until before version `corrected`.

    `first_sequence` is the place in `first` of the change that brought it; 0 where that is not known.
    """

    first: int
    first_sequence: int
    corrected: int


async def load_old_value(
    connection: Connection, *, objection: Objection, key_items: Sequence[str]
) -> OldValue | None:
    """Find in the change log when the disputed value came and went; None where it still stands."""
    changes, item = changes_of(objection.resource_code), quote_name(objection.item)
    same = " AND ".join(
        f"(CASE WHEN c._operation = 'insert' THEN (c._after).{quote_name(name)}"
        f" ELSE (c._before).{quote_name(name)} END)::text = ($1::text[])[{number}]"
        for number, name in enumerate(key_items, start=1)
    )
    touched = f"{same} AND (c._before).{item} IS DISTINCT FROM (c._after).{item}"
    corrected = await connection.fetchval(
        f"SELECT c._version FROM {changes} c WHERE c._version > $2 AND {touched}"
        " ORDER BY c._version, c._sequence LIMIT 1",
        list(objection.row_key),
        objection.seen_version,
    )
    if corrected is None:
        return None
    first = await connection.fetchrow(
        f"SELECT c._version, c._sequence FROM {changes} c WHERE c._version <= $2 AND {touched}"
        " ORDER BY c._version DESC, c._sequence DESC LIMIT 1",
        list(objection.row_key),
        objection.seen_version,
    )
    version, sequence = first or (0, 0)
    return OldValue(first=version, first_sequence=sequence, corrected=corrected)


# Leaves name a row by its subject only where the key is one personal or firm number ($5); row_holder has the
# rest. A leaf is not older than the version whose value it speaks of.
_HOLDERS: Final = (
    "WITH leaves AS (SELECT l.grant_id, l.event, l.body::jsonb -> 'details' AS d FROM core.log_leaf l"
    " WHERE l.resource_code = $1 AND (l.subject_hmac = $2 OR $2 = ANY(l.subjects)) AND l.grant_id IS NOT NULL"
    " AND l.event IN ('data.queried', 'facts.verified') AND l.recorded_at >= coalesce((SELECT committed_at"
    " FROM exchange.version WHERE resource_code = $1 AND version = $6), '-infinity')),"
    " held AS (SELECT grant_id, CASE event WHEN 'data.queried' THEN 'query' ELSE 'verify' END AS basis"
    " FROM leaves WHERE $5::text IS NOT NULL AND (d ->> 'version')::bigint >= $6"
    " AND (d ->> 'version')::bigint < $7"
    " AND CASE event WHEN 'data.queried' THEN d -> 'items' ? $4 AND d -> 'searched_by' ? $5"
    " AND (d ->> 'rows')::int > 0 ELSE d -> 'matched' ? $4 END"
    " UNION SELECT h.grant_id, CASE WHEN 'query' = ANY(g.modes) THEN 'query' ELSE 'verify' END"
    " FROM exchange.row_holder h JOIN exchange.grant_ g ON g.id = h.grant_id"
    " WHERE h.resource_code = $1 AND h.row_digest = $3 AND $4 = ANY(h.items)"
    " AND h.version >= $6 AND h.version < $7)"
    " SELECT DISTINCT ON (g.id) g.id, g.organisation_code, held.basis FROM held"
    " JOIN exchange.grant_ g ON g.id = held.grant_id ORDER BY g.id, held.basis"
)


async def load_holders(
    connection: Connection, *, objection: Objection, subject_item: str | None, old: OldValue
) -> list[Holder]:
    """Load who was given the old value by query, or told that it matches; from the access records."""
    rows = await connection.fetch(
        _HOLDERS,
        objection.resource_code,
        objection.subject_hmac,
        objection.row_digest,
        objection.item,
        subject_item,
        old.first,
        old.corrected,
    )
    return [
        Holder(
            organisation_code=OrganisationCode(row["organisation_code"]),
            grant_id=row["id"],
            basis=HoldingBasis(row["basis"]),
        )
        for row in rows
    ]


async def save_corrections(
    connection: Connection, *, objection_id: UUID, holders: Sequence[Holder], at: datetime
) -> None:
    """Insert what the holders of an old value are due."""
    await connection.executemany(
        "INSERT INTO exchange.correction (id, objection_id, organisation_code, grant_id, basis, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT ON CONSTRAINT correction_once DO NOTHING",
        [(uuid4(), objection_id, each.organisation_code, each.grant_id, each.basis, at) for each in holders],
    )


async def take_corrections(
    connection: Connection, *, organisation_code: OrganisationCode, unread_only: bool, at: datetime
) -> list[Correction]:
    """Load the newest corrections that an organisation is due, newest first, and mark them as read."""
    rows = await connection.fetch(
        "WITH found AS (SELECT * FROM exchange.correction WHERE organisation_code = $1"
        " AND (read_at IS NULL OR NOT $2) ORDER BY created_at DESC, id LIMIT $3),"
        " marked AS (UPDATE exchange.correction c SET read_at = coalesce(c.read_at, $4)"
        " FROM found f WHERE f.id = c.id)"
        " SELECT f.id AS correction_id, f.grant_id AS held_under, f.organisation_code AS holder_code,"
        " f.basis AS holding_basis, f.created_at, f.read_at, o.* FROM found f"
        " JOIN exchange.objection o ON o.id = f.objection_id ORDER BY f.created_at DESC, f.id",
        organisation_code,
        unread_only,
        LIST_LIMIT,
        at,
    )
    return [
        Correction(
            id=row["correction_id"],
            objection=_objection(row),
            holder=Holder(
                organisation_code=OrganisationCode(row["holder_code"]),
                grant_id=row["held_under"],
                basis=HoldingBasis(row["holding_basis"]),
            ),
            created_at=row["created_at"],
            read_at=row["read_at"],
        )
        for row in rows
    ]


def _objection(row: asyncpg.Record) -> Objection:
    escalated_to = row["escalated_to"]
    return Objection(
        id=row["id"],
        resource_code=row["resource_code"],
        item=row["item"],
        row_key=tuple(row["row_key"]),
        subject_hmac=row["subject_hmac"],
        row_digest=row["row_digest"],
        seen_version=row["seen_version"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        grant_id=row["grant_id"],
        claim=row["claim"],
        basis=row["basis"],
        state=ObjectionState(row["state"]),
        raised_at=row["raised_at"],
        due_at=row["due_at"],
        escalated_at=row["escalated_at"],
        escalated_to=None if escalated_to is None else OrganisationCode(escalated_to),
        closed_at=row["closed_at"],
        closing_reason=row["closing_reason"],
        corrected_version=row["corrected_version"],
    )
