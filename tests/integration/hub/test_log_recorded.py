"""Every row that acts make is recorded: whoever alters, deletes or inserts one in the database is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from pydantic import SecretStr

from core.database.embedded import EmbeddedPostgres
from core.log.check_recorded import check_recorded_tables
from core.log.findings import Finding, Findings
from core.log.model import Event
from core.log.recorded_rows import RecordedTable
from core.log.services import LogServices
from core.settings import Settings
from hub.demo.stage import demo_home
from hub.log import RECORDED_TABLES
from hub.log_alone import open_log
from hub.services import MIGRATED_PACKAGES
from tests.integration.hub.recorded_acts import alter, fill
from tests.integration.hub.test_process import free_port, run_demo

# Tables whose rows no leaf records, and why. Name a new table here or in the `recorded.py` of its package.
UNRECORDED = {
    "core.log_": "the log itself, which the check of the tree covers",
    "core.session": "lives for hours; its leaf names the person",
    "core.token": "lives for minutes; its leaf names the system",
    "core.used_once": "memory against replays, for minutes",
    "exchange.batch": "work in progress and the answer kept for a repeated call; its version is recorded",
    "exchange.batch_progress": "work in progress",
    "exchange.call_window": "counter",
    "exchange.classification_sequence": "counter",
    "exchange.flag": "rows of data, counted in the leaf of their batch",
    "exchange.guard_measure": "lifted and set by the guard; the alert is recorded",
    "exchange.guard_sighting": "memory of the guard, for hours",
    "exchange.guard_volume": "counter",
    "exchange.mismatch_count": "counter",
    "exchange.notice": "a message about an act that is recorded",
    "exchange.quality": "counts that stand in the leaf of their batch",
    "exchange.quota_use": "counter",
    "exchange.reject": "rows of data, counted in the leaf of their batch",
    "exchange.resource_words": "derived from the catalogue",
    "exchange.row_holder": "where corrections are sent; the reading is in the log",
    "exchange.row_write": "an answer kept for a repeated call",
    "exchange.station_count": "counted again whenever stations are compared",
    "exchange.upload": "work in progress",
    "exchange.upload_part": "work in progress",
    "evidence.case_": "each run is in the log with the digest of its answer",
    "evidence.case_fact": "part of a run, whose answer is digested in the log",
    "evidence.case_order": "part of a run, kept under seal until the case is closed",
    "evidence.case_basis": "part of a run, whose answer is digested in the log",
    "evidence.cascade_cursor": "how far versions were followed; what they moved is recorded",
    "evidence.case_run": "counts that stand in the leaf of the run",
    "subscriptions.lake_state": "work in progress",
    "subscriptions.lake_version": "follows versions, which are recorded; reconciled with the table",
    "subscriptions.shared_file": "a cache",
    "subscriptions.filter_change": "former row filters of grants, each of which is recorded",
    "subscriptions.delivery": "holds the hub's own signed manifest; its reading is in the log",
    "certs.download_ticket": "lives for minutes",
    "certs.issue_request": "an answer kept for a repeated call",
    "certs.orphan_candidate": "work in progress",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """The database of a hub after the demo's whole story, in the hands of whoever administers it."""

    log: LogServices

    @asynccontextmanager
    async def tampering(self) -> AsyncIterator[asyncpg.Connection]:  # type: ignore[type-arg]
        """A transaction without triggers and foreign keys, undone at the end."""
        async with self.log.database.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute("SET LOCAL session_replication_role = replica")
                yield connection  # type: ignore[misc]
            finally:
                await transaction.rollback()

    async def find(self, connection: asyncpg.Connection, table: RecordedTable) -> list[Finding]:  # type: ignore[type-arg]
        """Compare one table, as the self-check does."""
        findings = Findings()
        writer = self.log.writer
        await check_recorded_tables(
            connection, [table], tagger=writer.tagger, mask=writer.mask, findings=findings
        )
        return findings.found


@pytest.fixture(scope="module")
async def administrator(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Administrator]:
    admin = await asyncpg.connect(postgres.url)
    await admin.execute('CREATE DATABASE "recorded"')
    url = postgres.url.replace("/postgres?", "/recorded?", 1)
    home = tmp_path_factory.mktemp("recorded")
    try:
        done = await asyncio.to_thread(
            run_demo, home, free_port(), SHUZHENG_DATABASE_URL=url, SHUZHENG_LOG_CHECK_HOUR="-1"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        folder = demo_home(Settings(home=home))
        settings = Settings(home=folder, database_url=SecretStr(url), database_pool_size=4)
        async with open_log(settings) as log:
            async with log.database.acquire() as connection:
                await fill(connection, log.writer)  # type: ignore[arg-type]
            while await log.sequencer.integrate_once():
                pass
            report = await log.check.assess()
            assert report.is_whole, report.findings
            yield Administrator(log=log)
    finally:
        await admin.execute('DROP DATABASE "recorded" WITH (FORCE)')
        await admin.close()


async def test_every_table_is_recorded_or_named_with_a_reason(administrator: Administrator) -> None:
    async with administrator.log.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = ANY($1::text[])",
            list(MIGRATED_PACKAGES),
        )
    recorded = {table.name for table in RECORDED_TABLES}
    named = {name for (name,) in rows if name in UNRECORDED or name.startswith("core.log_")}
    assert {name for (name,) in rows} - named == recorded
    assert not recorded & set(UNRECORDED)


async def load_columns(connection: asyncpg.Connection, table: RecordedTable) -> list[tuple[str, str]]:  # type: ignore[type-arg]
    rows = await connection.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS kind FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table.name,
    )
    return [(row["attname"], row["kind"]) for row in rows if row["attname"] not in table.passing]


async def drop_checks(connection: asyncpg.Connection, table: RecordedTable) -> None:  # type: ignore[type-arg]
    for row in await connection.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'c'", table.name
    ):
        await connection.execute(f"ALTER TABLE {table.name} DROP CONSTRAINT {row[0]}")


@pytest.mark.parametrize("table", RECORDED_TABLES, ids=lambda table: table.name)
async def test_altering_any_column_of_a_recorded_row_is_named(
    administrator: Administrator, table: RecordedTable
) -> None:
    async with administrator.tampering() as connection:
        columns = await load_columns(connection, table)
        await drop_checks(connection, table)
        for column, kind in columns:
            inner = connection.transaction()
            await inner.start()
            await connection.execute(f'ALTER TABLE {table.name} ALTER "{column}" DROP IDENTITY IF EXISTS')
            changed = await connection.execute(
                f'UPDATE {table.name} SET "{column}" = {alter(column, kind)}'
                f" WHERE ctid = (SELECT max(ctid) FROM {table.name})"
            )
            assert changed == "UPDATE 1"
            found = await administrator.find(connection, table)
            assert {finding.table for finding in found} == {table.name}, column
            if column in table.key:
                problems = {finding.problem for finding in found}
                assert problems == {"no leaf records this row", "the row is missing"}
            else:
                assert [finding.problem.split(" is not")[0] for finding in found] == [column]
            await inner.rollback()


@pytest.mark.parametrize("table", RECORDED_TABLES, ids=lambda table: table.name)
async def test_deleting_a_recorded_row_is_named(administrator: Administrator, table: RecordedTable) -> None:
    async with administrator.tampering() as connection:
        await connection.execute(
            f"DELETE FROM {table.name} WHERE ctid = (SELECT min(ctid) FROM {table.name})"
        )
        found = await administrator.find(connection, table)
        assert [finding.problem for finding in found] == ["the row is missing"]


async def test_alteration_without_a_leaf_is_named_though_the_triggers_saw_it(
    administrator: Administrator,
) -> None:
    grants = next(table for table in RECORDED_TABLES if table.name == "exchange.grant_")
    async with administrator.log.database.acquire() as connection:
        altered, kept = await connection.fetchrow("SELECT id, valid_until FROM exchange.grant_ LIMIT 1")
        await connection.execute(
            "UPDATE exchange.grant_ SET valid_until = valid_until + interval '9 years' WHERE id = $1", altered
        )
        report = await administrator.log.check.assess()
        assert {(each.table, each.problem) for each in report.findings} == {
            (grants.name, "valid_until is not what the last leaf about the row records")
        }
        await connection.execute("UPDATE exchange.grant_ SET valid_until = $1 WHERE id = $2", kept, altered)
    assert (await administrator.log.check.assess()).is_whole


async def test_change_of_columns_that_are_passed_over_records_nothing(administrator: Administrator) -> None:
    """Cursors move and counts go up with every reading; none of that is worth a second leaf."""
    log = administrator.log

    async def records() -> int:
        async with log.database.acquire() as reader:
            return int(
                await reader.fetchval("SELECT count(*) FROM core.log_leaf WHERE event = 'rows.recorded'")
            )

    async def act(sql: str) -> int:
        before = await records()
        async with log.database.transaction() as connection:
            await connection.execute(sql)
            await log.writer.append(
                connection, event=Event.AUDIT_READ, caller=None, details={"view": "x", "leaves": 0}
            )
        return await records() - before

    assert await act("UPDATE subscriptions.consumer SET acked_version = acked_version + 1") == 0
    assert await act("UPDATE exchange.grant_ SET purpose = purpose") == 0
    assert await act("UPDATE subscriptions.consumer SET pause_reason = 'x', acked_version = 1") == 1
    assert (await log.check.assess()).is_whole


async def test_row_put_in_while_the_triggers_were_away_is_not_adopted_at_the_next_start(
    administrator: Administrator,
) -> None:
    from core.log.adoption import adopt_tables

    log = administrator.log
    async with log.database.acquire() as connection:
        await connection.execute("DROP TRIGGER note_touched_insert ON exchange.calendar_day")
        await connection.execute("INSERT INTO exchange.calendar_day VALUES ('2027-01-01', true)")
        await adopt_tables(log.database, log.writer, RECORDED_TABLES)
        report = await log.check.assess()
        assert [(each.row, each.problem) for each in report.findings] == [
            ('day=["2027-01-01"]', "no leaf records this row")
        ]
        async with connection.transaction():
            await connection.execute("DELETE FROM exchange.calendar_day WHERE day = '2027-01-01'")
            await log.writer.append(
                connection, event=Event.AUDIT_READ, caller=None, details={"view": "x", "leaves": 0}
            )
            await connection.execute("INSERT INTO exchange.calendar_day VALUES ('2027-01-02', true)")
            await log.writer.append(
                connection, event=Event.AUDIT_READ, caller=None, details={"view": "x", "leaves": 0}
            )
        assert (await log.check.assess()).is_whole, "the triggers are back"


async def test_column_that_a_migration_adds_is_recorded_from_then_on(administrator: Administrator) -> None:
    from core.log.adoption import adopt_tables

    log = administrator.log
    async with log.database.acquire() as connection:
        await connection.execute("ALTER TABLE certs.delegation ADD COLUMN remark text DEFAULT 'none'")
        assert (await log.check.assess()).is_whole
        await adopt_tables(log.database, log.writer, RECORDED_TABLES)
        assert (await log.check.assess()).is_whole
        await connection.execute("UPDATE certs.delegation SET remark = 'x'")
        report = await log.check.assess()
        assert [each.problem.split(" is not")[0] for each in report.findings] == ["remark"]
        await connection.execute("ALTER TABLE certs.delegation DROP COLUMN remark")
    assert (await log.check.assess()).is_whole
