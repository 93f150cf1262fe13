"""kill -9 of the process that publishes breaches, at chosen statements: nothing doubled, nothing lost.

A child publishes what is due and kills itself as it sends the statement of a number. Numbers rise, so that
the first kills come before the batch is committed, and later ones find it published and not yet told.
SHUZHENG_TEST_KILLS sets how many kills there are (2 by default).
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from core.settings import Settings
from tests.evidence_world import EvidenceWorld
from tests.integration.evidence.test_credit import (
    breach,
    current,
    name_dataset,
    publish_due,
    register_dataset,
)
from tests.integration.evidence.test_undertakings import notices

KILLS = int(os.environ.get("SHUZHENG_TEST_KILLS", "2"))
STATEMENTS = 45  # of one round that publishes one breach, give or take
SCRIPT = """
import asyncio, os, signal, sys
from asyncpg.connection import Connection
from core.settings import Settings
from hub.services import open_services

moment, sent, me = int(sys.argv[1]), 0, None

def counting(send):
    async def count(*args, **more):
        global sent
        if asyncio.current_task() is me:
            sent += 1
            if sent == moment:
                task = asyncio.create_task(send(*args, **more))
                await asyncio.sleep(0)  # the statement is on its way, its answer is not here
                os.kill(os.getpid(), signal.SIGKILL)
        return await send(*args, **more)
    return count

async def main():
    global me
    async with open_services(Settings()) as services:
        async with services.database.acquire() as connection:
            await connection.execute(
                "UPDATE evidence.credit_entry SET next_try_at = now() WHERE state = 'waiting'"
            )
        for name in ("execute", "_execute", "_executemany", "_copy_in", "_copy_out"):
            setattr(Connection, name, counting(getattr(Connection, name)))
        me = asyncio.current_task()
        await services.evidence.credit.breaches.work_once()
        me = None
        print("sent", sent, flush=True)

asyncio.run(main())
"""


async def publish_and_die(settings: Settings, moment: int) -> bool:
    """Publish what is due in a process that kills itself at a statement; tell whether it did."""
    assert settings.database_url is not None
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT,
        str(moment),
        env=os.environ
        | {
            "SHUZHENG_DATABASE_URL": settings.database_url.get_secret_value(),
            "SHUZHENG_HOME": str(settings.home),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode == -9 or b"sent" in out, err.decode()
    return child.returncode == -9


async def test_breach_whose_publisher_is_killed_at_any_statement_is_published_once(
    world: EvidenceWorld, hub_settings: Settings
) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await breach(world)
    chance = random.Random(os.environ.get("SHUZHENG_TEST_SEED", "1"))
    moments = sorted(chance.sample(range(1, STATEMENTS), min(KILLS, STATEMENTS - 1)))
    killed = [await publish_and_die(hub_settings, moment) for moment in moments]
    assert killed[0]
    for _ in range(5):
        await publish_due(world)
    assert [row["LXZT"] for row in await current(world)] == ["未履行"]
    async with world.hub.services.database.acquire() as connection:
        entry = await connection.fetchrow("SELECT state, batch_id, next_try_at FROM evidence.credit_entry")
        batches = await connection.fetch("SELECT id, state FROM exchange.batch WHERE resource_code = 'xy_cn'")
        changes = await connection.fetchval('SELECT count(*) FROM data."xy_cn__changes"')
        events = await connection.fetch(
            "SELECT event, count(*) AS times FROM core.log_leaf WHERE event = 'credit_dataset.published'"
            " OR (event = 'batch.published' AND resource_code = 'xy_cn') GROUP BY event"
        )
    assert entry is not None
    assert [tuple(row) for row in batches] == [(entry["batch_id"], "published")]
    assert (entry["state"], entry["next_try_at"], changes) == ("published", None, 1)
    assert {row["event"]: row["times"] for row in events} == {
        "credit_dataset.published": 1,
        "batch.published": 1,
    }
    states = [each["state"] for each in await notices(world)]
    assert states.count("published in the credit dataset as breached") == 1
