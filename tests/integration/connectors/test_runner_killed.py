"""Connectors as processes against a real hub: kill -9, a hub that is away, refused rows, deletes by diff."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import asyncpg
import pytest

from connectors import HubClient
from core.settings import Settings
from tests.integration.connectors.hub_world import (
    ITEMS,
    THINGS,
    kill,
    make_publisher,
    run,
    start,
    write_config,
    write_rows,
)
from tests.processes import hub_process

ROWS = 16_000


async def read_hub(settings: Settings) -> tuple[dict[str, str], list[str]]:
    """Return the rows of the resource, and the operations that its change log holds."""
    assert settings.database_url is not None
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        rows = await connection.fetch("SELECT id, name FROM data.things")
        changes = await connection.fetch("SELECT _operation::text AS done FROM data.things__changes")
    finally:
        await connection.close()
    return {row["id"]: row["name"] for row in rows}, [row["done"] for row in changes]


@pytest.mark.parametrize(
    ("seed", "source", "options"),
    [(0, "", ""), (1, "#", 'full_reading = "diff"')],
)
async def test_kill_9_of_the_runner_loses_and_doubles_nothing(
    hub_settings: Settings, tmp_path: Path, seed: int, source: str, options: str
) -> None:
    rng = Random(seed)
    credentials = await make_publisher(hub_settings)
    write_rows(tmp_path / "a.db", ROWS)
    kills = 0
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        client.post("/v1/resources", THINGS)
        config = write_config(tmp_path, hub, credentials, run=options, source=source)
        for _ in range(4):
            runner = start(config, credentials)
            kills += kill(runner, after_events=rng.randint(1, 4), after_s=rng.uniform(0, 0.1))
        code, events, trouble = await asyncio.to_thread(run, config, credentials)
    assert (code, trouble) == (0, "")
    assert kills
    rows, changes = await read_hub(hub_settings)
    assert rows == {str(n): f"第{n}行" for n in range(ROWS)}
    # Every row was inserted once: nothing came a second time, and nothing was changed back and forth.
    assert changes == ["insert"] * ROWS
    assert events[-1]["waiting"] == 0
    assert not list((tmp_path / "things.state" / "spool").iterdir())


async def test_hub_that_is_away_makes_parcels_wait_and_later_gets_them_in_order(
    hub_settings: Settings, tmp_path: Path
) -> None:
    credentials = await make_publisher(hub_settings)
    write_rows(tmp_path / "a.db", 5000)
    config = write_config(tmp_path, "http://127.0.0.1:9", credentials, run="patience_s = 0.2")
    code, events, trouble = await asyncio.to_thread(run, config, credentials)
    assert (code, trouble.strip()) == (75, "3 parcels wait for the sink; the next run brings them")
    assert [event["event"] for event in events].count("spooled") == 3
    write_rows(tmp_path / "a.db", 10, name="新{}")
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        client.post("/v1/resources", THINGS)
        config = write_config(tmp_path, hub, credentials)
        code, events, _ = await asyncio.to_thread(run, config, credentials)
        assert code == 0
        written = [event for event in events if event["event"] == "written"]
        again = await asyncio.to_thread(run, config, credentials)
    assert [event["parcel"] for event in written] == [1, 2, 3, 4]
    assert sum(event["accepted"] for event in written) == 5010
    assert [event["event"] for event in again[1]] == ["started", "stopped"]
    rows, _ = await read_hub(hub_settings)
    assert (len(rows), rows["0"], rows["9"], rows["10"]) == (5000, "新0", "新9", "第10行")


async def test_refused_rows_are_counted_and_saved_beside_the_state(
    hub_settings: Settings, tmp_path: Path
) -> None:
    credentials = await make_publisher(hub_settings)
    write_rows(tmp_path / "a.db", 50)
    write_rows(tmp_path / "a.db", 2, start=7, name="过长的名称" * 9)
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        client.post("/v1/resources", THINGS)
        config = write_config(tmp_path, hub, credentials)
        code, events, _ = await asyncio.to_thread(run, config, credentials)
    written = [event for event in events if event["event"] == "written"]
    assert (code, written[0]["accepted"], written[0]["rejected"]) == (0, 48, 2)
    assert written[0]["reasons"] == {"LENGTH": 2}
    saved = tmp_path / "things.state" / "rejects" / "00000001.ndjson"
    assert saved.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    assert sorted(line["id"] for line in lines) == ["7", "8"]
    assert "过长" not in json.dumps(events, ensure_ascii=False)


async def test_diff_sends_what_changed_and_deletes_what_is_gone(
    hub_settings: Settings, tmp_path: Path
) -> None:
    credentials = await make_publisher(hub_settings)
    write_rows(tmp_path / "a.db", 3000)
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        client.post("/v1/resources", THINGS)
        config = write_config(tmp_path, hub, credentials, run='full_reading = "diff"', source="#")
        assert (await asyncio.to_thread(run, config, credentials))[0] == 0
        write_rows(tmp_path / "a.db", 2, start=100, name="改{}")
        _execute(tmp_path / "a.db", "DELETE FROM t WHERE id >= 2990")
        code, events, _ = await asyncio.to_thread(run, config, credentials)
        written = [event for event in events if event["event"] == "written"]
        assert (code, [(e["operation"], e["rows"]) for e in written]) == (0, [("upsert", 2), ("delete", 10)])
        _execute(tmp_path / "a.db", "DELETE FROM t WHERE id >= 1000")
        code, _, trouble = await asyncio.to_thread(run, config, credentials)
        assert code == 1
        assert "1990 of 2990 rows are gone" in trouble
    rows, _ = await read_hub(hub_settings)
    assert (len(rows), rows["100"], rows["101"], rows["102"]) == (2990, "改100", "改101", "第102行")


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [("C..10", "7 ", "7"), ("C..10", "7", " 7"), ("n..10", "７", "7"), ("n..10", "7 ", "７")],
)
async def test_diff_keeps_the_row_whose_key_is_only_spelt_anew(
    hub_settings: Settings, tmp_path: Path, kind: str, before: str, after: str
) -> None:
    credentials = await make_publisher(hub_settings)
    _execute(tmp_path / "a.db", "CREATE TABLE t (id TEXT PRIMARY KEY, name TEXT, changed TEXT, seq INTEGER)")
    write_rows(tmp_path / "a.db", 3)
    _execute(tmp_path / "a.db", f"INSERT INTO t VALUES ('{before}', '第七行', '2026-03-04', 9)")
    identifier, *rest = ITEMS
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        client.post("/v1/resources", THINGS | {"items": [identifier | {"format": kind}, *rest]})
        config = write_config(tmp_path, hub, credentials, run='full_reading = "diff"', source="#")
        unmapped = config.read_text(encoding="utf-8").partition("[mapping]")[0].replace(', "seq"]', "]")
        config.write_text(unmapped, encoding="utf-8")
        assert (await asyncio.to_thread(run, config, credentials))[0] == 0
        _execute(tmp_path / "a.db", f"UPDATE t SET id = '{after}' WHERE id = '{before}'")
        assert (await asyncio.to_thread(run, config, credentials))[0] == 0
        assert (await read_hub(hub_settings))[0]["7"] == "第七行"
        code, events, _ = await asyncio.to_thread(run, config, credentials)
        assert (code, [event for event in events if event["event"] == "written"]) == (0, [])


async def test_parcel_that_the_hub_refuses_stops_the_run_and_can_be_parked(
    hub_settings: Settings, tmp_path: Path
) -> None:
    credentials = await make_publisher(hub_settings)
    write_rows(tmp_path / "a.db", 5)
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        config = write_config(tmp_path, hub, credentials)
        code, events, trouble = await asyncio.to_thread(run, config, credentials)
        assert (code, events[-1]["event"]) == (1, "failed")
        assert "parcel 1 is not taken: 404 NOT-FOUND" in trouble
        assert "Traceback" not in trouble
        status = await asyncio.to_thread(_command, "status", config, credentials)
        assert status.returncode == 1
        assert "404 NOT-FOUND" in json.loads(status.stdout)["trouble"]
        assert (await asyncio.to_thread(_command, "park", config, credentials, "1")).returncode == 0
        client.post("/v1/resources", THINGS)
        write_rows(tmp_path / "a.db", 1, start=9)
        code, _, trouble = await asyncio.to_thread(run, config, credentials)
        assert (code, trouble) == (0, "")
        assert (await asyncio.to_thread(_command, "unpark", config, credentials, "1")).returncode == 1
        unparked = await asyncio.to_thread(_command, "unpark", config, credentials, "1", "--anyway")
        assert unparked.returncode == 0
        assert (await asyncio.to_thread(run, config, credentials))[0] == 0
    rows, _ = await read_hub(hub_settings)
    assert sorted(rows) == ["0", "1", "2", "3", "4", "9"]


async def test_two_runners_of_one_state_are_refused_and_sigterm_ends_a_scheduled_one(
    hub_settings: Settings, tmp_path: Path
) -> None:
    credentials = await make_publisher(hub_settings)
    write_rows(tmp_path / "a.db", 5)
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        client.post("/v1/resources", THINGS)
        config = write_config(tmp_path, hub, credentials, run="every_s = 0.1")
        process = start(config, credentials)
        await _until(lambda: b"caught_up" in _health(tmp_path), process)
        code, _, trouble = await asyncio.to_thread(run, config, credentials)
        assert (code, "another process runs this connector" in trouble) == (1, True)
        write_rows(tmp_path / "a.db", 1, start=50)

        def has_come() -> bool:
            batches = client.get("/v1/resources/things/batches")
            return len(batches) == 2 and all(batch["state"] == "published" for batch in batches)

        await _until(has_come, process)
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
        process.communicate()


def _health(folder: Path) -> bytes:
    path = folder / "things.state" / "health.json"
    return path.read_bytes() if path.exists() else b""


async def _until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(400):
        assert process.poll() is None, process.communicate()
        if await asyncio.to_thread(holds):
            return
        await asyncio.sleep(0.05)
    pytest.fail("it did not come")


def _execute(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(statement)
    connection.close()


def _command(
    name: str, config: Path, credentials: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connectors", name, str(config), *arguments],
        env=os.environ | {"A_SECRET": credentials["client_secret"]},
        capture_output=True,
        text=True,
        check=False,
    )
