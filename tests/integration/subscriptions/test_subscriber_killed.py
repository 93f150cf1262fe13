"""Those that changes are pushed to are killed with SIGKILL at random moments: every effect is there once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path
from random import Random

import asyncpg
import pyarrow.parquet as pq
import pytest

from core.database.embedded import start_embedded
from core.settings import Settings
from subscriptions.push.model import TargetKind
from subscriptions.push.postgresql import PostgresCarrier
from subscriptions.push.worker import Pusher
from tests.exchange_world import World, build_row
from tests.integration.exchange.test_publish_killed import kill_postgres
from tests.integration.hub.test_process import free_port, hub_process
from tests.integration.subscriptions import test_push_killed as killed
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, build_worker
from tests.integration.subscriptions.socket_bridge import bridged
from tests.integration.subscriptions.test_push_database import LOCAL, add_table
from tests.integration.subscriptions.test_push_database import build_worker as build_table_worker

ROUNDS, ROWS = 8, 40

# A careful receiver: rows and effects stand in one transaction; an effect that comes twice breaks it.
RECEIVER = """
import json, sqlite3, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
store = sqlite3.connect(sys.argv[1])
store.execute("CREATE TABLE IF NOT EXISTS rows (key PRIMARY KEY, version, sequence, row)")
store.execute("CREATE TABLE IF NOT EXISTS effects (version, sequence, PRIMARY KEY (version, sequence))")

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with store:
            for line in body.decode().splitlines():
                change = json.loads(line)
                key, place = json.dumps(change["key"]), (change["version"], change["sequence"])
                held = store.execute("SELECT version, sequence FROM rows WHERE key = ?", (key,)).fetchone()
                if held is None or place > held:
                    row = json.dumps(change["row"])
                    store.execute("REPLACE INTO rows VALUES (?, ?, ?, ?)", (key, *place, row))
                    store.execute("INSERT INTO effects VALUES (?, ?)", place)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
print("ready", flush=True)
server.serve_forever()
"""


async def start_receiver(store: Path, port: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RECEIVER, str(store), str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def keep_pushing(worker: Pusher) -> None:
    """Push without pause, as hubs do over time."""
    while True:
        await worker.work_once()
        await asyncio.sleep(0.01)


async def publish_all(world: World) -> None:
    for number in range(ROUNDS):
        rows = [build_row(n, XM=f"第{number}") for n in range(number * 10, number * 10 + ROWS)]
        await world.publish(rows, [str(build_row(number * 10 - 1)["GMSFHM"])] if number else ())


def expected_rows() -> dict[str, str]:
    """The name of each row, by key, after all versions."""
    held: dict[str, str] = {}
    for number in range(ROUNDS):
        for n in range(number * 10, number * 10 + ROWS):
            held[str(build_row(n)["GMSFHM"])] = f"第{number}"
        if number:
            del held[str(build_row(number * 10 - 1)["GMSFHM"])]
    return held


async def test_webhook_receiver_killed_at_random_moments_has_every_effect_once(
    world: World, feed: Feed, tmp_path: Path
) -> None:
    rng, port, store = Random(3), free_port(), tmp_path / "store"
    await world.give()
    await add(feed, f"http://127.0.0.1:{port}/", batch_rows=7)
    await publish_all(world)
    process = await start_receiver(store, port)
    pushing = asyncio.create_task(keep_pushing(build_worker(feed)))
    total = ROUNDS * ROWS + ROUNDS - 1
    try:
        for _ in range(6):
            await asyncio.sleep(rng.uniform(0.02, 0.3))
            process.send_signal(signal.SIGKILL)
            await process.wait()
            process = await start_receiver(store, port)
        held = sqlite3.connect(store)
        async with asyncio.timeout(150):
            while held.execute("SELECT count(*) FROM effects").fetchone() != (total,):
                await asyncio.sleep(0.05)
    finally:
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        process.kill()
        await process.wait()
    rows = held.execute("SELECT key, row FROM rows").fetchall()
    names = {json.loads(key)["GMSFHM"]: json.loads(row) for key, row in rows}
    assert {key: row["XM"] for key, row in names.items() if row is not None} == expected_rows()
    held.close()


async def test_subscribers_database_killed_at_random_moments_has_every_effect_once(
    world: World, feed: Feed
) -> None:
    rng = Random(4)
    await world.give(items=("GMSFHM", "XM"))
    await publish_all(world)
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - the server runs as another user where the tests run as root
        server = await asyncio.to_thread(start_embedded, Path(folder) / "pg")
        try:
            async with bridged(server.url) as bridge:
                own = await asyncpg.connect(server.url)
                await own.execute(
                    'CREATE TABLE people_copy ("GMSFHM" text PRIMARY KEY, "XM" text);'
                    "CREATE TABLE effects (operation text, key text, name text);"
                    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO effects"
                    ' VALUES (TG_OP, coalesce(NEW."GMSFHM", OLD."GMSFHM"), NEW."XM"); RETURN NULL; END $$;'
                    "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON people_copy"
                    " FOR EACH ROW EXECUTE FUNCTION note()"
                )
                await own.close()
                await add_table(feed, bridge, server.url, start=0, batch_rows=6)
                worker = build_table_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
                pushing = asyncio.create_task(keep_pushing(worker))
                for _ in range(3):
                    await asyncio.sleep(rng.uniform(0.05, 0.4))
                    await kill_postgres(server)
                await wait_until_read(feed, "copy")
                pushing.cancel()
                await asyncio.gather(pushing, return_exceptions=True)
            own = await asyncpg.connect(server.url)
            rows = await own.fetch("SELECT * FROM people_copy")
            repeated = await own.fetch(
                "SELECT key, name FROM effects GROUP BY operation, key, name HAVING count(*) > 1"
            )
            await own.close()
        finally:
            server.stop()
    assert {row["GMSFHM"]: row["XM"] for row in rows} == expected_rows()
    assert repeated == []


async def wait_until_read(feed: Feed, consumer: str) -> None:
    """Wait until a consumer has everything."""
    async with asyncio.timeout(150):
        while True:
            standings = await feed.list_own(caller=feed.world.consumer)
            behind = [each.lag_versions for each in standings if each.consumer.name == consumer]
            if behind == [0]:
                return
            await asyncio.sleep(0.05)


async def test_hub_killed_while_it_writes_files_leaves_every_row_in_one_whole_file(
    hub_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng, folder = Random(9), tmp_path / "drop"
    monkeypatch.setenv("SHUZHENG_PUSH_DIRECTORY", str(folder))
    credentials = await killed.make_parties(hub_settings)
    port = free_port()
    target = {"kind": "directory", "address": {"folder": "in", "format": "parquet"}}

    def whole() -> list[Path]:
        manifests = folder.glob("*/in/*.manifest.json")
        return sorted(Path(str(each).removesuffix(".manifest.json")) for each in manifests)

    for turn in range(3):
        with hub_process(hub_settings, port) as process:
            if turn == 0:
                address = f"http://127.0.0.1:{port}"
                await asyncio.to_thread(killed.set_up, address, credentials, "", target)
            before = len(whole())
            async with asyncio.timeout(150):
                while len(whole()) < before + rng.randint(1, 6):
                    await asyncio.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        await killed.end_leases(hub_settings)
    rows = killed.VERSIONS * killed.ROWS
    with hub_process(hub_settings, port):
        async with asyncio.timeout(150):
            while sum(pq.read_metadata(path).num_rows for path in whole()) < rows:
                await asyncio.sleep(0.05)
    found = []
    for path in whole():
        table = pq.read_table(path)
        found += zip(table.column("_version").to_pylist(), table.column("_sequence").to_pylist(), strict=True)
    assert found == [(v, s) for v in range(1, killed.VERSIONS + 1) for s in range(1, killed.ROWS + 1)]
