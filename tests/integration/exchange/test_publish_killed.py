"""kill -9 of the hub or of PostgreSQL at random moments of publishes: always whole, and equal to a twin.

A story of batches is published twice: to a resource whose publisher is killed again and again and sends each
batch until it is answered, and to a twin that nothing disturbs. In the end both must be equal, row by row,
change by change and count by count. SHUZHENG_TEST_KILLS sets how many kills there are (2 by default; 50 is
what the project promises).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from core.database.embedded import EmbeddedPostgres, start_embedded
from core.settings import Settings
from exchange.publish.model import Mode, Upload
from hub.services import Services, open_services
from signing import sm3
from tests.exchange_world import PROVIDER, build_resource, open_world

KILLS = int(os.environ.get("SHUZHENG_TEST_KILLS", "2"))
ROWS = 12_000
MODES = (Mode.UPSERT, Mode.UPSERT, Mode.DELETE, Mode.SNAPSHOT)
SCRIPT = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from core.caller import Caller
from core.settings import Settings
from exchange.publish.model import Mode, Upload
from hub.services import open_services

async def main(path, size, digest, system_id, organisation, mode, key):
    caller = Caller(system_id=UUID(system_id), system_name="s", organisation_code=organisation,
                    organisation_name="o", scopes=frozenset())
    async with open_services(Settings()) as services:
        publisher = services.exchange.publisher
        resource = await publisher.require_own("people", caller=caller)
        upload = Upload(path=Path(path), size_bytes=int(size), digest=bytes.fromhex(digest),
                        media_type="text/csv", charset=None)
        print("begin", flush=True)
        await publisher.publish(resource, upload, caller=caller, mode=Mode(mode), idempotency_key=key,
                                confirm=True)
        print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def write_batch(path: Path, number: int) -> Upload:
    """Write batch `number` of the story: new and changed rows, keys to delete, or a whole state; some bad."""
    mode = MODES[number % len(MODES)]
    first = 0 if mode is Mode.SNAPSHOT else number * ROWS // 3
    lines = ["GMSFHM,XM,XB\n"] if mode is not Mode.DELETE else ["GMSFHM\n"]
    for row in range(first, first + (ROWS // 10 if mode is Mode.DELETE else ROWS)):
        number_text = _citizen(row, is_bad=row % 97 == 0)
        lines.append(
            f"{number_text}\n" if mode is Mode.DELETE else f"{number_text},人{row % 7}{number},{row % 2}\n"
        )
    path.write_text("".join(lines), encoding="utf-8")
    digest = sm3.digest(f"{mode} {number}".encode())
    return Upload(
        path=path, size_bytes=path.stat().st_size, digest=digest, media_type="text/csv", charset=None
    )


def _citizen(row: int, *, is_bad: bool) -> str:
    from core.codes import citizen

    born = f"{1950 + row // 360 % 60}{row // 30 % 12 + 1:02d}{row % 28 + 1:02d}"
    body = f"110101{born}{row // 21600 % 10}{row % 100:02d}"
    check = citizen.compute_check_character(body)
    return body + (check if not is_bad else ("0" if check != "0" else "1"))


async def describe(services: Services, code: str) -> dict[str, Any]:
    """Read everything that the story left: rows, changes, versions, quarantine."""
    async with services.database.acquire() as connection:
        table, changes = f'data."{code}"', f'data."{code}__changes"'
        rows = await connection.fetchval(
            f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
        )
        log = await connection.fetchval(
            "SELECT md5(string_agg(concat(_version, _operation, _before::text, _after::text), '|'"
            f" ORDER BY _version, coalesce(_after::text, _before::text))) FROM {changes}"
        )
        versions = await connection.fetch(
            "SELECT version, mode, received_rows, accepted_rows, rejected_rows, inserted_rows, updated_rows,"
            " unchanged_rows, deleted_rows, current_rows FROM exchange.version WHERE resource_code = $1"
            " ORDER BY version",
            code,
        )
        sums = await connection.fetch(
            "SELECT version, station, rows, sum FROM exchange.station_count WHERE resource_code = $1"
            " AND station = 'accepted' ORDER BY 1, 2",
            code,
        )
        rejects = await connection.fetchval(
            "SELECT count(*) FROM exchange.reject WHERE resource_code = $1", code
        )
        counted = await connection.fetchval(f"SELECT count(*) FROM {table}")
        told = await connection.fetchval("SELECT current_rows FROM exchange.resource WHERE code = $1", code)
        leaves = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'batch.published' AND resource_code = $1", code
        )
    assert counted == told
    assert leaves == len(versions)
    return {
        "rows": rows,
        "changes": log,
        "versions": [tuple(version) for version in versions],
        "sums": [tuple(row) for row in sums],
        "rejects": rejects,
    }


@pytest.mark.parametrize("victim", ["hub", "postgres"])
async def test_story_killed_at_random_moments_ends_as_its_untouched_twin(tmp_path: Path, victim: str) -> None:
    rng = random.Random(f"{victim}:{os.environ.get('SHUZHENG_TEST_SEED', '1')}")
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - the server runs as another user where the tests run as root
        server = start_embedded(Path(folder) / "pg")
        settings = Settings(home=tmp_path / "home", database_url=SecretStr(server.url), log_interval_s=0.2)
        try:
            async with open_services(settings) as services:
                world = await open_world(services.database)
                caller = world.provider
                system = str(caller.system_id)
            kills, number = KILLS, 0
            while number < len(MODES) or kills > 0:
                upload = write_batch(tmp_path / f"batch-{number}", number)
                mode = MODES[number % len(MODES)]
                while not await send(settings, upload, mode, number, system, rng, kills, victim, server):
                    kills -= 1
                number += 1
            async with open_services(settings) as services:
                await publish_twin(services, caller, tmp_path, number)
                people, twin = await describe(services, "people"), await describe(services, "twin")
            assert people == twin
            assert len(people["versions"]) == number
        finally:
            server.stop()


async def send(
    settings: Settings,
    upload: Upload,
    mode: Mode,
    number: int,
    system: str,
    rng: random.Random,
    kills: int,
    victim: str,
    server: EmbeddedPostgres,
) -> bool:
    """Publish a batch in a process of its own, killed while kills are left; tell whether it was answered."""
    assert settings.database_url is not None
    environment = os.environ | {
        "SHUZHENG_DATABASE_URL": settings.database_url.get_secret_value(),
        "SHUZHENG_HOME": str(settings.home),
    }
    file = [str(upload.path), str(upload.size_bytes), upload.digest.hex()]
    arguments = [*file, system, PROVIDER, mode, f"k{number}"]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    first = await child.stdout.readline()
    if first != b"begin\n":  # The database is still recovering from the last kill.
        await child.communicate()
        await asyncio.sleep(0.2)
        return await send(settings, upload, mode, number, system, rng, kills, victim, server)
    if kills > 0:
        await asyncio.sleep(rng.uniform(0, 1.2))
        if victim == "postgres":
            await kill_postgres(server)
        elif child.returncode is None:
            child.send_signal(signal.SIGKILL)
    out, _ = await child.communicate()
    return b"done" in out


async def kill_postgres(server: EmbeddedPostgres) -> None:
    """Kill PostgreSQL's postmaster, and start it again as a service manager would, until it answers."""
    os.kill(server.server.get_pid(), signal.SIGKILL)
    async with asyncio.timeout(120):
        while True:
            await asyncio.sleep(0.3)
            try:
                await asyncio.to_thread(server.server.ensure_postgres_running)
                await (await asyncpg.connect(server.url)).close()
            except (OSError, AssertionError, subprocess.SubprocessError, asyncpg.PostgresError):
                continue  # Its children are not all gone yet, or it is still recovering.
            return


async def publish_twin(services: Services, caller: Any, folder: Path, batches: int) -> None:
    """Publish the same story to the twin, undisturbed."""
    from exchange.catalogue import store as catalogue_store

    resource = build_resource("twin")
    async with services.database.transaction() as connection:
        await catalogue_store.save_resource(connection, resource=resource)
        await catalogue_store.create_tables(connection, resource=resource)
    publisher = services.exchange.publisher
    for number in range(batches):
        upload = write_batch(folder / "twin", number)
        await publisher.publish(
            await publisher.require_own("twin", caller=caller),
            upload,
            caller=caller,
            mode=MODES[number % len(MODES)],
            idempotency_key=f"t{number}",
            confirm=True,
        )
