"""All SQL of applications, scenarios, deadlines and the calendar."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from exchange.access.model import (
    Application,
    ApplicationState,
    Deadline,
    Finding,
    RequestType,
    Scenario,
)
from exchange.access.store import LIST_LIMIT, insert_row, read_terms, terms_columns
from exchange.catalogue.model import ShareType

_APPLICATIONS = (
    "SELECT a.*, coalesce(g.id, CASE WHEN a.state = 'approved' THEN a.renews_grant_id END) AS grant_id"
    " FROM exchange.application a LEFT JOIN exchange.grant_ g ON g.application_id = a.id"
    " JOIN exchange.resource r ON r.code = a.resource_code"
)


async def save_application(connection: Connection, *, application: Application) -> None:
    """Insert an application."""
    columns = {
        "id": application.id,
        "resource_code": application.resource_code,
        "organisation_code": application.organisation_code,
        "state": application.state,
        "findings": [{"code": each.code, "detail": each.detail} for each in application.findings],
        "created_at": application.created_at,
        "due_at": application.due_at,
        "renews_grant_id": application.renews_grant_id,
        "scenario_id": application.scenario_id,
    }
    await insert_row(connection, "exchange.application", columns | terms_columns(application.terms))


async def load_application(connection: Connection, *, application_id: UUID) -> Application | None:
    """Load an application and lock it until the transaction ends; None where there is none."""
    row = await connection.fetchrow(f"{_APPLICATIONS} WHERE a.id = $1 FOR UPDATE OF a", application_id)
    return None if row is None else _application(row)


async def load_applications(
    connection: Connection, *, applicant_code: str | None, provider_code: str | None
) -> list[Application]:
    """Load the newest applications of an applicant, or to a provider or escalated to it, newest first."""
    rows = await connection.fetch(
        f"{_APPLICATIONS} WHERE ($1::text IS NULL OR a.organisation_code = $1)"
        " AND ($2::text IS NULL OR r.provider_code = $2 OR a.escalated_to = $2)"
        " ORDER BY a.created_at DESC, a.id LIMIT $3",
        applicant_code,
        provider_code,
        LIST_LIMIT,
    )
    return [_application(row) for row in rows]


async def load_pending(
    connection: Connection, *, resource_code: str, organisation_code: str
) -> list[Application]:
    """Load an organisation's applications for a resource that wait for an answer."""
    rows = await connection.fetch(
        f"{_APPLICATIONS} WHERE a.resource_code = $1 AND a.organisation_code = $2 AND a.state = 'pending'"
        " ORDER BY a.created_at, a.id",
        resource_code,
        organisation_code,
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


async def save_extension(
    connection: Connection, *, application_id: UUID, due_at: datetime, extended_at: datetime
) -> None:
    """Record that the provider took its extension."""
    await connection.execute(
        "UPDATE exchange.application SET due_at = $2, extended_at = $3 WHERE id = $1",
        application_id,
        due_at,
        extended_at,
    )


async def take_overdue(
    connection: Connection, *, at: datetime, limit: int
) -> list[tuple[Application, OrganisationCode, OrganisationCode | None]]:
    """Mark overdue applications as escalated to the provider's superior organisation.

    Returns each with its provider and that organisation (None where the provider has none). Rows that another
    process is at are left to it.
    """
    rows = await connection.fetch(
        "WITH due AS (SELECT a.id FROM exchange.application a"
        " WHERE a.state = 'pending' AND a.escalated_at IS NULL AND a.due_at <= $1"
        " ORDER BY a.due_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
        " UPDATE exchange.application a SET escalated_at = $1, escalated_to = o.parent_code"
        " FROM due, exchange.resource r, core.organisation o"
        " WHERE a.id = due.id AND r.code = a.resource_code AND o.code = r.provider_code"
        " RETURNING a.*, NULL::uuid AS grant_id, r.provider_code, o.parent_code",
        at,
        limit,
    )
    return [
        (
            _application(row),
            OrganisationCode(row["provider_code"]),
            None if row["parent_code"] is None else OrganisationCode(row["parent_code"]),
        )
        for row in rows
    ]


async def save_scenario(connection: Connection, *, scenario: Scenario) -> None:
    """Insert a scenario, without its applications."""
    await connection.execute(
        "INSERT INTO exchange.scenario (id, title, organisation_code, created_at) VALUES ($1, $2, $3, $4)",
        scenario.id,
        scenario.title,
        scenario.organisation_code,
        scenario.created_at,
    )


async def load_scenario(connection: Connection, *, scenario_id: UUID) -> Scenario | None:
    """Load a scenario with its applications; None where there is none."""
    row = await connection.fetchrow("SELECT * FROM exchange.scenario WHERE id = $1", scenario_id)
    if row is None:
        return None
    parts = await connection.fetch(
        f"{_APPLICATIONS} WHERE a.scenario_id = $1 ORDER BY a.resource_code, a.id", scenario_id
    )
    return Scenario(
        id=row["id"],
        title=row["title"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        created_at=row["created_at"],
        applications=tuple(_application(part) for part in parts),
    )


async def load_deadline(
    connection: Connection,
    *,
    provider_code: OrganisationCode,
    request_type: RequestType,
    share_type: ShareType,
    on: date,
) -> Deadline:
    """Load the rule for a request to a provider: that of the narrowest jurisdiction, then the newest."""
    row = await connection.fetchrow(
        "SELECT d.* FROM exchange.deadline d JOIN core.organisation o ON o.code = $1"
        " WHERE starts_with(o.division_code, d.jurisdiction) AND d.request_type = $2 AND d.share_type = $3"
        " AND d.valid_from <= $4 AND (d.valid_until IS NULL OR d.valid_until > $4)"
        " ORDER BY length(d.jurisdiction) DESC, d.valid_from DESC LIMIT 1",
        provider_code,
        request_type,
        share_type,
        on,
    )
    return _deadline(row) if row is not None else _without_rule(request_type, share_type, on)


def _without_rule(request_type: RequestType, share_type: ShareType, on: date) -> Deadline:
    """Give the rule that stands in where a table of rules has none for this day."""
    return Deadline(
        jurisdiction="",
        request_type=request_type,
        share_type=share_type,
        working_days=10,
        extension_days=0,
        legal_reference="",
        valid_from=on,
        valid_until=None,
    )


async def load_deadlines(connection: Connection) -> list[Deadline]:
    """Load all rules."""
    rows = await connection.fetch(
        "SELECT * FROM exchange.deadline ORDER BY jurisdiction, request_type, share_type, valid_from"
    )
    return [_deadline(row) for row in rows]


async def save_deadline(connection: Connection, *, deadline: Deadline) -> None:
    """Insert a rule, or replace the one of that jurisdiction, request, share type and first day."""
    await connection.execute(
        "INSERT INTO exchange.deadline (jurisdiction, request_type, share_type, working_days, extension_days,"
        " legal_reference, valid_from, valid_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT ON CONSTRAINT deadline_unique DO UPDATE SET working_days = EXCLUDED.working_days,"
        " extension_days = EXCLUDED.extension_days, legal_reference = EXCLUDED.legal_reference,"
        " valid_until = EXCLUDED.valid_until",
        deadline.jurisdiction,
        deadline.request_type,
        deadline.share_type,
        deadline.working_days,
        deadline.extension_days,
        deadline.legal_reference,
        deadline.valid_from,
        deadline.valid_until,
    )


async def load_calendar_days(connection: Connection, *, first: date) -> dict[date, bool]:
    """Load the days from `first` on that differ from the statutory calendar: day → is it worked."""
    rows = await connection.fetch("SELECT day, is_working FROM exchange.calendar_day WHERE day >= $1", first)
    return {row["day"]: row["is_working"] for row in rows}


async def save_calendar_days(connection: Connection, *, days: dict[date, bool]) -> None:
    """Insert or replace days that differ from the statutory calendar."""
    await connection.executemany(
        "INSERT INTO exchange.calendar_day (day, is_working) VALUES ($1, $2)"
        " ON CONFLICT (day) DO UPDATE SET is_working = EXCLUDED.is_working",
        list(days.items()),
    )


def _deadline(row: asyncpg.Record) -> Deadline:
    return Deadline(
        jurisdiction=row["jurisdiction"],
        request_type=RequestType(row["request_type"]),
        share_type=ShareType(row["share_type"]),
        working_days=row["working_days"],
        extension_days=row["extension_days"],
        legal_reference=row["legal_reference"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
    )


def _application(row: asyncpg.Record) -> Application:
    escalated_to = row["escalated_to"]
    return Application(
        id=row["id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        terms=read_terms(row),
        state=ApplicationState(row["state"]),
        created_at=row["created_at"],
        due_at=row["due_at"],
        findings=tuple(Finding(code=each["code"], detail=each["detail"]) for each in row["findings"]),
        decision_reason=row["decision_reason"],
        decided_at=row["decided_at"],
        grant_id=row["grant_id"],
        renews_grant_id=row["renews_grant_id"],
        scenario_id=row["scenario_id"],
        extended_at=row["extended_at"],
        escalated_at=row["escalated_at"],
        escalated_to=None if escalated_to is None else OrganisationCode(escalated_to),
    )
