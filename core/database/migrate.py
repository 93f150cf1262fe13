"""Ordered SQL files, applied once each, safe when several processes start together.

Files are `NNNN_name.sql` in a package's `migrations` folder; packages are given lowest floor first. Each
file runs in a transaction of its own under one advisory lock, and its SM3 digest is kept, so that a
file edited after it was applied is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from core.database.pool import Connection, Database
from core.errors import Conflict
from signing import sm3

ADVISORY_LOCK = 0x5348555A48454E47  # "SHUZHENG"
_FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_LEDGER = """
CREATE TABLE IF NOT EXISTS public.shuzheng_migration (
    package    text        NOT NULL,
    name       text        NOT NULL,
    digest_sm3 text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, name)
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One SQL file of one package."""

    package: str
    name: str
    sql: str

    @property
    def digest_sm3(self) -> str:
        """SM3 of the file's text, in hex."""
        return sm3.digest(self.sql.encode()).hex()


def load_migrations(packages: Sequence[str]) -> list[Migration]:
    """Read the migrations of `packages`, in the order given and by file name within each."""
    found: list[Migration] = []
    for package in packages:
        folder = files(package) / "migrations"
        names = sorted(entry.name for entry in folder.iterdir() if _FILE_NAME.fullmatch(entry.name))
        found += [
            Migration(package=package, name=name, sql=(folder / name).read_text(encoding="utf-8"))
            for name in names
        ]
    return found


async def apply_migrations(database: Database, migrations: Sequence[Migration]) -> list[Migration]:
    """Apply what is not yet applied and return it. Raises Conflict where an applied file was edited."""
    async with database.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        try:
            await connection.execute(_LEDGER)
            return [m for m in migrations if await _apply(connection, m)]
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", ADVISORY_LOCK)


async def _apply(connection: Connection, migration: Migration) -> bool:
    known = await connection.fetchval(
        "SELECT digest_sm3 FROM public.shuzheng_migration WHERE package = $1 AND name = $2",
        migration.package,
        migration.name,
    )
    if known == migration.digest_sm3:
        return False
    if known is not None:
        msg = (
            f"migration {migration.package}/{migration.name} was changed after it was applied; "
            "restore the file and write a new one instead"
        )
        raise Conflict(msg)
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO public.shuzheng_migration (package, name, digest_sm3) VALUES ($1, $2, $3)",
            migration.package,
            migration.name,
            migration.digest_sm3,
        )
    return True
