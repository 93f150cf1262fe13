"""Change logs are pruned by whole partitions, never before everybody is done with them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.database import Connection
from exchange.publish import store_retention
from exchange.publish.retention import Retention
from tests.hubs import RunningHub
from tests.integration.exchange.test_accounting import account, compare_stations
from tests.integration.exchange.test_publish import publish, register, rows_of

PER_PARTITION = 2


@pytest.fixture(autouse=True)
def _small_partitions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("exchange.catalogue.store.CHANGES_PER_PARTITION", PER_PARTITION)
    monkeypatch.setattr(store_retention, "CHANGES_PER_PARTITION", PER_PARTITION)
    return iter([None])


def retention(hub: RunningHub, needed: int | None = None, days_ahead: int = 400) -> Retention:
    """The hub's pruning as it will be in `days_ahead` days, its subscribers having read up to `needed`."""

    async def needed_after(_connection: Connection, _code: str) -> int | None:
        return needed

    return Retention(
        database=hub.services.database,
        log=hub.services.log_writer,
        uploads=hub.services.intake.uploads,
        spool_dir=hub.services.settings.spool_dir,
        keep_days=365,
        needed_after=needed_after,
        now=lambda: datetime.now(UTC) + timedelta(days=days_ahead),
    )


async def partitions(hub: RunningHub) -> list[str]:
    async with hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relname ~ '^things__changes_[0-9]+$' ORDER BY 1"
        )
    return [row["relname"].removeprefix("things__changes_") for row in rows]


async def five_versions(hub: RunningHub) -> None:
    """Publish versions 1 to 5: the partitions from 0, from 2 and, not full yet, from 4."""
    await register(hub)
    for number in range(1, 6):
        answer = await publish(hub, f"code,name\n{number},名\n1,第{number}次\n", f"k{number}")
        assert answer.json()["version"] == number


async def test_partitions_go_when_old_counted_and_read_and_the_rows_stay(hub: RunningHub) -> None:
    await five_versions(hub)
    async with hub.services.database.acquire() as connection:
        await connection.execute("DELETE FROM exchange.station_count WHERE station = 'current'")
    assert await retention(hub).prune() == []  # not accounted for yet
    await account(hub)
    assert await retention(hub, days_ahead=300).prune() == []  # not old enough
    assert await retention(hub, needed=0).prune() == []  # a subscriber has still to read version 1
    assert await retention(hub, needed=2).prune() == ["things__changes_0"]
    assert await partitions(hub) == ["2", "4"]
    assert await retention(hub, needed=None).prune() == ["things__changes_2"]
    assert await partitions(hub) == ["4"]
    assert await retention(hub).prune() == []
    assert len(await rows_of(hub)) == 5
    assert (await publish(hub, "code,name\n9,新\n", "k6")).json()["version"] == 6
    await account(hub)
    async with hub.services.database.acquire() as connection:
        leaves = await connection.fetch(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'changes.pruned' AND resource_code = 'things'"
        )
    assert leaves[0][0] == 2


async def test_stations_are_still_compared_after_pruning(hub: RunningHub) -> None:
    await five_versions(hub)
    await account(hub)
    await retention(hub).prune()
    compared = await compare_stations(hub)
    assert compared["current"] == compared["accounted"]


async def test_pruning_that_was_interrupted_after_detaching_is_finished(hub: RunningHub) -> None:
    await five_versions(hub)
    await account(hub)
    async with hub.services.database.acquire() as connection:
        await connection.execute(
            "ALTER TABLE data.things__changes DETACH PARTITION data.things__changes_0 CONCURRENTLY"
        )
    assert await retention(hub).prune() == ["things__changes_0", "things__changes_2"]
    assert await partitions(hub) == ["4"]


async def test_reader_of_the_change_log_makes_pruning_wait_and_is_not_disturbed(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_retention, "LOCK_WAIT", "200ms")
    await five_versions(hub)
    await account(hub)
    count = "SELECT count(*) FROM data.things__changes WHERE _version <= 3"
    async with hub.services.database.transaction() as reader:
        held = await reader.fetchval(count)
        assert held > 0
        assert await retention(hub).prune() == []
        assert await reader.fetchval(count) == held
    assert len(await retention(hub).prune()) == 2


async def test_files_that_killed_hubs_left_are_removed_and_fresh_ones_kept(hub: RunningHub) -> None:
    spool = Path(hub.services.settings.spool_dir)
    for name in ("batch-old", "batch-new"):
        (spool / name).mkdir()
        (spool / name / "body").write_bytes(b"x")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(spool / "batch-old", (long_ago, long_ago))
    await retention(hub, days_ahead=0).prune()
    assert [folder.name for folder in spool.iterdir()] == ["batch-new"]
