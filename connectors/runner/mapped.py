"""What the state keeps of mappings: each version that rows went through, and how well values fitted it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors.mapping.apply import ColumnCount, Mapper

MAX_CODES: Final = 1000
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mapping (
    number INTEGER PRIMARY KEY,
    version INTEGER,
    digest TEXT NOT NULL,
    from_parcel INTEGER NOT NULL,
    since TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS hit (
    mapping INTEGER NOT NULL REFERENCES mapping,
    name TEXT NOT NULL,
    cells INTEGER NOT NULL,
    nulls INTEGER NOT NULL,
    fitting INTEGER NOT NULL,
    PRIMARY KEY (mapping, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unknown_code (
    mapping INTEGER NOT NULL REFERENCES mapping,
    name TEXT NOT NULL,
    code TEXT NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (mapping, name, code)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingChange:
    """A mapping that is not that of the run before. None is the version of having no mapping."""

    before: int | None
    after: int | None

    @property
    def is_raised(self) -> bool:
        """Tell whether the version says that the mapping changed."""
        return self.before != self.after


def digest_mapping(mapper: Mapper | None) -> str:
    """Return the SHA-256 of what a mapping says, in hexadecimal; nothing for none."""
    if mapper is None:
        return ""
    document = mapper.document.model_dump(mode="json", by_alias=True)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def enter_mapping(
    connection: sqlite3.Connection, mapper: Mapper | None, *, next_parcel: int
) -> MappingChange | None:
    """Note which mapping rows go through from now on; tell where it differs from the one before.

    The first mapping of a state is no change.
    """
    version, digest = None if mapper is None else mapper.document.version, digest_mapping(mapper)
    before = connection.execute("SELECT version, digest FROM mapping ORDER BY number DESC LIMIT 1").fetchone()
    if before == (version, digest):
        return None
    connection.execute(
        "INSERT INTO mapping (version, digest, from_parcel, since) VALUES (?, ?, ?, ?)",
        [version, digest, next_parcel, datetime.now(UTC).isoformat(timespec="seconds")],
    )
    return None if before is None else MappingChange(before=before[0], after=version)


def save_counts(connection: sqlite3.Connection, counts: Mapping[str, ColumnCount]) -> None:
    """Add what one read counted to the newest mapping. Rows that are read again are counted again."""
    (number,) = connection.execute("SELECT max(number) FROM mapping").fetchone()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO hit VALUES (?, ?, ?, ?, ?) ON CONFLICT (mapping, name) DO UPDATE SET"
        " cells = cells + excluded.cells, nulls = nulls + excluded.nulls,"
        " fitting = fitting + excluded.fitting",
        [(number, name, c.values, c.nulls, c.fitting) for name, c in counts.items()],
    )
    codes = [(number, name, code, n) for name, c in counts.items() for code, n in c.unknown_codes.items()]
    connection.executemany(
        "INSERT INTO unknown_code SELECT ?1, ?2, ?3, ?4 WHERE"
        " (SELECT count(*) FROM unknown_code WHERE mapping = ?1 AND name = ?2) < ?5"
        " OR EXISTS (SELECT 1 FROM unknown_code WHERE mapping = ?1 AND name = ?2 AND code = ?3)"
        " ON CONFLICT (mapping, name, code) DO UPDATE SET seen = seen + excluded.seen",
        [(*code, MAX_CODES) for code in codes],
    )
    connection.execute("COMMIT")


def tell_counts(counts: Mapping[str, ColumnCount]) -> dict[str, dict[str, Any]]:
    """Say what a read counted, without a value of a row: codes that nobody knows are counted only."""
    return {
        name: {
            "values": count.values,
            "nulls": count.nulls,
            "hit_rate": None if count.hit_rate is None else round(count.hit_rate, 4),
            "unknown_codes": len(count.unknown_codes),
            "rows_of_unknown_codes": sum(count.unknown_codes.values()),
        }
        for name, count in counts.items()
    }


def load_mappings(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """List the mappings that rows went through, newest first: version, first parcel, since when, hits."""
    found = []
    rows = connection.execute(
        "SELECT number, version, from_parcel, since FROM mapping ORDER BY number DESC"
    ).fetchall()
    for number, version, from_parcel, since in rows:
        columns = {
            name: {"values": cells, "nulls": nulls, "fitting": fitting, "unknown_codes": {}}
            for name, cells, nulls, fitting in connection.execute(
                "SELECT name, cells, nulls, fitting FROM hit WHERE mapping = ?", [number]
            )
        }
        for name, code, seen in connection.execute(
            "SELECT name, code, seen FROM unknown_code WHERE mapping = ? ORDER BY seen DESC, code", [number]
        ):
            columns[name]["unknown_codes"][code] = seen
        told = {"version": version, "from_parcel": from_parcel, "since": since, "columns": columns}
        found.append(told)
    return found
