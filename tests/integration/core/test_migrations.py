"""Migrations: once each, safe from several processes, and honest about files that were edited."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.database import Database
from core.database.migrate import Migration, apply_migrations, load_migrations
from core.errors import Conflict, Unavailable
from hub.services import MIGRATED_PACKAGES


@pytest.fixture
async def empty(database_url: str):  # type: ignore[no-untyped-def]
    opened = await Database.connect(database_url, pool_size=4, timeout_s=10)
    yield opened
    await opened.close()


async def test_migrations_from_two_processes_at_once_apply_once(database_url: str) -> None:
    migrations = load_migrations(MIGRATED_PACKAGES)
    pools = [await Database.connect(database_url, pool_size=2, timeout_s=10) for _ in range(3)]
    try:
        applied = await asyncio.gather(*(apply_migrations(pool, migrations) for pool in pools))
    finally:
        for pool in pools:
            await pool.close()
    assert sorted(len(done) for done in applied) == [0, 0, len(migrations)]


async def test_migration_that_fails_leaves_nothing_and_later_ones_wait(empty: Database) -> None:
    good = Migration(package="x", name="0001_a.sql", sql="CREATE TABLE public.a (n int)")
    bad = Migration(
        package="x", name="0002_b.sql", sql="CREATE TABLE public.b (n int); SELECT no_such_function()"
    )
    with pytest.raises(Exception, match="no_such_function"):
        await apply_migrations(empty, [good, bad])
    async with empty.acquire() as connection:
        assert await connection.fetchval("SELECT to_regclass('public.a')") is not None
        assert await connection.fetchval("SELECT to_regclass('public.b')") is None
    assert await apply_migrations(empty, [good]) == []


async def test_migration_edited_after_it_was_applied_is_refused(empty: Database) -> None:
    first = Migration(package="x", name="0001_a.sql", sql="CREATE TABLE public.a (n int)")
    await apply_migrations(empty, [first])
    with pytest.raises(Conflict, match="changed after it was applied"):
        await apply_migrations(empty, [replace(first, sql=first.sql + " ")])


async def test_connect_to_a_database_that_is_down_says_what_to_check_and_no_password() -> None:
    with pytest.raises(Unavailable, match="SHUZHENG_DATABASE_URL") as caught:
        await Database.connect("postgresql://u:s3cr3t@127.0.0.1:9/none", pool_size=2, timeout_s=2)
    assert "s3cr3t" not in str(caught.value)


_INDEXES = """
SELECT i.indrelid::regclass::text AS owner, i.indexrelid::regclass::text AS name,
       regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast')
ORDER BY 1, 2
"""


async def test_no_two_indexes_of_a_table_are_the_same(empty: Database) -> None:
    await apply_migrations(empty, load_migrations(MIGRATED_PACKAGES))
    async with empty.acquire() as connection:
        indexes = await connection.fetch(_INDEXES)
    by_definition: dict[tuple[str, str], list[str]] = {}
    for index in indexes:
        by_definition.setdefault((index["owner"], index["definition"]), []).append(index["name"])
    assert len(by_definition) > 100
    assert [names for names in by_definition.values() if len(names) > 1] == []
