"""All SQL of pruning change logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from core.database import Connection
from core.database.names import quote_name
from exchange.catalogue.store import CHANGES_PER_PARTITION, changes_of

LOCK_WAIT = "5s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition of a resource's change log; `is_detached` where a pruning was interrupted."""

    resource_code: str
    first_version: int
    is_detached: bool

    @property
    def name(self) -> str:
        """The name of its table in the schema `data`."""
        return f"{self.resource_code}__changes_{self.first_version}"

    @property
    def last_version(self) -> int:
        """The last version that it may hold."""
        return self.first_version + CHANGES_PER_PARTITION - 1


async def load_ripe_partitions(connection: Connection, *, cutoff: datetime) -> list[Partition]:
    """Load partitions that are full, accounted for, and older than `cutoff`."""
    rows = await connection.fetch(
        "SELECT r.code, p.first, i.inhrelid IS NULL OR i.inhdetachpending AS is_detached"
        " FROM exchange.resource r CROSS JOIN LATERAL (SELECT n * $2::bigint AS first"
        " FROM generate_series(0, r.current_version / $2::bigint - 1) n) p"
        " JOIN pg_class c ON c.relname = r.code || '__changes_' || p.first"
        " AND c.relnamespace = 'data'::regnamespace LEFT JOIN pg_inherits i ON i.inhrelid = c.oid"
        " WHERE NOT EXISTS (SELECT FROM exchange.version v WHERE v.resource_code = r.code"
        " AND v.version >= p.first AND v.version < p.first + $2::bigint"
        " AND (v.committed_at >= $1 OR NOT EXISTS (SELECT FROM exchange.station_count s"
        " WHERE s.resource_code = v.resource_code AND s.version = v.version AND s.station = 'current')))"
        " ORDER BY r.code, p.first",
        cutoff,
        CHANGES_PER_PARTITION,
    )
    return [
        Partition(resource_code=row["code"], first_version=row["first"], is_detached=row["is_detached"])
        for row in rows
    ]


async def detach(connection: Connection, *, partition: Partition) -> bool:
    """Take a partition out of its change log without locking readers out; False where it must wait."""
    changes, name = changes_of(partition.resource_code), f"data.{quote_name(partition.name)}"
    await connection.execute(f"SET lock_timeout = '{LOCK_WAIT}'")
    try:
        if not partition.is_detached:
            await connection.execute(f"ALTER TABLE {changes} DETACH PARTITION {name} CONCURRENTLY")
        elif await connection.fetchval(
            "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = $1::text::regclass", name
        ):
            await connection.execute(f"ALTER TABLE {changes} DETACH PARTITION {name} FINALIZE")
    except asyncpg.LockNotAvailableError:
        return False
    finally:
        await connection.execute("RESET lock_timeout")
    return True


async def drop(connection: Connection, *, partition: Partition) -> None:
    """Drop a detached partition."""
    await connection.execute(f"DROP TABLE data.{quote_name(partition.name)}")
