"""A database administrator alters, deletes or inserts any row of the log: the self-check names the row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.log.anchor import Anchor
from core.log.findings import CheckReport
from core.log.selfcheck import SelfCheck
from hub.services import utc_now
from tests.integration.core.tampered_log import (
    ALTERED,
    COLUMNS,
    ELSEWHERE,
    MISSED,
    UNALTERABLE,
    Scene,
    build,
)


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory, postgres) -> AsyncIterator[Scene]:  # type: ignore[no-untyped-def]
    """A log in which every table has rows, built once; each test undoes what it did."""
    from pydantic import SecretStr

    from core.settings import Settings
    from hub.services import open_services

    admin = await asyncpg.connect(postgres.url)
    await admin.execute('CREATE DATABASE "tampering"')
    settings = Settings(
        home=tmp_path_factory.mktemp("tampering"),
        database_url=SecretStr(postgres.url.replace("/postgres?", "/tampering?", 1)),
        database_pool_size=6,
        log_check_hour=-1,
        public_url="http://hub.test",
    ).model_copy(update={"log_interval_s": 86_400.0})  # longer than settings allow: nothing moves by itself
    try:
        async with open_services(settings) as services:
            await asyncio.sleep(0.3)
            await build(services)
            report = await services.log.check.assess()
            assert report.is_whole, report.findings
            yield Scene(services=services, check=services.log.check)
    finally:
        await admin.execute('DROP DATABASE "tampering" WITH (FORCE)')
        await admin.close()


@pytest.fixture
async def administrator(scene: Scene) -> AsyncIterator[asyncpg.Connection]:
    """A connection with which to do anything; what was done is put back afterwards."""
    async with scene.services.database.acquire() as connection:
        tables = [*ALTERED]
        for table in tables:
            await connection.execute(f"CREATE TEMP TABLE {table.split('.')[1]}_kept AS TABLE {table}")
        try:
            yield connection
        finally:
            for table in tables:
                name = table.split(".")[1]
                await connection.execute(f"DELETE FROM {table}")
                await connection.execute(f"INSERT INTO {table} SELECT * FROM {name}_kept")
                await connection.execute(f"DROP TABLE {name}_kept")


async def test_every_column_of_every_table_of_the_log_is_altered_here(scene: Scene) -> None:
    async with scene.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT 'core.' || table_name AS t, column_name AS c FROM information_schema.columns"
            " WHERE table_schema = 'core' AND table_name LIKE 'log\\_%'"
        )
    assert {(row["t"], row["c"]) for row in rows} - UNALTERABLE == set(COLUMNS)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
async def test_altering_one_row_of_a_column_is_named(
    scene: Scene, administrator: asyncpg.Connection, table: str, column: str
) -> None:
    rows = await administrator.fetch(f"SELECT ctid FROM {table}")
    picked = {0, len(rows) // 2, len(rows) - 1}
    for place in sorted(picked):
        ctid = (await administrator.fetch(f"SELECT ctid FROM {table} ORDER BY ctid"))[place]["ctid"]
        before = await administrator.fetchrow(f"SELECT {column} AS value FROM {table} WHERE ctid = $1", ctid)
        await administrator.execute(
            f"UPDATE {table} SET {column} = {ALTERED[table][column]} WHERE ctid = $1", ctid
        )
        report = await scene.check.assess()
        assert not report.is_whole, f"{table}.{column}: {before}"
        named = {finding.table for finding in report.findings}
        assert named & {table, ELSEWHERE.get((table, column), table)}, report.findings
        await restore(administrator)


async def restore(administrator: asyncpg.Connection) -> None:
    for table in ALTERED:
        await administrator.execute(f"DELETE FROM {table}")
        await administrator.execute(f"INSERT INTO {table} SELECT * FROM {table.split('.')[1]}_kept")


@pytest.mark.parametrize("table", [*ALTERED])
async def test_deleting_any_row_is_named(scene: Scene, administrator: asyncpg.Connection, table: str) -> None:
    for place in range(await administrator.fetchval(f"SELECT count(*) FROM {table}")):
        ctid = (await administrator.fetch(f"SELECT ctid FROM {table} ORDER BY ctid"))[place]["ctid"]
        gone = await administrator.fetchrow(f"DELETE FROM {table} WHERE ctid = $1 RETURNING *", ctid)
        report = await scene.check.assess()
        named = {finding.table for finding in report.findings}
        assert named & {table, MISSED.get(table, table)}, (gone, report.findings)
        kept = f"{table.split('.')[1]}_kept"
        await administrator.execute(f"INSERT INTO {table} SELECT * FROM {kept} EXCEPT TABLE {table}")


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        (
            (
                "INSERT INTO core.log_leaf SELECT gen_random_uuid(), now(), event,"
                " organisation_code, system_id,"
                " operator, service_item, case_number, on_behalf_of, resource_code, grant_id, certificate_id,"
                " subject_hmac, body, leaf_hash, owner_code, subjects FROM core.log_leaf LIMIT 1"
            ),
            "core.log_leaf",
        ),
        (
            (
                "INSERT INTO core.log_entry SELECT max(leaf_index) + 1, gen_random_uuid(), max(leaf_hash)"
                " FROM core.log_entry"
            ),
            "core.log_leaf",
        ),
        ("INSERT INTO core.log_node SELECT 9, 77, hash FROM core.log_node LIMIT 1", "core.log_node"),
        (
            (
                "INSERT INTO core.log_checkpoint SELECT 3, root_hash, note, signed_at FROM"
                " core.log_checkpoint"
                " WHERE tree_size <> 3 LIMIT 1 ON CONFLICT (tree_size) DO UPDATE SET note = EXCLUDED.note"
            ),
            "core.log_checkpoint",
        ),
        (
            "INSERT INTO core.log_pending (recorded_at, leaf_id) VALUES (now(), gen_random_uuid())",
            "core.log_pending",
        ),
        (r"INSERT INTO core.log_chain VALUES ('\x01', 1, 2)", "core.log_chain"),
        ("INSERT INTO core.log_witness VALUES ('x', 'x')", "core.log_witness"),
        ("INSERT INTO core.log_cosignature VALUES (3, 'x', 'x')", "core.log_cosignature"),
        (r"INSERT INTO core.log_time_stamp VALUES (3, '\x01')", "core.log_time_stamp"),
        ("INSERT INTO core.log_drop VALUES (9, gen_random_uuid())", "core.log_drop"),
    ],
)
async def test_inserting_a_row_is_named(
    scene: Scene, administrator: asyncpg.Connection, sql: str, table: str
) -> None:
    await administrator.execute(sql)
    assert table in await scene.names()


async def test_leaf_altered_with_hash_entry_and_nodes_breaks_the_signed_heads(
    scene: Scene, administrator: asyncpg.Connection
) -> None:
    """Whoever recomputes everything below the heads still lacks the key that signs them."""
    suite = scene.services.log.heads.suite
    row = await administrator.fetchrow(
        "SELECT l.id, l.body, e.leaf_index FROM core.log_leaf l JOIN core.log_entry e ON e.leaf_id = l.id"
        " WHERE l.event = 'audit.read' AND l.subject_hmac IS NULL AND l.subjects IS NULL LIMIT 1"
    )
    members = json.loads(row["body"])
    members["details"]["leaves"] = 999
    body = json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    leaf_hash = suite.leaf_hash(body.encode())
    await administrator.execute(
        "UPDATE core.log_leaf SET body = $2, leaf_hash = $3 WHERE id = $1", row["id"], body, leaf_hash
    )
    await administrator.execute(
        "UPDATE core.log_entry SET leaf_hash = $2 WHERE leaf_index = $1", row["leaf_index"], leaf_hash
    )
    await recompute_nodes(administrator, suite, row["leaf_index"])
    report = await scene.check.assess()
    assert {finding.table for finding in report.findings} == {"core.log_checkpoint", "core.log_entry"}
    assert any("this hub signed another tree" in finding.problem for finding in report.findings)
    assert await cannot_continue(scene)


async def recompute_nodes(administrator: asyncpg.Connection, suite, index: int) -> None:  # type: ignore[no-untyped-def]
    level = 0
    while True:
        table, key = (
            ("SELECT leaf_hash FROM core.log_entry WHERE leaf_index = $1", ())
            if level == 0
            else ("SELECT hash FROM core.log_node WHERE node_index = $1 AND level = $2", (level,))
        )
        left = await administrator.fetchval(table, index & ~1, *key)
        right = await administrator.fetchval(table, index | 1, *key)
        if left is None or right is None:
            return
        level, index = level + 1, index >> 1
        await administrator.execute(
            "UPDATE core.log_node SET hash = $3 WHERE level = $1 AND node_index = $2",
            level,
            index,
            suite.node_hash(left, right),
        )


async def cannot_continue(scene: Scene) -> bool:
    from core.errors import Conflict

    try:
        await scene.services.log.sequencer.integrate_once()
    except Conflict:
        return True
    return False


async def test_log_put_back_to_an_earlier_head_is_noticed(
    scene: Scene, administrator: asyncpg.Connection
) -> None:
    earlier = await administrator.fetchval(
        "SELECT tree_size FROM core.log_checkpoint ORDER BY tree_size DESC OFFSET 2 LIMIT 1"
    )
    await administrator.execute("DELETE FROM core.log_checkpoint WHERE tree_size > $1", earlier)
    await administrator.execute(
        "DELETE FROM core.log_leaf WHERE id IN (SELECT leaf_id FROM core.log_entry WHERE leaf_index >= $1)",
        earlier,
    )
    for table in ("log_entry", "log_chain"):
        await administrator.execute(f"DELETE FROM core.{table} WHERE leaf_index >= $1", earlier)
    await administrator.execute("DELETE FROM core.log_node WHERE node_index >= $1::bigint >> level", earlier)
    await administrator.execute("TRUNCATE core.log_pending")
    await administrator.execute(
        "DELETE FROM core.log_leaf l WHERE NOT EXISTS (SELECT FROM core.log_entry e WHERE e.leaf_id = l.id)"
    )
    report: CheckReport = await scene.check.assess()
    assert any("this hub signed a tree of" in finding.problem for finding in report.findings)
    blind = SelfCheck(
        database=scene.services.database,
        log=scene.services.log_writer,
        heads=scene.services.log.heads.verifier,
        anchor=Anchor(None),
        now=utc_now,
    )
    problems = [finding.problem for finding in (await blind.assess()).findings]
    assert not any("this hub signed" in problem for problem in problems), "only the anchor can know"


async def test_outcome_of_a_check_is_an_event_with_its_findings(
    scene: Scene, administrator: asyncpg.Connection
) -> None:
    await administrator.execute("UPDATE core.log_node SET level = 50 WHERE level = 1 AND node_index = 0")
    report = await scene.check.run_recorded()
    kept = (await scene.check.load_checks())[0]
    assert kept["findings"] == report.findings_count > 0
    assert any("core.log_node level=50" in str(each) for each in kept["first_findings"])  # type: ignore[attr-defined]
