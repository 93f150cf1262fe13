"""The SQL of issued certificates, but for registering them: that is `store_register`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from certs.issue.model import Certificate, CertificateStatus, Holder, SourceFingerprint, StatusChange
from certs.issue.store_register import IssueRequest
from certs.types.model import HolderCodeType
from core.caller import OrganisationCode
from core.database import Connection
from core.database.gathering import Gathering, Row
from core.errors import NotFound


async def load_source(connection: Connection, *, identifier: str) -> SourceFingerprint | None:
    """Load the fingerprint of the row that a certificate rests on; None where it rests on none."""
    row = await connection.fetchrow(
        "SELECT resource_code, version, row_sm3, row_key FROM certs.certificate_source WHERE identifier = $1",
        identifier,
    )
    return None if row is None else SourceFingerprint(**dict(row))


async def load_by_number(
    connection: Connection, *, type_code: str | None, number: str, limit: int
) -> list[Certificate]:
    """Load the certificates that bear a number, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM certs.described_certificate WHERE number = $1 AND ($2::text IS NULL OR type_code = $2)"
        " ORDER BY created_at DESC, version DESC, identifier LIMIT $3",
        number,
        type_code,
        limit,
    )
    return [_certificate(row) for row in rows]


async def save_change(connection: Connection, *, change: StatusChange) -> None:
    """Insert one step in the life of a certificate."""
    await connection.execute(
        "INSERT INTO certs.status_change (id, identifier, from_status, to_status, reason, organisation_code,"
        " system_id, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        uuid4(),
        change.identifier,
        change.from_status,
        change.to_status,
        change.reason,
        change.organisation_code,
        change.system_id,
        change.changed_at,
    )


async def set_status(connection: Connection, *, identifier: str, status: CertificateStatus) -> None:
    """Set the status of a certificate."""
    await connection.execute(
        "UPDATE certs.certificate SET status = $2 WHERE identifier = $1", identifier, status
    )


async def load_requests(
    connection: Connection, *, system_id: UUID, keys: Sequence[str]
) -> dict[str, IssueRequest]:
    """Load what came of keys, by key; those never used are left out."""
    rows = await connection.fetch(
        "SELECT * FROM certs.issue_request WHERE system_id = $1 AND key = ANY($2::text[])",
        system_id,
        list(keys),
    )
    return {row["key"]: IssueRequest(**dict(row)) for row in rows}


async def find_taken(connection: Connection, *, identifiers: Sequence[str]) -> frozenset[str]:
    """Tell which of these identifiers are registered."""
    rows = await connection.fetch(
        "SELECT identifier FROM certs.certificate WHERE identifier = ANY($1::text[])", list(identifiers)
    )
    return frozenset(row["identifier"] for row in rows)


async def load_certificate(connection: Connection, *, identifier: str) -> Certificate:
    """Load one certificate. Raises NotFound."""
    row = await connection.fetchrow(
        "SELECT * FROM certs.described_certificate WHERE identifier = $1", identifier
    )
    if row is None:
        msg = "no certificate of that identifier is registered here"
        raise NotFound(msg)
    return _certificate(row)


async def find_certificate(connection: Connection, *, identifier: str) -> Certificate | None:
    """Load one certificate; None where it is not registered here."""
    row = await connection.fetchrow(
        "SELECT * FROM certs.described_certificate WHERE identifier = $1", identifier
    )
    return None if row is None else _certificate(row)


async def lock_certificate(connection: Connection, *, identifier: str) -> Certificate:
    """Load one certificate and hold its row until the transaction ends. Raises NotFound."""
    await connection.execute("SELECT FROM certs.certificate WHERE identifier = $1 FOR UPDATE", identifier)
    return await load_certificate(connection, identifier=identifier)


async def find_by_file(
    connection: Connection, *, digest_sm3: bytes, sealed_sm3: Sequence[bytes]
) -> Certificate | None:
    """Load the certificate whose file this is, or whose sealed content it holds; None where neither."""
    row = await connection.fetchrow(
        "SELECT * FROM certs.described_certificate WHERE digest_sm3 = $1 OR sealed_sm3 = ANY($2::bytea[])"
        " ORDER BY (digest_sm3 = $1) DESC, created_at LIMIT 1",
        digest_sm3,
        list(sealed_sm3),
    )
    return None if row is None else _certificate(row)


async def load_by_holder(
    connection: Connection, *, holder_code: str, holder_code_type: str, type_code: str | None, limit: int
) -> list[Certificate]:
    """Load a holder's certificates, newest first."""
    gathering = Gathering()
    write_by_holder(
        gathering,
        holder_code=holder_code,
        holder_code_type=holder_code_type,
        type_code=type_code,
        limit=limit,
    )
    return read_certificates((await gathering.run(connection))[0])


def write_by_holder(
    gathering: Gathering, *, holder_code: str, holder_code_type: str, type_code: str | None, limit: int
) -> int:
    """Write the reading of a holder's certificates, newest first, for `read_certificates`."""
    place = gathering.place
    of_type = "" if type_code is None else f" AND c.type_code = {place(type_code)}"
    return gathering.add(
        f"SELECT {', '.join(_DESCRIBED)} FROM certs.described_certificate c"
        f" WHERE c.holder_code = {place(holder_code)}"
        f" AND c.holder_code_type = {place(holder_code_type)}{of_type}"
        f" ORDER BY c.created_at DESC, c.identifier LIMIT {place(limit)}"
    )


def read_certificates(rows: Sequence[Row]) -> list[Certificate]:
    """Read what the statement of `write_by_holder` found."""
    return [_certificate(dict(zip(_DESCRIBED, row, strict=True))) for row in rows]


async def load_changes(connection: Connection, *, identifier: str) -> list[StatusChange]:
    """Load the life of a certificate, oldest step first."""
    rows = await connection.fetch(
        "SELECT * FROM certs.status_change WHERE identifier = $1 ORDER BY changed_at, id", identifier
    )
    return [
        StatusChange(
            identifier=row["identifier"],
            from_status=None if row["from_status"] is None else CertificateStatus(row["from_status"]),
            to_status=CertificateStatus(row["to_status"]),
            reason=row["reason"],
            organisation_code=OrganisationCode(row["organisation_code"]),
            system_id=row["system_id"],
            changed_at=row["changed_at"],
        )
        for row in rows
    ]


_DESCRIBED: Final = (
    *("identifier", "type_code", "type_version", "type_name", "number", "version"),
    *("holder_name", "holder_code", "holder_code_type", "issuer_code", "issuer_name", "status"),
    *("predecessor", "successor", "issued_on", "valid_from", "valid_until", "data", "qr_payload"),
    *("service_item", "case_number", "seal_id", "object_key", "object_offset", "size_bytes"),
    *("digest_sm3", "sealed_sm3", "created_at"),
)


def _certificate(row: asyncpg.Record | dict[str, Any]) -> Certificate:
    fields = dict(row)
    fields["holder"] = Holder(
        name=fields.pop("holder_name"),
        code=fields.pop("holder_code"),
        code_type=HolderCodeType(fields.pop("holder_code_type")),
    )
    fields["status"] = CertificateStatus(row["status"])
    fields["issuer_code"] = OrganisationCode(row["issuer_code"])
    return Certificate(**fields)
