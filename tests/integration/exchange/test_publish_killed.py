"""kill -9 in the middle of a publish leaves the old version or the new one, whole."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from core.settings import Settings
from signing import sm3
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import ITEMS, publish, register

ROWS = 60_000
SCRIPT = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from core.caller import Caller
from core.settings import Settings
from exchange.publish.model import Mode, Upload
from hub.services import open_services

async def main(path, size, digest, system_id, organisation):
    caller = Caller(system_id=UUID(system_id), system_name="s", organisation_code=organisation,
                    organisation_name="o", scopes=frozenset())
    async with open_services(Settings()) as services:
        resource = await services.exchange.publisher.require_own("things", caller=caller)
        upload = Upload(path=Path(path), size_bytes=int(size), digest=bytes.fromhex(digest),
                        media_type="text/csv", charset=None)
        print("begin", flush=True)
        await services.exchange.publisher.publish(resource, upload, caller=caller, mode=Mode.UPSERT,
                                         idempotency_key="k")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("wait_s", [0.0, 0.2, 0.5, 1.0])
async def test_publish_killed_at_a_moment_leaves_a_whole_version_and_can_be_sent_again(
    hub: RunningHub, hub_settings: Settings, tmp_path: Path, wait_s: float
) -> None:
    await register(hub, items=list(ITEMS[:2]))
    assert (await publish(hub, "code,name\nfirst,旧\n", "0")).json()["version"] == 1
    content = "code,name\n" + "".join(f"{number},名{number}\n" for number in range(ROWS))
    path = tmp_path / "body"
    path.write_text(content, encoding="utf-8")
    async with hub.services.database.acquire() as connection:
        system_id = await connection.fetchval("SELECT system_id FROM exchange.batch")
    url = hub_settings.database_url
    assert url is not None
    environment = os.environ | {
        "SHUZHENG_DATABASE_URL": url.get_secret_value(),
        "SHUZHENG_HOME": str(tmp_path / "home"),
    }
    digest = sm3.digest(b"upsert text/csv\x00" + content.encode())
    arguments = [
        str(path),
        str(path.stat().st_size),
        digest.hex(),
        str(system_id),
        hub.members["market"].code,
    ]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"begin\n"
    await asyncio.sleep(wait_s)
    if child.returncode is None:
        child.send_signal(signal.SIGKILL)
    await child.wait()
    await require_whole(hub)
    again = await publish(hub, content, "k")
    while again.status_code == 409:  # The database has not noticed yet that the killed process is gone.
        await asyncio.sleep(0.05)
        again = await publish(hub, content, "k")
    assert again.json()["accepted"] == ROWS, again.text
    assert await require_whole(hub) == ROWS + 1


async def require_whole(hub: RunningHub) -> int:
    """Require that rows, change log, versions and accounting tell of the same versions; count the rows."""
    async with hub.services.database.acquire() as connection:
        rows = await connection.fetchval("SELECT count(*) FROM data.things")
        changes = await connection.fetchval("SELECT count(*) FROM data.things__changes")
        told = await connection.fetchrow("SELECT current_version, current_rows FROM exchange.resource")
        versions = await connection.fetchval("SELECT count(*) FROM exchange.version")
        published = await connection.fetchval("SELECT count(*) FROM exchange.batch WHERE state = 'published'")
    assert told is not None
    assert rows in {1, ROWS + 1}
    assert rows == changes == told["current_rows"]
    assert versions == told["current_version"] <= published
    return int(rows)
