"""What the lake must do on every object store; subclass it with a `lake` fixture."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.database import Database
from core.errors import Conflict
from core.objects import open_object_store
from core.settings import Settings
from hub.services import utc_now
from subscriptions.lake import store
from subscriptions.lake.assembly import LakeServices, assemble
from subscriptions.lake.table import LakeTable
from tests.exchange_world import World, build_row, open_world


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeWorld:
    """The world of `tests.exchange_world` with a lake."""

    world: World
    lake: LakeServices
    settings: Settings

    def another_process(self) -> LakeServices:
        """Build the services as a second hub process would."""
        return assemble(settings=self.settings, database=self.world.database, log=self.world.log, now=utc_now)

    def table(self) -> LakeTable:
        """Open the table of the world's resource."""
        found = LakeTable.open(self.lake.place, self.world.resource.code)
        assert found is not None
        return found

    async def follow(self) -> None:
        """Let the lake catch up."""
        await self.lake.writer.follow(self.world.resource.code)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Read all rows of the table, by key."""
        found = pa.Table.from_batches(list(self.table().read())).to_pylist()
        by_key = {row["GMSFHM"]: row for row in found}
        assert len(by_key) == len(found)
        return by_key

    async def current(self) -> dict[str, dict[str, Any]]:
        """Read the current rows from the database, by key."""
        async with self.world.database.acquire() as connection:
            rows = await connection.fetch("SELECT * FROM data.people")
        return {row["GMSFHM"]: dict(row) for row in rows}

    def changes(self, delta_version: int) -> Counter[str]:
        """Count the change data feed of a commit by its change types."""
        return Counter(self.table().read_changes(delta_version)["_change_type"].to_pylist())


@contextlib.asynccontextmanager
async def open_lake_world(database: Database, settings: Settings) -> AsyncIterator[LakeWorld]:
    """Set the world up with a lake of these settings."""
    Path(settings.spool_dir).mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(open_object_store, settings)  # which makes the bucket
    world = await open_world(database)
    lake = assemble(settings=settings, database=database, log=world.log, now=utc_now)
    yield LakeWorld(world=world, lake=lake, settings=settings)


class LakeBehaviour:
    """The behaviour suite of the lake."""

    async def test_versions_of_all_kinds_arrive_once_with_their_changes(self, lake: LakeWorld) -> None:
        world = lake.world
        await world.publish([build_row(n) for n in range(50)])
        await world.publish([build_row(n, XM="改") for n in range(10)], [build_row(40)["GMSFHM"]])
        await world.publish([build_row(60)])
        await lake.follow()
        assert lake.rows() == await lake.current()
        async with world.database.acquire() as connection:
            versions = await store.load_versions(connection, code="people")
        assert [(v.version, v.changed_rows, v.has_changes) for v in versions] == [
            (0, 0, True), (1, 50, True), (2, 11, True), (3, 1, True),
        ]  # fmt: skip
        assert [lake.changes(v.delta_version) for v in versions[1:]] == [
            {"insert": 50}, {"update_preimage": 10, "update_postimage": 10, "delete": 1}, {"insert": 1},
        ]  # fmt: skip
        leaves = [leaf for leaf in await world.events() if leaf["event"] == "lake.written"]
        assert [leaf["details"]["how"] for leaf in leaves] == ["appended", "merged", "appended"]

    async def test_following_again_writes_nothing(self, lake: LakeWorld) -> None:
        await lake.world.publish([build_row(1)])
        await lake.follow()
        before = lake.table().version
        await lake.follow()
        await lake.another_process().writer.follow("people")
        assert lake.table().version == before

    async def test_commit_without_its_record_is_found_and_not_written_again(self, lake: LakeWorld) -> None:
        await lake.world.publish([build_row(1)])
        await lake.follow()
        await lake.world.publish([build_row(2)], [build_row(1)["GMSFHM"]])
        await lake.follow()
        before = lake.table().version
        async with lake.world.database.transaction() as connection:  # as kill -9 after the commit leaves it
            await connection.execute("DELETE FROM subscriptions.lake_version WHERE version = 2")
            await connection.execute("UPDATE subscriptions.lake_state SET version = 1")
        await lake.follow()
        assert lake.table().version == before
        assert lake.rows() == await lake.current()
        async with lake.world.database.acquire() as connection:
            versions = await store.load_versions(connection, code="people")
        assert versions[-1].version == 2
        assert lake.changes(versions[-1].delta_version) == {"insert": 1, "delete": 1}

    async def test_two_processes_do_not_double(self, lake: LakeWorld) -> None:
        for number in range(6):
            await lake.world.publish([build_row(number + 1), build_row(0, XM=f"第{number}")])
        others = [lake.another_process() for _ in range(2)]
        for _ in range(3):
            await asyncio.gather(*(each.writer.follow("people") for each in (lake.lake, *others)))
        assert lake.rows() == await lake.current()
        async with lake.world.database.acquire() as connection:
            versions = await store.load_versions(connection, code="people")
        assert [v.version for v in versions] == list(range(7))
        assert len({v.delta_version for v in versions}) == 7

    async def test_process_that_lost_its_lease_cannot_commit_a_version_twice(self, lake: LakeWorld) -> None:
        await lake.world.publish([build_row(1)])
        await lake.follow()
        await lake.world.publish([build_row(2)])
        late = lake.table()
        await lake.follow()
        batch = pa.Table.from_pylist([await _row(lake, 2)], schema=late.schema)
        before = lake.table().version
        with pytest.raises(Conflict):
            await asyncio.to_thread(lambda: late.append(iter(batch.to_batches()), late.schema, hub_version=2))
        assert lake.table().version == before
        assert lake.rows() == await lake.current()

    async def test_new_item_becomes_a_column(self, lake: LakeWorld) -> None:
        await lake.world.publish([build_row(n) for n in range(3)])
        await lake.follow()
        async with lake.world.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO exchange.resource_item (resource_code, position, name, title, format, is_key,"
                " is_required, share_type, share_basis, is_sensitive)"
                " VALUES ('people', 20, 'DH', '电话', 'C..20', false, false, 'conditional', '', false)"
            )
            await connection.execute('ALTER TABLE data.people ADD COLUMN "DH" text')
        await lake.world.database._pool.expire_connections()  # which know the type of rows as it was
        await lake.world.publish([build_row(1, XM="新")])
        await lake.follow()
        rows = lake.rows()
        assert rows[build_row(1)["GMSFHM"]]["XM"] == "新"
        assert {row["DH"] for row in rows.values()} == {None}

    async def test_wider_decimal_is_rewritten_and_keeps_its_history(self, lake: LakeWorld) -> None:
        await lake.world.publish([build_row(1, SR=Decimal("1.25"))])
        await lake.follow()
        async with lake.world.database.transaction() as connection:
            await connection.execute("UPDATE exchange.resource_item SET format = 'N..20,2' WHERE name = 'SR'")
        await lake.world.publish([build_row(2, SR=Decimal("123456789012345.50"))])
        await lake.follow()
        assert lake.rows() == await lake.current()
        assert lake.table().schema.field("SR").type == pa.decimal128(20, 2)

    async def test_pruned_change_log_makes_the_table_begin_again(self, lake: LakeWorld) -> None:
        await lake.world.publish([build_row(1)])
        await lake.follow()
        await lake.world.publish([build_row(2)])
        async with lake.world.database.transaction() as connection:
            await connection.execute("DELETE FROM data.people__changes WHERE _version = 2")
            await connection.execute("UPDATE exchange.version SET inserted_rows = 1 WHERE version = 2")
        await lake.follow()
        assert lake.rows() == await lake.current()
        async with lake.world.database.acquire() as connection:
            versions = await store.load_versions(connection, code="people")
        assert (versions[-1].version, versions[-1].has_changes) == (2, False)

    async def test_tending_joins_files_and_removes_what_nobody_needs(self, lake: LakeWorld) -> None:
        for number in range(20):
            await lake.world.publish([build_row(number)])
        await lake.follow()
        assert len(lake.table().list_files()) == 20
        keeper = lake.lake.keeper
        keeper._keep = timedelta(0)
        assert await keeper.tend("people")
        assert len(lake.table().list_files()) == 1
        assert lake.rows() == await lake.current()
        async with lake.world.database.acquire() as connection:
            versions = await store.load_versions(connection, code="people")
        assert [(v.version, v.has_changes) for v in versions] == [(20, False)]
        await lake.world.publish([build_row(3, XM="后")])
        await lake.follow()
        assert lake.rows() == await lake.current()


async def _row(lake: LakeWorld, number: int) -> dict[str, Any]:
    return (await lake.current())[build_row(number)["GMSFHM"]]
