"""All SQL of access, and the compilation of row filters into SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import (
    Application,
    ApplicationState,
    FilterOperator,
    Finding,
    Grant,
    Mode,
    RowFilter,
    Terms,
)
from exchange.catalogue.model import ShareType

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


async def save_application(connection: Connection, *, application: Application) -> None:
    """Insert an application."""
    terms = application.terms
    await connection.execute(
        "INSERT INTO exchange.application (id, resource_code, organisation_code, items, modes, row_filter,"
        " service_items, purpose, legal_basis, valid_until, state, findings, created_at, due_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        application.id,
        application.resource_code,
        application.organisation_code,
        terms.items,
        sorted(terms.modes),
        dict(terms.row_filter),
        terms.service_items,
        terms.purpose,
        terms.legal_basis,
        terms.valid_until,
        application.state,
        [{"code": finding.code, "detail": finding.detail} for finding in application.findings],
        application.created_at,
        application.due_at,
    )


_APPLICATIONS = (
    "SELECT a.*, g.id AS grant_id FROM exchange.application a"
    " LEFT JOIN exchange.grant_ g ON g.application_id = a.id"
    " JOIN exchange.resource r ON r.code = a.resource_code"
)


async def load_application(connection: Connection, *, application_id: UUID) -> Application | None:
    """Load an application and lock it until the transaction ends; None where there is none."""
    row = await connection.fetchrow(f"{_APPLICATIONS} WHERE a.id = $1 FOR UPDATE OF a", application_id)
    return None if row is None else _application(row)


async def load_applications(
    connection: Connection, *, applicant_code: str | None, provider_code: str | None
) -> list[Application]:
    """Load the newest applications of an applicant, or to a provider, newest first."""
    rows = await connection.fetch(
        f"{_APPLICATIONS} WHERE ($1::text IS NULL OR a.organisation_code = $1)"
        " AND ($2::text IS NULL OR r.provider_code = $2) ORDER BY a.created_at DESC, a.id LIMIT $3",
        applicant_code,
        provider_code,
        LIST_LIMIT,
    )
    return [_application(row) for row in rows]


async def save_decision(
    connection: Connection,
    *,
    application_id: UUID,
    state: ApplicationState,
    reason: str | None,
    decided_by: SystemId | None,
    decided_at: datetime,
) -> None:
    """Record how an application was decided; `decided_by` None means the automatic check."""
    await connection.execute(
        "UPDATE exchange.application SET state = $2, decision_reason = $3, decided_by = $4, decided_at = $5"
        " WHERE id = $1",
        application_id,
        state,
        reason,
        decided_by,
        decided_at,
    )


async def save_grant(connection: Connection, *, grant: Grant) -> None:
    """Insert a grant."""
    terms = grant.terms
    await connection.execute(
        "INSERT INTO exchange.grant_ (id, application_id, resource_code, organisation_code, items, modes,"
        " row_filter, service_items, purpose, legal_basis, valid_from, valid_until)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        grant.id,
        grant.application_id,
        grant.resource_code,
        grant.organisation_code,
        terms.items,
        sorted(terms.modes),
        dict(terms.row_filter),
        terms.service_items,
        terms.purpose,
        terms.legal_basis,
        grant.valid_from,
        terms.valid_until,
    )


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
    return [_grant(row) for row in rows]


async def load_grant(connection: Connection, *, grant_id: UUID) -> Grant | None:
    """Load one grant, in force or not; None where there is none."""
    row = await connection.fetchrow("SELECT * FROM exchange.grant_ WHERE id = $1", grant_id)
    return None if row is None else _grant(row)


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
    return [_grant(row) for row in rows]


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
    return None if row is None else _grant(row)


async def load_working_days_allowed(connection: Connection, *, share_type: ShareType) -> int:
    """Load how many working days a provider has to answer."""
    return int(
        await connection.fetchval(
            "SELECT working_days FROM exchange.deadline_rule WHERE share_type = $1", share_type
        )
    )


async def load_calendar_days(connection: Connection, *, first: date) -> dict[date, bool]:
    """Load the days from `first` on that are not what their weekday says: day → is it worked."""
    rows = await connection.fetch("SELECT day, is_working FROM exchange.calendar_day WHERE day >= $1", first)
    return {row["day"]: row["is_working"] for row in rows}


def _terms(row: asyncpg.Record) -> Terms:
    return Terms(
        items=tuple(row["items"]),
        modes=_modes(row["modes"]),
        service_items=tuple(row["service_items"]),
        purpose=row["purpose"],
        legal_basis=row["legal_basis"],
        valid_until=row["valid_until"],
        row_filter=row["row_filter"],
    )


def _modes(names: Sequence[str]) -> frozenset[Mode]:
    return frozenset(Mode(name) for name in names)


def _application(row: asyncpg.Record) -> Application:
    return Application(
        id=row["id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        terms=_terms(row),
        state=ApplicationState(row["state"]),
        created_at=row["created_at"],
        due_at=row["due_at"],
        findings=tuple(Finding(code=each["code"], detail=each["detail"]) for each in row["findings"]),
        decision_reason=row["decision_reason"],
        decided_at=row["decided_at"],
        grant_id=row["grant_id"],
    )


def _grant(row: asyncpg.Record) -> Grant:
    return Grant(
        id=row["id"],
        application_id=row["application_id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        terms=_terms(row),
        valid_from=row["valid_from"],
        revoked_at=row["revoked_at"],
        revocation_reason=row["revocation_reason"],
    )
