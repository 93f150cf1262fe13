"""SQL of those who vouch for the log: witnesses, their cosignatures, time stamps."""

from __future__ import annotations

import asyncpg

from core.database import Connection
from core.errors import Conflict, NotFound
from core.log.model import Checkpoint, Event, Witness
from core.log.store import read_checkpoint

_OWN_EVENTS = (Event.CHECKPOINT_TIME_STAMPED, Event.CHECKPOINT_COSIGNED)


async def save_witness(connection: Connection, *, name: str, verifier_key: str) -> None:
    """Insert a witness. Raises Conflict where the name was used before."""
    try:
        await connection.execute(
            "INSERT INTO core.log_witness (name, verifier_key) VALUES ($1, $2)", name, verifier_key
        )
    except asyncpg.UniqueViolationError as taken:
        msg = "a witness of that name is or was registered; a new key gets a new name"
        raise Conflict(msg) from taken


async def retire_witness(connection: Connection, *, name: str) -> str:
    """Retire a witness and return its key. Raises NotFound."""
    key: str | None = await connection.fetchval(
        "UPDATE core.log_witness SET is_retired = true WHERE name = $1 AND NOT is_retired"
        " RETURNING verifier_key",
        name,
    )
    if key is None:
        msg = "there is no such witness in service"
        raise NotFound(msg)
    return key


async def load_witnesses(connection: Connection) -> list[Witness]:
    """Load all witnesses, by name."""
    rows = await connection.fetch("SELECT name, verifier_key, is_retired FROM core.log_witness ORDER BY name")
    return [Witness(name=r["name"], verifier_key=r["verifier_key"], is_retired=r["is_retired"]) for r in rows]


async def save_cosignature(connection: Connection, *, tree_size: int, witness: str, line: str) -> bool:
    """Insert a cosignature; False where the witness has cosigned that head before."""
    return bool(
        await connection.fetchval(
            "INSERT INTO core.log_cosignature (tree_size, witness, line) VALUES ($1, $2, $3)"
            " ON CONFLICT DO NOTHING RETURNING true",
            tree_size,
            witness,
            line,
        )
    )


async def load_cosignature_lines(connection: Connection, *, tree_size: int) -> list[str]:
    """Load the cosignature lines of a head, by witness."""
    rows = await connection.fetch(
        "SELECT line FROM core.log_cosignature WHERE tree_size = $1 ORDER BY witness", tree_size
    )
    return [row["line"] for row in rows]


async def load_cosigned_checkpoint(connection: Connection, *, witnesses: int) -> Checkpoint | None:
    """Load the newest head that at least `witnesses` witnesses have cosigned."""
    row = await connection.fetchrow(
        "SELECT c.* FROM core.log_checkpoint c WHERE tree_size = (SELECT tree_size FROM core.log_cosignature"
        " GROUP BY tree_size HAVING count(*) >= $1 ORDER BY tree_size DESC LIMIT 1)",
        witnesses,
    )
    return None if row is None else read_checkpoint(row)


async def save_time_stamp(connection: Connection, *, tree_size: int, token: bytes) -> bool:
    """Insert a time stamp; False where another process has stamped that head."""
    return bool(
        await connection.fetchval(
            "INSERT INTO core.log_time_stamp (tree_size, token) VALUES ($1, $2)"
            " ON CONFLICT DO NOTHING RETURNING true",
            tree_size,
            token,
        )
    )


async def load_stamped_size(connection: Connection) -> int:
    """Load the size of the newest stamped head; 0 where none is."""
    return int(await connection.fetchval("SELECT coalesce(max(tree_size), 0) FROM core.log_time_stamp"))


async def load_time_stamp(connection: Connection, *, tree_size: int) -> tuple[int, bytes] | None:
    """Load the first time stamp on a head of `tree_size` leaves or more: that head's size and the token."""
    row = await connection.fetchrow(
        "SELECT tree_size, token FROM core.log_time_stamp WHERE tree_size >= $1 ORDER BY tree_size LIMIT 1",
        tree_size,
    )
    return None if row is None else (row["tree_size"], row["token"])


async def is_only_own_work(connection: Connection, *, first: int, end: int) -> bool:
    """Tell whether the leaves from `first` to `end` only record time stamps and cosignatures."""
    return not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM core.log_entry e LEFT JOIN core.log_leaf l ON l.id = e.leaf_id"
        " WHERE e.leaf_index >= $1 AND e.leaf_index < $2"
        " AND (l.event IS NULL OR l.event <> ALL($3::text[])))",
        first,
        end,
        [str(event) for event in _OWN_EVENTS],
    )
