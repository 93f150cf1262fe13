"""Into the subscriber's own PostgreSQL: the table equals the rows, and each effect is there exactly once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from core.errors import SchemaViolation
from core.identity.networks import parse_networks
from hub.services import utc_now
from subscriptions.model import Start
from subscriptions.push.addresses import AddressBook
from subscriptions.push.model import Target, TargetKind
from subscriptions.push.postgresql import PostgresCarrier
from subscriptions.push.progress import Progress
from subscriptions.push.secret_box import SecretBox
from subscriptions.push.worker import Carrier, Pusher
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, look, work
from tests.integration.subscriptions.socket_bridge import Bridge, bridged

LOCAL = AddressBook(parse_networks(["127.0.0.0/8"]))


def build_worker(feed: Feed, kind: TargetKind, carrier: Carrier) -> Pusher:
    """Build a worker that loses no time between attempts."""
    return Pusher(
        feed=feed.services.feed,
        progress=Progress(database=feed.world.database, log=feed.world.log, now=utc_now, backoff_s=0.0),
        carriers={kind: carrier},
        secrets=SecretBox(b"target".ljust(32, b".")),
        waker=feed.services.waker,
    )


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """The subscriber's database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def bridge(database_url: str) -> AsyncIterator[Bridge]:
    async with bridged(database_url) as opened:
        yield opened


def database_name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


async def add_table(feed: Feed, bridge: Bridge, url: str, **more: Any) -> Target:
    address = {
        "host": "127.0.0.1",
        "port": bridge.port,
        "database": database_name(url),
        "user": "postgres",
        "table": "people_copy",
        "ssl": "disable",
    }
    return await add(
        feed, "", kind=TargetKind.POSTGRESQL, address=address, secret="unused", name="copy", **more
    )


async def test_table_of_the_subscriber_equals_the_rows_with_their_types(
    world: World,
    feed: Feed,
    own: asyncpg.Connection[asyncpg.Record],
    bridge: Bridge,
    database_url: str,
) -> None:
    await world.give()
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await world.publish([build_row(n, JKSJ=moment) for n in range(7)])
    await add_table(feed, bridge, database_url, start=Start.START)
    await world.publish([build_row(1, XM="改'\"\\")], [str(build_row(n)["GMSFHM"]) for n in (2, 3)])
    await world.publish([build_row(3, XM=None)])
    worker = build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
    await work(worker)
    rows = {row["GMSFHM"]: dict(row) for row in await own.fetch("SELECT * FROM people_copy")}
    expected = {
        str(row["GMSFHM"]): {name: value for name, value in row.items() if name != "ZJXY"}
        for row in [
            build_row(0, JKSJ=moment),
            build_row(1, XM="改'\"\\"),
            build_row(3, XM=None),
            *(build_row(n, JKSJ=moment) for n in (4, 5, 6)),
        ]
    }
    assert rows == expected
    async with world.database.transaction() as connection:
        await connection.execute("UPDATE exchange.grant_ SET items = '{GMSFHM,XB}'")
    await world.publish([build_row(9)])
    await work(worker)
    added = await own.fetchrow('SELECT * FROM people_copy WHERE "GMSFHM" = $1', build_row(9)["GMSFHM"])
    assert (added["XB"], added["XM"], added["SR"]) == ("2", None, None)
    assert isinstance(rows[str(build_row(0)["GMSFHM"])]["SR"], Decimal)


@pytest.mark.parametrize("seed", range(4))
async def test_connection_cut_at_any_moment_leaves_each_effect_exactly_once(
    world: World,
    feed: Feed,
    own: asyncpg.Connection[asyncpg.Record],
    bridge: Bridge,
    database_url: str,
    seed: int,
) -> None:
    rng = Random(seed)
    await world.give(items=("GMSFHM", "XM"))
    target = await add_table(feed, bridge, database_url, batch_rows=4)
    await own.execute(
        'CREATE TABLE people_copy ("GMSFHM" text PRIMARY KEY, "XM" text);'
        "CREATE TABLE effects (operation text, number text);"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        ' INSERT INTO effects VALUES (TG_OP, coalesce(NEW."GMSFHM", OLD."GMSFHM")); RETURN NULL; END $$;'
        "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON people_copy"
        " FOR EACH ROW EXECUTE FUNCTION note()"
    )
    bridge.cuts.extend(rng.choice([None, rng.randint(1, 4000)]) for _ in range(25))
    await world.publish([build_row(n) for n in range(10)])
    await world.publish([build_row(n, XM="改") for n in range(5)], [str(build_row(9)["GMSFHM"])])
    worker = build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
    await work(worker, rounds=60)
    counts = dict(await own.fetch("SELECT operation, count(*) FROM effects GROUP BY 1"))
    assert counts["INSERT"] + counts.get("UPDATE", 0) + counts.get("DELETE", 0) <= 16
    held = {row["GMSFHM"]: row["XM"] for row in await own.fetch("SELECT * FROM people_copy")}
    assert held == {str(build_row(n)["GMSFHM"]): "改" if n < 5 else f"人{n}" for n in range(9)}
    places = await own.fetch("SELECT place FROM shuzheng_place")
    assert [row["place"] for row in places] == ["3.0"] or places[0]["place"].startswith("2.")
    repeated = await own.fetch("SELECT number, operation FROM effects GROUP BY 1, 2 HAVING count(*) > 1")
    assert repeated == []
    assert bridge.connections >= 4
    assert (await look(feed, target)).failures == 0


async def test_row_that_the_table_refuses_is_parked_without_its_contents(
    world: World,
    feed: Feed,
    own: asyncpg.Connection[asyncpg.Record],
    bridge: Bridge,
    database_url: str,
) -> None:
    await world.give(items=("GMSFHM", "XM"))
    target = await add_table(feed, bridge, database_url, batch_rows=1)
    await own.execute(
        'CREATE TABLE people_copy ("GMSFHM" text PRIMARY KEY, "XM" text CHECK ("XM" <> \'机密\'))'
    )
    await world.publish([build_row(1, XM="机密"), build_row(2)])
    await work(build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL)))
    assert await own.fetchval("SELECT count(*) FROM people_copy") == 1
    letters = await feed.services.push.targets.list_dead_letters(
        caller=world.consumer, subscription_id=target.subscription_id, name="copy"
    )
    assert [letter.rows for letter in letters] == [1]
    assert "23514" in letters[0].reason
    assert "机密" not in letters[0].reason


@pytest.mark.parametrize(
    "change",
    [
        {"host": "a b"}, {"port": 0}, {"port": True}, {"table": 'x"; DROP TABLE y'}, {"schema": "a.b"},
        {"ssl": "maybe"}, {"database": ""}, {"user": "\x00"}, {"more": 1},
    ],
)  # fmt: skip
async def test_database_described_badly_is_refused(world: World, feed: Feed, change: Any) -> None:
    await world.give()
    good = {"host": "db.example", "database": "d", "user": "u", "table": "t"}
    with pytest.raises(SchemaViolation):
        await add(feed, "", kind=TargetKind.POSTGRESQL, address=good | change, secret="s")
    with pytest.raises(SchemaViolation):
        await add(feed, "", kind=TargetKind.POSTGRESQL, address=good)
