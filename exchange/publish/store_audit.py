"""What the log's self-check compares of versions with the leaves that record them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.database import Connection
from core.log.event_tables import EventTable, RecordedRow
from core.log.model import Event

_COLUMNS: Final = {
    "mode": "mode",
    "received_rows": "received",
    "accepted_rows": "accepted",
    "rejected_rows": "rejected",
    "inserted_rows": "inserted",
    "updated_rows": "updated",
    "unchanged_rows": "unchanged",
    "deleted_rows": "deleted",
    "missing_rows": "missing",
    "current_rows": "current_rows",
}


async def load_versions(connection: Connection) -> list[RecordedRow]:
    """Load every version's accounting."""
    rows = await connection.fetch(
        f"SELECT resource_code, version, batch_id, {', '.join(_COLUMNS)} FROM exchange.version"
    )
    return [
        RecordedRow(
            key=f"resource_code={row['resource_code']} version={row['version']}",
            values={"batch_id": str(row["batch_id"])} | {name: row[name] for name in _COLUMNS},
        )
        for row in rows
    ]


def read_leaf(members: Mapping[str, Any]) -> RecordedRow | None:
    """Read the accounting out of a leaf; a batch without a good row made no version."""
    details = members["details"]
    if details.get("version") is None:
        return None
    return RecordedRow(
        key=f"resource_code={members['resource']} version={details['version']}",
        values={"batch_id": details["batch"]} | {name: details[there] for name, there in _COLUMNS.items()},
    )


VERSIONS: Final = EventTable(
    name="exchange.version", events=(Event.BATCH_PUBLISHED,), load=load_versions, read=read_leaf
)
