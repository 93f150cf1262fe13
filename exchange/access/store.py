"""All SQL of grants, their quotas and masks, and the compilation of row filters into SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import FilterOperator, Grant, MasksJson, Mode, Quotas, RowFilter, Terms
from exchange.catalogue.store import table_of

LIST_LIMIT = 1000


def compile_row_filter(conditions: RowFilter, *, row: str, parameters: list[object]) -> str:
    """Write conditions as SQL over the columns of `row` (an alias, or a composite in brackets).

    Names are quoted, values go to the end of `parameters` and nowhere else. A row whose item is absent is
    outside the filter: the result is never NULL.
    """
    if not conditions:
        return "true"
    parts = []
    for condition in conditions:
        column = f"{row}.{quote_name(condition.item)}"
        if condition.operator is FilterOperator.IN_OWN:
            code, name = (str(value) for value in condition.values)
            parts.append(f"EXISTS (SELECT FROM {table_of(code)} own WHERE own.{quote_name(name)} = {column})")
            continue
        single = condition.operator is not FilterOperator.IN
        parameters.append(condition.values[0] if single else list(condition.values))
        place = f"${len(parameters)}"
        if condition.operator is FilterOperator.EQUALS:
            parts.append(f"{column} = {place}")
        elif condition.operator is FilterOperator.IN:
            parts.append(f"{column} = ANY({place})")
        else:
            parts.append(f"starts_with({column}, {place})")
    return f"coalesce({' AND '.join(parts)}, false)"


def terms_columns(terms: Terms) -> dict[str, object]:
    """Name the columns that applications and grants keep terms in, with their values."""
    return {
        "items": terms.items,
        "modes": sorted(terms.modes),
        "row_filter": dict(terms.row_filter),
        "service_items": terms.service_items,
        "purpose": terms.purpose,
        "legal_basis": terms.legal_basis,
        "valid_until": terms.valid_until,
        "search_items": terms.search_items,
        "calls_per_day": terms.quotas.calls_per_day,
        "rows_per_day": terms.quotas.rows_per_day,
        "masks": {item: dict(masks) for item, masks in terms.masks.items()},
    }


def read_terms(row: asyncpg.Record) -> Terms:
    """Read terms back out of a row of an application or a grant."""
    return Terms(
        items=tuple(row["items"]),
        modes=frozenset(Mode(name) for name in row["modes"]),
        service_items=tuple(row["service_items"]),
        purpose=row["purpose"],
        legal_basis=row["legal_basis"],
        valid_until=row["valid_until"],
        row_filter=row["row_filter"],
        search_items=None if row["search_items"] is None else tuple(row["search_items"]),
        quotas=Quotas(calls_per_day=row["calls_per_day"], rows_per_day=row["rows_per_day"]),
        masks=row["masks"],
    )


async def insert_row(connection: Connection, table: str, columns: dict[str, object]) -> None:
    """Insert one row; `table` and the names of `columns` are ours, never a user's."""
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    await connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", *columns.values()
    )


async def save_grant(connection: Connection, *, grant: Grant) -> None:
    """Insert a grant."""
    columns = {
        "id": grant.id,
        "application_id": grant.application_id,
        "resource_code": grant.resource_code,
        "organisation_code": grant.organisation_code,
        "valid_from": grant.valid_from,
        "scenario_id": grant.scenario_id,
    }
    await insert_row(connection, "exchange.grant_", columns | terms_columns(grant.terms))


async def update_terms(connection: Connection, *, grant_id: UUID, terms: Terms) -> None:
    """Replace the terms of a grant."""
    columns = terms_columns(terms)
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, start=2))
    await connection.execute(f"UPDATE exchange.grant_ SET {sets} WHERE id = $1", grant_id, *columns.values())


async def load_grants_in_force(
    connection: Connection,
    *,
    resource_code: str,
    organisation_code: str,
    at: datetime,
    mode: Mode | None = None,
) -> list[Grant]:
    """Load an organisation's grants on a resource that hold at `at`, oldest first, of one mode if named."""
    rows = await connection.fetch(
        "SELECT * FROM exchange.grant_ WHERE resource_code = $1 AND organisation_code = $2"
        " AND revoked_at IS NULL AND valid_from <= $3 AND valid_until > $3"
        " AND ($4::text IS NULL OR $4 = ANY(modes)) ORDER BY valid_from, id",
        resource_code,
        organisation_code,
        at,
        mode,
    )
    return [read_grant(row) for row in rows]


async def load_grant(connection: Connection, *, grant_id: UUID, for_update: bool = False) -> Grant | None:
    """Load one grant, in force or not, locked where told; None where there is none."""
    row = await connection.fetchrow(
        f"SELECT * FROM exchange.grant_ WHERE id = $1{' FOR UPDATE' if for_update else ''}", grant_id
    )
    return None if row is None else read_grant(row)


async def load_grants(
    connection: Connection, *, holder_code: str | None, provider_code: str | None
) -> list[Grant]:
    """Load the newest grants of a holder, or on a provider's resources, newest first, ended ones too."""
    rows = await connection.fetch(
        "SELECT g.* FROM exchange.grant_ g JOIN exchange.resource r ON r.code = g.resource_code"
        " WHERE ($1::text IS NULL OR g.organisation_code = $1) AND ($2::text IS NULL OR r.provider_code = $2)"
        " ORDER BY g.valid_from DESC, g.id LIMIT $3",
        holder_code,
        provider_code,
        LIST_LIMIT,
    )
    return [read_grant(row) for row in rows]


async def revoke_grant(
    connection: Connection, *, grant_id: UUID, reason: str, revoked_at: datetime
) -> Grant | None:
    """Revoke a grant that is not yet revoked; None where it was revoked before."""
    row = await connection.fetchrow(
        "UPDATE exchange.grant_ SET revoked_at = $2, revocation_reason = $3"
        " WHERE id = $1 AND revoked_at IS NULL RETURNING *",
        grant_id,
        revoked_at,
        reason,
    )
    return None if row is None else read_grant(row)


def read_grant(row: asyncpg.Record) -> Grant:
    """Read a grant out of its row."""
    return Grant(
        id=row["id"],
        application_id=row["application_id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        terms=read_terms(row),
        valid_from=row["valid_from"],
        revoked_at=row["revoked_at"],
        revocation_reason=row["revocation_reason"],
        scenario_id=row["scenario_id"],
    )


async def reserve_quota(
    connection: Connection, *, grant_id: UUID, quotas: Quotas, used_on: date, row_count: int
) -> int | None:
    """Count one call and reserve rows of the day's quotas; None where they are used up.

    Returns how many of the `row_count` rows may be given. All of them are counted as used until
    `settle_quota` says how many were. One statement: calls at the same time never use more than there is.
    """
    counted = await connection.fetchval(
        "INSERT INTO exchange.quota_use AS q (grant_id, used_on, calls, row_count) VALUES ($1, $2, 1, $5)"
        " ON CONFLICT ON CONSTRAINT quota_use_pk"
        " DO UPDATE SET calls = q.calls + 1, row_count = q.row_count + EXCLUDED.row_count"
        " WHERE ($3::bigint IS NULL OR q.calls < $3)"
        " AND ($4::bigint IS NULL OR q.row_count < $4 OR EXCLUDED.row_count = 0) RETURNING row_count",
        grant_id,
        used_on,
        quotas.calls_per_day,
        quotas.rows_per_day,
        row_count,
    )
    if counted is None:
        return None
    limit = quotas.rows_per_day
    return row_count if limit is None else min(row_count, limit - (int(counted) - row_count))


async def settle_quota(
    connection: Connection, *, grant_id: UUID, used_on: date, unused_calls: int, unused_rows: int
) -> None:
    """Give back what was reserved and not used."""
    await connection.execute(
        "UPDATE exchange.quota_use SET calls = calls - $3, row_count = row_count - $4"
        " WHERE grant_id = $1 AND used_on = $2",
        grant_id,
        used_on,
        unused_calls,
        unused_rows,
    )


async def save_mask_rules(connection: Connection, *, resource_code: str, masks: MasksJson) -> None:
    """Replace a resource's default masks."""
    await connection.execute("DELETE FROM exchange.mask_rule WHERE resource_code = $1", resource_code)
    await connection.executemany(
        "INSERT INTO exchange.mask_rule (resource_code, item, service_item, mask) VALUES ($1, $2, $3, $4)",
        [
            (resource_code, item, service_item, mask)
            for item, by_service in masks.items()
            for service_item, mask in by_service.items()
        ],
    )


async def load_mask_rules(connection: Connection, *, resource_code: str) -> dict[str, dict[str, object]]:
    """Load a resource's default masks: item → service item → mask."""
    rows = await connection.fetch(
        "SELECT item, service_item, mask FROM exchange.mask_rule WHERE resource_code = $1", resource_code
    )
    return group_masks([(row["item"], row["service_item"], row["mask"]) for row in rows])


def group_masks(rules: Sequence[tuple[str, str, object]]) -> dict[str, dict[str, object]]:
    """Group mask rules by item."""
    found: dict[str, dict[str, object]] = {}
    for item, service_item, mask in rules:
        found.setdefault(item, {})[service_item] = mask
    return found
