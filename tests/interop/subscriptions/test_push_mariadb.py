"""Into the subscriber's MariaDB: the table equals the rows, through crashes of the server too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest

from core.database import Database
from exchange.access.grants import Shrink
from subscriptions.model import Start
from subscriptions.push.model import Target, TargetKind, TargetState
from subscriptions.push.mysql import MySqlCarrier
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.conftest import build_push_world
from tests.integration.subscriptions.feed_world import Feed, open_feed
from tests.integration.subscriptions.push_world import add, look, resume, work
from tests.integration.subscriptions.schema_world import (
    PHONE,
    POINTS,
    Midway,
    add_items,
    change_format,
)
from tests.integration.subscriptions.test_push_database import LOCAL, build_worker
from tests.integration.subscriptions.test_subscriber_killed import (
    expected_rows,
    keep_pushing,
    publish_all,
    wait_until_read,
)
from tests.interop.mariadb_server import PASSWORD, MariaDb, running_mariadb

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with running_mariadb(tmp_path_factory.mktemp("maria")) as server:
        yield server


@pytest.fixture
async def world(database: Database) -> World:
    return await build_push_world(database)


@pytest.fixture
async def feed(world: World) -> AsyncIterator[Feed]:
    async with open_feed(world) as opened:
        yield opened


async def add_table(feed: Feed, mariadb: MariaDb, table: str, **more: Any) -> Target:
    address = {
        "host": "127.0.0.1",
        "port": mariadb.port,
        "database": "copy",
        "user": "hub",
        "table": table,
        "ssl": "disable",
    }
    return await add(feed, "", kind=TargetKind.MYSQL, address=address, secret=PASSWORD, name="copy", **more)


def read_rows(mariadb: MariaDb, table: str, columns: str) -> dict[str, tuple[Any, ...]]:
    connection = mariadb.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT GMSFHM, {columns} FROM `{table}`")
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    connection.close()
    return found


async def test_table_in_mariadb_equals_the_rows_with_their_types(
    world: World, feed: Feed, mariadb: MariaDb
) -> None:
    await world.give()
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    hard = ["'; DROP TABLE people; --", "\\", "\\'", '"', "🀄", "a\nb"]
    await world.publish([build_row(n, XM=text, JKSJ=moment) for n, text in enumerate(hard)])
    await add_table(feed, mariadb, "people", start=Start.START)
    await world.publish([build_row(1, XM=None)], [str(build_row(0)["GMSFHM"])])
    await work(build_worker(feed, TargetKind.MYSQL, MySqlCarrier(addresses=LOCAL)))
    rows = read_rows(mariadb, "people", "XM, CSRQ, SR, SFYX, JKSJ")
    assert {row[0] for row in rows.values()} == {None, *hard[2:]}
    second = rows[str(build_row(2)["GMSFHM"])]
    assert second[1:] == (date(1990, 1, 3), Decimal("0.50"), 1, moment.replace(tzinfo=None))


async def test_message_that_comes_again_changes_nothing_and_refused_rows_are_parked(
    world: World, feed: Feed, mariadb: MariaDb
) -> None:
    await world.give(items=("GMSFHM", "XM"))
    target = await add_table(feed, mariadb, "again", batch_rows=1)
    connection = mariadb.connect()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE again (GMSFHM varchar(18) PRIMARY KEY, XM varchar(3)) CHARSET utf8mb4")
        cursor.execute("CREATE TABLE effects (number varchar(18))")
        cursor.execute(
            "CREATE TRIGGER noted AFTER INSERT ON again FOR EACH ROW INSERT INTO effects VALUES (NEW.GMSFHM)"
        )
    await world.publish([build_row(1), build_row(2, XM="太长的名字不行"), build_row(3)])
    carrier = MySqlCarrier(addresses=LOCAL)
    worker = build_worker(feed, TargetKind.MYSQL, _Twice(carrier))
    await work(worker)
    assert sorted(read_rows(mariadb, "again", "XM").values()) == [("人1",), ("人3",)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT number) FROM effects")
        assert cursor.fetchone() == (2, 2)
    connection.close()
    letters = await feed.services.push.targets.list_dead_letters(
        caller=world.consumer, subscription_id=target.subscription_id, name="copy"
    )
    assert [letter.rows for letter in letters] == [1]
    assert "太长" not in letters[0].reason
    await world.publish([build_row(2, XM="新")])
    await work(worker)
    await feed.services.push.targets.redrive(
        caller=world.consumer, subscription_id=target.subscription_id, name="copy", letters=None
    )
    await work(worker)
    assert read_rows(mariadb, "again", "XM")[str(build_row(2)["GMSFHM"])] == ("新",)


async def test_columns_follow_the_items_of_the_grant_in_mid_stream(
    world: World, feed: Feed, mariadb: MariaDb
) -> None:
    grant = await world.give(items=("GMSFHM", "XM", "CSRQ"))
    await world.publish([build_row(n) for n in range(6)])
    await add_table(feed, mariadb, "grows", start=Start.START, batch_rows=2)
    connection = mariadb.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE grows (GMSFHM varchar(18) PRIMARY KEY, XM varchar(20), CSRQ date,"
            " XB varchar(4) DEFAULT 'mine') CHARSET utf8mb4"
        )
        cursor.execute("DROP TABLE IF EXISTS shuzheng_place")
        cursor.execute(  # as hubs made it that did not note items yet
            "CREATE TABLE shuzheng_place (subscription char(36), consumer varchar(40), place varchar(100)"
            " NOT NULL, updated_at datetime NOT NULL, PRIMARY KEY (subscription, consumer))"
        )
    connection.close()

    async def change() -> None:
        grown = await add_items(world, grant, PHONE, POINTS)
        await grown.publish([build_row(n, LXDH=f"139{n}", JF=Decimal("2.5"), XM="改") for n in (0, 5, 6)])
        left = ("GMSFHM", "CSRQ", "LXDH", "JF")
        await world.grants.shrink(caller=world.consumer, grant_id=grant.id, shrink=Shrink(items=left))

    worker = build_worker(feed, TargetKind.MYSQL, Midway(MySqlCarrier(addresses=LOCAL), change, after=2))
    await work(worker)
    born = {n: build_row(n)["CSRQ"] for n in range(7)}
    assert read_rows(mariadb, "grows", "XM, CSRQ, XB, LXDH, JF") == {
        str(build_row(n)["GMSFHM"]): (
            None,
            born[n],
            "mine",
            *((f"139{n}", Decimal("2.5")) if n in {0, 5, 6} else (None, None)),
        )
        for n in range(7)
    }


async def test_decimal_that_grows_widens_its_column_and_a_mask_stops_one_that_takes_no_text(
    world: World, feed: Feed, mariadb: MariaDb
) -> None:
    await world.give(items=("GMSFHM", "SR", "CSRQ"))
    target = await add_table(feed, mariadb, "widens", batch_rows=1)
    await world.publish([build_row(1)])
    worker = build_worker(feed, TargetKind.MYSQL, MySqlCarrier(addresses=LOCAL))
    await work(worker)
    wider = await change_format(world, "SR", "N..20,2")
    large = Decimal("999999999999999999.99")
    await wider.publish([build_row(2, SR=large)])
    await work(worker)
    assert read_rows(mariadb, "widens", "SR")[str(build_row(2)["GMSFHM"])] == (large,)
    await world.grants.set_masks(caller=world.provider, resource_code="people", masks={"CSRQ": {"*": "full"}})
    await world.publish([build_row(3)])
    await work(worker)
    stopped = await look(feed, target)
    assert stopped.state is TargetState.STOPPED
    assert "CSRQ" in str(stopped.state_reason)
    connection = mariadb.connect()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE widens MODIFY COLUMN CSRQ varchar(20) NOT NULL")
    connection.close()
    await resume(feed, target)
    await work(worker)
    assert read_rows(mariadb, "widens", "CSRQ")[str(build_row(3)["GMSFHM"])] == ("***",)
    await world.grants.shrink(
        caller=world.consumer, grant_id=(await only_grant(world)), shrink=Shrink(items=("GMSFHM", "SR"))
    )
    await world.publish([build_row(4)])
    await work(worker)
    stopped = await look(feed, target)
    assert stopped.state is TargetState.STOPPED
    assert "cannot be emptied" in str(stopped.state_reason)


async def only_grant(world: World) -> UUID:
    (grant,) = await world.grants.list_grants(caller=world.consumer, as_provider=False)
    return grant.id


async def test_database_killed_at_random_moments_has_every_effect_once(
    world: World, feed: Feed, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = Random(12)
    await world.give(items=("GMSFHM", "XM"))
    await publish_all(world)
    with running_mariadb(tmp_path_factory.mktemp("killed"), durable=True) as mariadb:
        connection = mariadb.connect()
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE rows_ (GMSFHM varchar(18) PRIMARY KEY, XM varchar(20)) CHARSET utf8mb4"
            )
            cursor.execute("CREATE TABLE effects (number varchar(18), name varchar(20)) CHARSET utf8mb4")
            for moment in ("INSERT", "UPDATE"):
                cursor.execute(
                    f"CREATE TRIGGER noted_{moment} AFTER {moment} ON rows_"
                    " FOR EACH ROW INSERT INTO effects VALUES (NEW.GMSFHM, NEW.XM)"
                )
        connection.close()
        await add_table(feed, mariadb, "rows_", start=0, batch_rows=6)
        worker = build_worker(feed, TargetKind.MYSQL, MySqlCarrier(addresses=LOCAL))
        pushing = asyncio.create_task(keep_pushing(worker))
        for _ in range(3):
            await asyncio.sleep(rng.uniform(0.05, 0.5))
            await asyncio.to_thread(mariadb.kill)
        await wait_until_read(feed, "copy")
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        rows = {number: row[0] for number, row in read_rows(mariadb, "rows_", "XM").items()}
        connection = mariadb.connect()
        with connection.cursor() as cursor:
            cursor.execute("SELECT number, name FROM effects GROUP BY number, name HAVING count(*) > 1")
            repeated = cursor.fetchall()
        connection.close()
    assert rows == expected_rows()
    assert repeated == ()


class _Twice:
    """Delivers every message twice, as a worker does that was killed before it wrote down the first time."""

    def __init__(self, carrier: MySqlCarrier) -> None:
        self._carrier = carrier

    async def deliver(self, message: Any, secret: str | None, /) -> None:
        await self._carrier.deliver(message, secret)
        await self._carrier.deliver(message, secret)
