"""Databases and buckets that answer with garbage, workers that fight for a table, a hub that is killed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import asyncpg
import pytest

from core.settings import Settings
from subscriptions.push import mysql, postgresql
from subscriptions.push.files import S3Carrier
from subscriptions.push.model import TargetKind, TargetState
from subscriptions.push.mysql import MySqlCarrier
from subscriptions.push.postgresql import PostgresCarrier
from subscriptions.push.progress import MAX_REFUSALS
from tests.exchange_world import World, build_row
from tests.integration.hub.test_process import free_port, hub_process
from tests.integration.subscriptions import test_push_killed as killed
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, look
from tests.integration.subscriptions.socket_bridge import bridged
from tests.integration.subscriptions.test_push_database import LOCAL, add_table, build_worker, database_name

ADDRESSES: dict[TargetKind, dict[str, Any]] = {
    TargetKind.POSTGRESQL: {
        "host": "127.0.0.1",
        "database": "d",
        "user": "u",
        "table": "t",
        "ssl": "disable",
    },
    TargetKind.MYSQL: {"host": "127.0.0.1", "database": "d", "user": "u", "table": "t", "ssl": "disable"},
    TargetKind.S3: {"bucket": "bucket", "access_key": "k", "secure": False},
}
CARRIERS: dict[TargetKind, Any] = {
    TargetKind.POSTGRESQL: PostgresCarrier(addresses=LOCAL),
    TargetKind.MYSQL: MySqlCarrier(addresses=LOCAL),
    TargetKind.S3: S3Carrier(addresses=LOCAL),
}
EFFECTS = (
    'CREATE TABLE people_copy ("{key}" text PRIMARY KEY, "{name}" text);'
    "CREATE TABLE effects (operation text, key text, name text);"
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    ' INSERT INTO effects VALUES (TG_OP, NEW."{key}", NEW."{name}"); RETURN NULL; END $$;'
    "CREATE TRIGGER note AFTER INSERT OR UPDATE ON people_copy FOR EACH ROW EXECUTE FUNCTION note()"
)
REPEATED = "SELECT key, name FROM effects GROUP BY operation, key, name HAVING count(*) > 1"


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[int]:
    """Run a server that answers every connection with these bytes, or (None) hangs up; yield its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            writer.write(answer)
            await writer.drain()
            await reader.read(4096)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@pytest.mark.parametrize("kind", list(ADDRESSES))
@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"\x00" * 64,
        b"\xff" * 4096,
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage",
        b"R\x00\x00\x00\x08\x00\x00\x00\x63",
        b"R\x00\x00\x00\x04",
        b"\x4a\x00\x00\x00\x0a5.7\x00",
        b"\x03\x00\x00\x00\xff\x10\x04",
        b"EUnknown\x00\x00",
    ],
    ids=lambda answer: "nothing" if answer is None else answer[:6].hex(),
)
async def test_garbage_of_a_database_or_bucket_parks_and_stops_nothing(
    world: World,
    feed: Feed,
    kind: TargetKind,
    answer: bytes | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgresql, "CONNECT_TIMEOUT_S", 0.3)
    monkeypatch.setattr(mysql, "CONNECT_TIMEOUT_S", 0.3)
    monkeypatch.setattr(mysql, "IO_TIMEOUT_S", 0.3)
    await world.give()
    async with answering(answer) as port:
        place = {"endpoint": f"127.0.0.1:{port}"} if kind is TargetKind.S3 else {"port": port}
        target = await add(
            feed, "", kind=kind, address=ADDRESSES[kind] | place, secret="only-for-tests", name="copy"
        )
        await world.publish([build_row(n) for n in range(4)])
        worker = build_worker(feed, kind, CARRIERS[kind])
        for _ in range(MAX_REFUSALS):
            await worker.work_once()
    found = await look(feed, target)
    assert (found.state, found.failures) == (TargetState.ACTIVE, MAX_REFUSALS)
    assert found.last_error is not None
    assert "does not answer" in found.last_error or "refuses" in found.last_error
    letters = await feed.services.push.targets.list_dead_letters(
        caller=world.consumer, subscription_id=target.subscription_id, name="copy"
    )
    assert letters == []
    assert "only-for-tests" not in caplog.text


@pytest.mark.parametrize("seed", range(3))
async def test_workers_fighting_for_one_table_have_every_effect_once(
    world: World, feed: Feed, database_url: str, seed: int
) -> None:
    rng = Random(seed)
    await world.give(items=("GMSFHM", "XM"))
    own = await asyncpg.connect(database_url)
    await own.execute(EFFECTS.format(key="GMSFHM", name="XM"))
    async with bridged(database_url) as bridge:
        target = await add_table(feed, bridge, database_url, batch_rows=3)
        bridge.cuts.extend(rng.choice([None, None, rng.randint(1, 3000)]) for _ in range(20))
        for number in range(4):
            await world.publish([build_row(n, XM=f"第{number}版") for n in range(10)])
        workers = [
            build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL)) for _ in range(4)
        ]
        for _ in range(60):
            await asyncio.gather(*(worker.work_once() for worker in workers))
            async with (
                world.database.acquire() as connection
            ):  # as a lease runs out under a worker that lives
                await connection.execute("UPDATE subscriptions.target SET lease_until = now()")
    assert (await look(feed, target)).failures == 0
    held = dict(await own.fetch('SELECT "GMSFHM", "XM" FROM people_copy'))
    assert held == {str(build_row(n)["GMSFHM"]): "第3版" for n in range(10)}
    assert await own.fetch(REPEATED) == []
    await own.close()


async def test_hub_killed_while_it_writes_a_table_has_every_effect_once(
    hub_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(3)
    monkeypatch.setenv("SHUZHENG_PUSH_NETWORKS", "127.0.0.0/8")
    credentials = await killed.make_parties(hub_settings)
    assert hub_settings.database_url is not None
    url = hub_settings.database_url.get_secret_value()
    own = await asyncpg.connect(url)
    await own.execute(EFFECTS.format(key="code", name="name"))
    port, total = free_port(), killed.VERSIONS * killed.ROWS

    async def wait_for(effects: int) -> None:
        async with asyncio.timeout(150):
            while await own.fetchval("SELECT count(*) FROM effects") < effects:
                await asyncio.sleep(0.005)

    async with bridged(url) as bridge:
        address = {
            "host": "127.0.0.1",
            "port": bridge.port,
            "database": database_name(url),
            "user": "postgres",
            "table": "people_copy",
            "ssl": "disable",
        }
        target = {"kind": "postgresql", "address": address, "secret": "unused", "batch_rows": 20}
        for turn in range(3):
            with hub_process(hub_settings, port) as process:
                if turn == 0:
                    where = f"http://127.0.0.1:{port}"
                    await asyncio.to_thread(killed.set_up, where, credentials, "", target)
                await wait_for(
                    await own.fetchval("SELECT count(*) FROM effects") + rng.randint(1, total // 5)
                )
                process.send_signal(signal.SIGKILL)
                process.wait()
            await killed.end_leases(hub_settings)
        with hub_process(hub_settings, port):
            await wait_for(total)
    assert await own.fetchval("SELECT count(*) FROM effects") == total
    assert await own.fetch(REPEATED) == []
    names = await own.fetch("SELECT DISTINCT name FROM people_copy")
    assert [row["name"] for row in names] == [f"第{killed.VERSIONS - 1}批"]
    await own.close()
