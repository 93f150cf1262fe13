"""What the log's self-check compares of certificates' lives with the leaves that record them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.database import Connection
from core.log.event_tables import EventTable, RecordedRow
from core.log.model import Event


async def load_status_changes(connection: Connection) -> list[RecordedRow]:
    """Load every step of every certificate but its issuing, which `load_issued` holds against its leaf."""
    rows = await connection.fetch(
        "SELECT identifier, from_status, to_status, reason, organisation_code, system_id"
        " FROM certs.status_change WHERE from_status IS NOT NULL"
    )
    return [
        RecordedRow(
            key=f"identifier={row['identifier']}",
            values={
                "from_status": row["from_status"],
                "to_status": row["to_status"],
                "reason": row["reason"],
                "organisation_code": row["organisation_code"],
                "system_id": str(row["system_id"]),
            },
        )
        for row in rows
    ]


def read_status_change(members: Mapping[str, Any]) -> RecordedRow:
    """Read a step out of its leaf."""
    details = members["details"]
    return RecordedRow(
        key=f"identifier={members['certificate']}",
        values={
            "from_status": details["from"],
            "to_status": details["to"],
            "reason": details["reason"],
            "organisation_code": members["organisation"],
            "system_id": members["system"],
        },
    )


async def load_issued(connection: Connection) -> list[RecordedRow]:
    """Load what identifies every certificate and its file."""
    rows = await connection.fetch(
        "SELECT identifier, type_code, version, digest_sm3, sealed_sm3, seal_id, issuer_code, predecessor"
        " FROM certs.certificate"
    )
    return [
        RecordedRow(
            key=f"identifier={row['identifier']}",
            values={
                "type_code": row["type_code"],
                "version": row["version"],
                "digest_sm3": row["digest_sm3"].hex(),
                "sealed_sm3": row["sealed_sm3"].hex(),
                "seal_id": str(row["seal_id"]),
                "issuer_code": row["issuer_code"],
                "predecessor": row["predecessor"],
            },
        )
        for row in rows
    ]


def read_issued(members: Mapping[str, Any]) -> RecordedRow:
    """Read a certificate's issuing out of its leaf."""
    details = members["details"]
    return RecordedRow(
        key=f"identifier={members['certificate']}",
        values={
            "type_code": details["type"],
            "version": details["version"],
            "digest_sm3": details["digest_sm3"],
            "sealed_sm3": details["sealed_sm3"],
            "seal_id": details["seal"],
            "issuer_code": members["organisation"],
            "predecessor": details.get("predecessor"),
        },
    )


STATUS_CHANGES: Final = EventTable(
    name="certs.status_change",
    events=(Event.CERTIFICATE_STATUS_CHANGED,),
    load=load_status_changes,
    read=read_status_change,
)
CERTIFICATES: Final = EventTable(
    name="certs.certificate", events=(Event.CERTIFICATE_ISSUED,), load=load_issued, read=read_issued
)
