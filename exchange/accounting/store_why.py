"""The SQL that says why a key differs: what the quarantine and the change log know of it."""

from __future__ import annotations

from collections.abc import Sequence

from core.database import Connection
from core.database.names import quote_name
from exchange.accounting.model import Verdict
from exchange.catalogue.model import Resource
from exchange.catalogue.store import VERSION_COLUMN, changes_of, table_of
from exchange.publish.store_staging import text_of

_WORDS = {"insert": "inserted", "update": "last changed", "delete": "deleted"}


def key_text(resource: Resource, row: str) -> str:
    """Write the SQL of a row's key as text; `row` is an alias, or a composite in brackets."""
    texts = [
        f"coalesce({text_of(item, f'{row}.{quote_name(item.name)}')}, '')" for item in resource.key_items
    ]
    return " || E'\\x1f' || ".join(texts)


def _changes(resource: Resource) -> str:
    return (
        "(SELECT _version, _sequence, _operation,"
        " CASE WHEN _operation = 'delete' THEN _before ELSE _after END AS r"
        f" FROM {changes_of(resource.code)})"
    )


async def explain(
    connection: Connection, *, resource: Resource, keys: Sequence[str], with_rejects: bool
) -> dict[str, list[str]]:
    """Say of each key what was last done to it, and whether a row of it waits in quarantine."""
    if not keys:
        return {}
    said: dict[str, list[str]] = {}
    text = key_text(resource, "(c.r)")
    rows = await connection.fetch(
        f"SELECT DISTINCT ON (1) {text} AS key, c._version, c._operation, v.committed_at"
        f" FROM {_changes(resource)} c LEFT JOIN exchange.version v"
        f" ON v.resource_code = $2 AND v.version = c._version WHERE {text} = ANY($1::text[])"
        " ORDER BY 1, c._version DESC, c._sequence DESC",
        keys,
        resource.code,
        timeout=None,
    )
    for row in rows:
        at = "" if row["committed_at"] is None else f" at {row['committed_at'].isoformat(timespec='seconds')}"
        said.setdefault(row["key"], []).append(
            f"{_WORDS[row['_operation']]} in version {row['_version']}{at}"
        )
    if with_rejects:
        refused = await connection.fetch(
            "SELECT key_text AS key, batch_id, row_number, reasons FROM exchange.reject"
            " WHERE resource_code = $1 AND key_text = ANY($2::text[]) AND closed_at IS NULL",
            resource.code,
            keys,
        )
        for row in refused:
            codes = ", ".join(reason["code"] for reason in row["reasons"])
            said.setdefault(row["key"], []).append(
                f"refused in batch {row['batch_id']}, row {row['row_number']}: {codes}"
            )
    return said


async def compare_with_changes(
    connection: Connection, *, resource: Resource, limit: int
) -> list[tuple[str, Verdict]]:
    """Compare the current rows (left) with the change log played back (right): (key, verdict).

    Rows whose last change was pruned with its partition cannot be compared and are passed over.
    """
    same = " AND ".join(
        f"(l.r).{quote_name(item.name)} = t.{quote_name(item.name)}" for item in resource.key_items
    )
    keys = ", ".join(f"(c.r).{quote_name(item.name)}" for item in resource.key_items)
    rows = await connection.fetch(
        f"WITH last AS (SELECT DISTINCT ON ({keys}) c.r, c._operation FROM {_changes(resource)} c"
        f" ORDER BY {keys}, c._version DESC, c._sequence DESC),"
        " alive AS (SELECT r FROM last WHERE _operation <> 'delete'),"
        f" kept AS (SELECT coalesce(min(_version), 0) AS first FROM {changes_of(resource.code)})"
        f" SELECT coalesce({key_text(resource, 't')}, {key_text(resource, '(l.r)')}) AS by_current,"
        f" {key_text(resource, '(l.r)')} AS by_change, t.{VERSION_COLUMN} IS NOT NULL AS is_current,"
        f" (l.r).{VERSION_COLUMN} IS NOT NULL AS is_changed"
        f" FROM alive l FULL JOIN {table_of(resource.code)} t ON {same}"
        f" WHERE l.r IS DISTINCT FROM t AND (t.{VERSION_COLUMN} IS NULL OR (l.r).{VERSION_COLUMN} IS NOT NULL"
        f" OR t.{VERSION_COLUMN} >= (SELECT first FROM kept)) ORDER BY 1, 2 LIMIT $1",
        limit,
        timeout=None,
    )
    found = []
    for row in rows:
        if row["is_current"] and row["is_changed"]:
            found.append((row["by_current"], Verdict.CHANGED))
        elif row["is_current"]:
            found.append((row["by_current"], Verdict.ONLY_LEFT))
        else:
            found.append((row["by_change"], Verdict.ONLY_RIGHT))
    return found
