"""The statement that registers certificates: all of them in one round trip, each with its first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

import asyncpg

from certs.issue.model import Certificate, SourceFingerprint
from certs.seals.model import SealStatus
from core.database import Connection
from core.errors import Conflict

NUMBER_TAKEN: Final = (
    "a certificate of this type and number was already issued; name it as predecessor to replace it"
)
_COLUMNS: Final = {
    "identifier": "text",
    "type_code": "text",
    "type_version": "integer",
    "number": "text",
    "version": "integer",
    "holder_name": "text",
    "holder_code": "text",
    "holder_code_type": "text",
    "issuer_code": "text",
    "issuer_name": "text",
    "status": "text",
    "predecessor": "text",
    "issued_on": "date",
    "valid_from": "date",
    "valid_until": "date",
    "data": "jsonb",
    "qr_payload": "text",
    "service_item": "text",
    "case_number": "text",
    "seal_id": "uuid",
    "object_key": "text",
    "object_offset": "integer",
    "size_bytes": "bigint",
    "digest_sm3": "bytea",
    "sealed_sm3": "bytea",
    "created_at": "timestamptz",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRequest:
    """An issue that was asked for under an Idempotency-Key, and what came of it."""

    system_id: UUID
    key: str
    body_sm3: bytes
    identifier: str
    requested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCertificate:
    """A certificate to register, which system issues it, the row that it rests on, and its request."""

    certificate: Certificate
    system_id: UUID
    source: SourceFingerprint | None
    request: IssueRequest | None


@cache
def _write_statement(*, has_sources: bool, has_requests: bool) -> str:
    """Write the statement; tables that get no rows are left out of it, for their triggers cost time."""
    names = ", ".join(_COLUMNS)
    kinds = [*_COLUMNS.values(), "uuid"]
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(kinds, start=1))
    place = len(kinds)
    parts = [
        f"sent AS (SELECT * FROM unnest({arrays}) AS u ({names}, system_id))",
        (
            f"certificate AS (INSERT INTO certs.certificate ({names})"
            f" SELECT {', '.join(f'sent.{name}' for name in _COLUMNS)} FROM sent"
            f" JOIN certs.seal s ON s.id = sent.seal_id AND s.status = '{SealStatus.ACTIVE}'"
            " ORDER BY sent.identifier RETURNING identifier, status, issuer_code)"
        ),
        (
            "step AS (INSERT INTO certs.status_change (id, identifier, from_status, to_status, reason,"
            " organisation_code, system_id, changed_at)"
            f" SELECT gen_random_uuid(), c.identifier, NULL, c.status, ${place + 1}, c.issuer_code,"
            f" sent.system_id, ${place + 2} FROM certificate c JOIN sent USING (identifier))"
        ),
    ]
    place += 2
    if has_sources:
        parts.append(
            "source AS (INSERT INTO certs.certificate_source (identifier, resource_code, version, row_sm3,"
            f" row_key) SELECT * FROM unnest(${place + 1}::text[], ${place + 2}::text[],"
            f" ${place + 3}::integer[], ${place + 4}::bytea[], ${place + 5}::bytea[]))"
        )
        place += 5
    if has_requests:
        parts.append(
            "request AS (INSERT INTO certs.issue_request (system_id, key, body_sm3, identifier, requested_at)"
            f" SELECT * FROM unnest(${place + 1}::uuid[], ${place + 2}::text[], ${place + 3}::bytea[],"
            f" ${place + 4}::text[], ${place + 5}::timestamptz[]))"
        )
    return f"WITH {', '.join(parts)} SELECT count(*) FROM certificate"


async def register(
    connection: Connection, *, entries: Sequence[NewCertificate], reason: str, at: datetime
) -> None:
    """Insert certificates, their first steps (for `reason`), the rows that they rest on, and their requests.

    Certificates go in by their identifiers' order, so that two calls about the same ones wait for each other
    and do not lock each other out. Raises Conflict where the number of one, or a successor of its
    predecessor, exists, or its seal is out of use, and asyncpg.UniqueViolationError where a request's key
    is taken: the caller rolls back then.
    """
    certificates = [(*_row(each.certificate), each.system_id) for each in entries]
    values: list[object] = [*map(list, zip(*certificates, strict=True)), reason, at]
    sources = [
        (
            each.certificate.identifier,
            each.source.resource_code,
            each.source.version,
            each.source.row_sm3,
            each.source.row_key,
        )
        for each in entries
        if each.source is not None
    ]
    requests = sorted(
        (each.system_id, each.key, each.body_sm3, each.identifier, each.requested_at)
        for each in (entry.request for entry in entries)
        if each is not None
    )
    for rows in (sources, requests):
        values += map(list, zip(*rows, strict=True))
    statement = _write_statement(has_sources=bool(sources), has_requests=bool(requests))
    try:
        done = await connection.fetchval(statement, *values)
    except asyncpg.UniqueViolationError as taken:
        if taken.table_name == "issue_request":
            raise
        raise Conflict(_explain(taken.constraint_name)) from taken
    if done != len(entries):
        await _refuse_seal(connection, {each.certificate.seal_id for each in entries})


async def _refuse_seal(connection: Connection, seal_ids: set[UUID]) -> None:
    status = await connection.fetchval(
        "SELECT status FROM certs.seal WHERE id = ANY($1::uuid[]) AND status <> 'active' LIMIT 1",
        list(seal_ids),
    )
    msg = f"the seal was {status} while the certificate was made"
    raise Conflict(msg)


def _explain(constraint: str | None) -> str:
    if constraint == "certificate_predecessor_unique":
        return "the predecessor was already replaced by another certificate"
    return NUMBER_TAKEN


def _row(certificate: Certificate) -> tuple[object, ...]:
    """List a certificate's values in the order of the columns."""
    return (
        certificate.identifier,
        certificate.type_code,
        certificate.type_version,
        certificate.number,
        certificate.version,
        certificate.holder.name,
        certificate.holder.code,
        certificate.holder.code_type,
        certificate.issuer_code,
        certificate.issuer_name,
        certificate.status,
        certificate.predecessor,
        certificate.issued_on,
        certificate.valid_from,
        certificate.valid_until,
        dict(certificate.data),
        certificate.qr_payload,
        certificate.service_item,
        certificate.case_number,
        certificate.seal_id,
        certificate.object_key,
        certificate.object_offset,
        certificate.size_bytes,
        certificate.digest_sm3,
        certificate.sealed_sm3,
        certificate.created_at,
    )
