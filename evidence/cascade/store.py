"""All SQL of rules, cursors and what a change affects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from core.database.names import quote_name
from evidence.cascade.document import dump_rule, parse_rule
from evidence.cascade.model import AffectedCase, CascadeRule, KeptRule, Operation, RowChange
from exchange.catalogue.model import Resource
from exchange.catalogue.store import changes_of, table_of

_STATUS_VERSION: Final = (
    "t.status || '/' || (SELECT count(*) FROM certs.status_change n WHERE n.identifier = t.identifier)"
)
_OPEN: Final = (
    "SELECT DISTINCT c.id, c.organisation_code, c.item_code, c.item_version, c.case_number, b.fact"
    " FROM evidence.case_basis b JOIN evidence.case_ c ON c.id = b.case_id"
    " JOIN evidence.case_fact f ON f.case_id = b.case_id AND f.fact = b.fact AND f.outcome = 'supplied'"
    " WHERE c.closed_at IS NULL AND b.outcome = 'supplied'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A resource that has versions nobody has followed yet: those after `version`, through `last`."""

    resource_code: str
    version: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCertificate:
    """A certificate that got a status; `version` counts its changes, so that each is told apart."""

    identifier: str
    type_code: str
    holder_code: str
    status: str
    version: str


async def save_rule(
    connection: Connection,
    *,
    rule: CascadeRule,
    organisation_code: OrganisationCode,
    system_id: SystemId,
    at: datetime,
) -> bool:
    """Save a rule, or put another in its place; False where the code is another organisation's."""
    done = await connection.execute(
        "INSERT INTO evidence.cascade_rule (code, organisation_code, system_id, document, created_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT cascade_rule_pk DO UPDATE"
        " SET system_id = EXCLUDED.system_id, document = EXCLUDED.document,"
        " created_at = EXCLUDED.created_at, retired_at = NULL"
        " WHERE evidence.cascade_rule.organisation_code = EXCLUDED.organisation_code",
        rule.code,
        organisation_code,
        system_id,
        dump_rule(rule),
        at,
    )
    return done.endswith(" 1")


async def retire_rule(
    connection: Connection, *, code: str, organisation_code: OrganisationCode, at: datetime
) -> bool:
    """Retire an organisation's rule; False where it has none of that code in force."""
    done = await connection.execute(
        "UPDATE evidence.cascade_rule SET retired_at = $3"
        " WHERE code = $1 AND organisation_code = $2 AND retired_at IS NULL",
        code,
        organisation_code,
        at,
    )
    return done.endswith(" 1")


async def load_rules(connection: Connection, *, organisation_code: str | None = None) -> list[KeptRule]:
    """Load the rules in force, of one organisation or of all."""
    rows = await connection.fetch(
        "SELECT * FROM evidence.cascade_rule WHERE retired_at IS NULL"
        " AND ($1::text IS NULL OR organisation_code = $1) ORDER BY code",
        organisation_code,
    )
    return [
        KeptRule(
            rule=parse_rule(row["document"]),
            organisation_code=OrganisationCode(row["organisation_code"]),
            system_id=SystemId(row["system_id"]),
            created_at=row["created_at"],
        )
        for row in rows
    ]


async def save_cursor_if_none(connection: Connection, *, resource_code: str) -> None:
    """Follow a resource from its current version on, where it is not followed yet."""
    await connection.execute(
        "INSERT INTO evidence.cascade_cursor SELECT code, current_version FROM exchange.resource"
        " WHERE code = $1 ON CONFLICT ON CONSTRAINT cascade_cursor_pk DO NOTHING",
        resource_code,
    )


async def follow_new(connection: Connection, *, before: datetime) -> None:
    """Follow the resources that a case rests on and nobody follows yet.

    From the oldest version that an open case rests on; where that is newer than the newest of before the
    moment, from this one on, since cases that rest on older ones are on record by then.
    """
    await connection.execute(
        "INSERT INTO evidence.cascade_cursor (resource_code, version)"
        " SELECT r.code, least(v.last, (SELECT min(b.source_version) FROM evidence.case_basis b"
        " JOIN evidence.case_ c ON c.id = b.case_id WHERE b.source = r.code AND c.closed_at IS NULL"
        " AND b.row_key IS NOT NULL))"
        " FROM exchange.resource r CROSS JOIN LATERAL (SELECT max(n.version) AS last FROM exchange.version n"
        " WHERE n.resource_code = r.code AND n.committed_at <= $1) v"
        " WHERE NOT EXISTS (SELECT FROM evidence.cascade_cursor k WHERE k.resource_code = r.code)"
        " AND EXISTS (SELECT FROM evidence.case_basis b WHERE b.source = r.code AND b.row_key IS NOT NULL)"
        " AND v.last IS NOT NULL ON CONFLICT ON CONSTRAINT cascade_cursor_pk DO NOTHING",
        before,
    )


async def load_behind(connection: Connection, *, before: datetime) -> list[Behind]:
    """Load followed resources with versions that were committed before a moment and not followed yet.

    Looks at cursors and versions alone, however many cases there are.
    """
    rows = await connection.fetch(
        "SELECT r.code, k.version, v.last FROM evidence.cascade_cursor k"
        " JOIN exchange.resource r ON r.code = k.resource_code AND r.current_version > k.version"
        " CROSS JOIN LATERAL (SELECT max(n.version) AS last FROM exchange.version n"
        " WHERE n.resource_code = r.code AND n.version > k.version AND n.committed_at <= $1) v"
        " WHERE v.last > k.version ORDER BY r.code",
        before,
    )
    return [Behind(resource_code=row["code"], version=row["version"], last=row["last"]) for row in rows]


async def load_needed_after(connection: Connection, *, resource_code: str) -> int | None:
    """Load the version up to which a resource was followed; None where nothing rests on it yet."""
    found: int | None = await connection.fetchval(
        "SELECT coalesce((SELECT version FROM evidence.cascade_cursor WHERE resource_code = $1),"
        " (SELECT min(b.source_version) FROM evidence.case_basis b JOIN evidence.case_ c ON c.id = b.case_id"
        " WHERE b.source = $1 AND c.closed_at IS NULL AND b.row_key IS NOT NULL))",
        resource_code,
    )
    return found


async def lock_cursor(connection: Connection, *, behind: Behind) -> int | None:
    """Take a resource's cursor for this transaction; None where another process works on it."""
    version: int | None = await connection.fetchval(
        "SELECT version FROM evidence.cascade_cursor WHERE resource_code = $1 FOR UPDATE SKIP LOCKED",
        behind.resource_code,
    )
    return version


async def move_cursor(connection: Connection, *, resource_code: str, version: int) -> None:
    """Note that a resource was followed through a version."""
    await connection.execute(
        "UPDATE evidence.cascade_cursor SET version = $2 WHERE resource_code = $1", resource_code, version
    )


async def load_asked(connection: Connection, *, resource_code: str) -> list[tuple[str, int, str, int]]:
    """Load by which ways open cases rest on a resource: item, version, fact and number of the way."""
    rows = await connection.fetch(
        "SELECT DISTINCT c.item_code, c.item_version, b.fact, b.way FROM evidence.case_basis b"
        " JOIN evidence.case_ c ON c.id = b.case_id"
        " WHERE b.source = $1 AND b.row_key IS NOT NULL AND c.closed_at IS NULL",
        resource_code,
    )
    return [(row["item_code"], row["item_version"], row["fact"], row["way"]) for row in rows]


async def read_changes(
    connection: Connection, *, resource_code: str, version: int, names: Sequence[str]
) -> AsyncIterator[RowChange]:
    """Go through the changes of a version; of each side only the items `names`."""
    columns = "".join(
        f", (c.{side}).{quote_name(name)} AS {side}{number}"
        for side in ("_before", "_after")
        for number, name in enumerate(names)
    )
    query = (
        f"SELECT c._operation{columns} FROM {changes_of(resource_code)} c WHERE c._version = $1"
        " ORDER BY c._sequence"
    )
    async for row in connection.cursor(query, version, prefetch=1000):
        operation = Operation(row["_operation"])
        yield RowChange(
            operation=operation,
            before=None if operation is Operation.INSERT else _side(row, "_before", names),
            after=None if operation is Operation.DELETE else _side(row, "_after", names),
        )


def _side(row: asyncpg.Record, side: str, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[f"{side}{number}"] for number, name in enumerate(names)}


async def load_cases_on_rows(
    connection: Connection, *, resource_code: str, row_keys: Collection[bytes], before_version: int | None
) -> list[AffectedCase]:
    """Load facts of open cases that rest on rows, as they were before a version where it is named."""
    rows = await connection.fetch(
        f"{_OPEN} AND b.source = $1 AND b.row_key = ANY($2::bytea[])"
        " AND ($3::bigint IS NULL OR b.source_version < $3) ORDER BY c.id, b.fact",
        resource_code,
        list(row_keys),
        before_version,
    )
    return [_case(row) for row in rows]


async def load_cases_on_certificate(connection: Connection, *, identifier: str) -> list[AffectedCase]:
    """Load facts of open cases that rest on a certificate."""
    rows = await connection.fetch(f"{_OPEN} AND b.certificate_id = $1 ORDER BY c.id, b.fact", identifier)
    return [_case(row) for row in rows]


async def load_lost_certificates(connection: Connection, *, limit: int) -> list[ChangedCertificate]:
    """Load certificates that are not active any more while an open case rests on them, not yet acted on."""
    rows = await connection.fetch(
        f"SELECT DISTINCT t.identifier, t.type_code, t.holder_code, t.status, {_STATUS_VERSION} AS version"
        " FROM evidence.case_basis b"
        " JOIN evidence.case_ c ON c.id = b.case_id"
        " JOIN evidence.case_fact f ON f.case_id = b.case_id AND f.fact = b.fact AND f.outcome = 'supplied'"
        " JOIN certs.certificate t ON t.identifier = b.certificate_id"
        " WHERE c.closed_at IS NULL AND b.outcome = 'supplied' AND t.status <> 'active'"
        " AND NOT EXISTS (SELECT FROM evidence.cascade_effect e WHERE e.case_id = b.case_id"
        f" AND e.fact = b.fact AND e.source = t.identifier AND e.source_version = {_STATUS_VERSION})"
        " ORDER BY t.identifier LIMIT $1",
        limit,
    )
    return [_certificate(row) for row in rows]


async def load_changed_certificates(
    connection: Connection, *, kept: KeptRule, type_code: str, statuses: Sequence[str], limit: int
) -> list[ChangedCertificate]:
    """Load certificates that got one of some statuses since a rule is in force, and that it has not met."""
    rows = await connection.fetch(
        f"SELECT DISTINCT t.identifier, t.type_code, t.holder_code, t.status, {_STATUS_VERSION} AS version"
        " FROM certs.certificate t"
        " JOIN certs.status_change s ON s.identifier = t.identifier AND s.to_status = t.status"
        " JOIN certs.certificate u ON u.holder_code = t.holder_code AND u.type_code = $4"
        " AND u.issuer_code = $5 AND u.status = 'active'"
        " WHERE t.type_code = $1 AND t.status = ANY($2::text[]) AND s.changed_at >= $3"
        " AND NOT EXISTS (SELECT FROM evidence.cascade_effect e WHERE e.rule_code = $6"
        " AND e.certificate_id = u.identifier AND e.source = t.identifier"
        f" AND e.source_version = {_STATUS_VERSION})"
        " ORDER BY t.identifier LIMIT $7",
        type_code,
        list(statuses),
        kept.created_at,
        kept.rule.target,
        kept.organisation_code,
        kept.rule.code,
        limit,
    )
    return [_certificate(row) for row in rows]


async def load_held(
    connection: Connection, *, holder_codes: Collection[str], type_code: str, issuer_code: str
) -> list[str]:
    """Load the active certificates of a type that an issuer gave to holders."""
    rows = await connection.fetch(
        "SELECT identifier FROM certs.certificate WHERE holder_code = ANY($1::text[]) AND type_code = $2"
        " AND issuer_code = $3 AND status = 'active' ORDER BY identifier",
        list(holder_codes),
        type_code,
        issuer_code,
    )
    return [row["identifier"] for row in rows]


async def load_issued_from(
    connection: Connection,
    *,
    resource_code: str,
    row_keys: Collection[bytes],
    type_code: str,
    issuer_code: str,
) -> list[str]:
    """Load the active certificates of a type that an issuer issued from rows of a resource."""
    rows = await connection.fetch(
        "SELECT c.identifier FROM certs.certificate_source s"
        " JOIN certs.certificate c ON c.identifier = s.identifier"
        " WHERE s.resource_code = $1 AND s.row_key = ANY($2::bytea[]) AND c.type_code = $3"
        " AND c.issuer_code = $4 AND c.status = 'active' ORDER BY c.identifier",
        resource_code,
        list(row_keys),
        type_code,
        issuer_code,
    )
    return [row["identifier"] for row in rows]


def _case(row: asyncpg.Record) -> AffectedCase:
    return AffectedCase(
        case_id=UUID(str(row["id"])),
        organisation_code=OrganisationCode(row["organisation_code"]),
        item_code=row["item_code"],
        item_version=row["item_version"],
        case_number=row["case_number"],
        fact=row["fact"],
    )


def _certificate(row: asyncpg.Record) -> ChangedCertificate:
    return ChangedCertificate(
        identifier=row["identifier"],
        type_code=row["type_code"],
        holder_code=row["holder_code"],
        status=row["status"],
        version=row["version"],
    )


async def load_row(
    connection: Connection, *, resource: Resource, keys: Mapping[str, object], names: Sequence[str]
) -> dict[str, object] | None:
    """Load some items of a current row by all its key items; None where there is none."""
    columns = ", ".join(map(quote_name, (*keys, *(name for name in names if name not in keys))))
    where = " AND ".join(f"{quote_name(name)} = ${number}" for number, name in enumerate(keys, start=1))
    row = await connection.fetchrow(
        f"SELECT {columns} FROM {table_of(resource.code)} WHERE {where}", *keys.values()
    )
    return None if row is None else dict(row.items())
