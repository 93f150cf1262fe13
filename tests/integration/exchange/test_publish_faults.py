"""What goes wrong around a publish ends in one clear answer, and changes nothing."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from core.settings import Settings
from exchange.publish.media import NDJSON
from hub.app import create_app
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import ITEMS, publish, register, rows_of


async def require_untouched(hub: RunningHub) -> None:
    """Require that no row, version or file is left."""
    assert await rows_of(hub) == []
    async with hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM exchange.version") == 0
    assert list(hub.services.settings.spool_dir.iterdir()) == []


async def test_disk_that_refuses_the_upload_gives_503_and_changes_nothing(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(hub)

    async def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("exchange.publish.receive._spool", full)
    answer = await publish(hub, "code,name\n1,甲\n", "k")
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE-UNAVAILABLE")
    await require_untouched(hub)
    monkeypatch.undo()
    assert (await publish(hub, "code,name\n1,甲\n", "k")).json()["accepted"] == 1


async def test_object_store_that_refuses_a_part_keeps_the_upload_where_it_was(hub: RunningHub) -> None:
    await register(hub)
    headers = hub.members["market"].headers
    body = {"content_type": "text/csv", "length": 16}
    made = await hub.client.post("/v1/resources/things/uploads", json=body, headers=headers)
    path = made.headers["location"]
    part = headers | {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    folder = Path(hub.services.settings.home) / "objects"
    (folder / "uploads").write_text("in the way of the folder")
    refused = await hub.client.patch(path, content=b"code,name\n1,abc\n", headers=part)
    assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE-UNAVAILABLE")
    assert (await hub.client.head(path, headers=headers)).headers["upload-offset"] == "0"
    (folder / "uploads").unlink()
    assert (await hub.client.patch(path, content=b"code,name\n1,abc\n", headers=part)).status_code == 204


async def test_connection_cut_in_mid_upload_leaves_nothing(
    hub: RunningHub, caplog: pytest.LogCaptureFixture
) -> None:
    await register(hub)
    server = uvicorn.Server(uvicorn.Config(hub.app, port=0, lifespan="off", log_level="error"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    _, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname()[:2])
    token = hub.members["market"].headers["Authorization"]
    writer.write(
        f"POST /v1/resources/things/batches HTTP/1.1\r\nHost: hub\r\nAuthorization: {token}\r\n"
        "Content-Type: text/csv\r\nIdempotency-Key: k\r\nContent-Length: 5000000\r\n\r\n"
        f"code,name\n{'1,x' * 100_000}".encode()
    )
    await writer.drain()
    spool = hub.services.settings.spool_dir
    async with asyncio.timeout(20):
        while not list(spool.iterdir()):
            await asyncio.sleep(0.02)
    writer.close()
    async with asyncio.timeout(20):
        while list(spool.iterdir()):
            await asyncio.sleep(0.02)
    server.should_exit = True
    await task
    await require_untouched(hub)
    assert not [record for record in caplog.records if "unexpected error" in record.message]


async def test_two_hubs_on_one_database_publish_the_same_batch_once(
    hub: RunningHub, hub_settings: Settings, tmp_path: Path
) -> None:
    await register(hub)
    content = "code,name\n" + "".join(f"{number},名\n" for number in range(5000))
    second = create_app(hub_settings.model_copy(update={"accounting_interval_s": 0.1}))
    async with second.router.lifespan_context(second):
        transport = httpx.ASGITransport(app=second, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://two.test", timeout=60) as client:
            headers = hub.members["market"].headers | {"Idempotency-Key": "k", "Content-Type": "text/csv"}
            path = "/v1/resources/things/batches"
            answers = await asyncio.gather(
                *(each.post(path, content=content, headers=headers) for each in (hub.client, client) * 2)
            )
            assert {answer.status_code for answer in answers} <= {200, 409}
            told = [answer.json() for answer in answers if answer.status_code == 200]
            assert told
            assert all(answer == told[0] for answer in told)
            more = await asyncio.gather(
                *(
                    each.post(
                        path, content=f"code,name\nn{n},x\n", headers=headers | {"Idempotency-Key": f"{n}"}
                    )
                    for n, each in enumerate((hub.client, client) * 3)
                )
            )
            assert sorted(answer.json()["version"] for answer in more) == [2, 3, 4, 5, 6, 7]
    assert len(await rows_of(hub)) == 5006


async def test_publish_to_another_resource_does_not_wait_and_readers_are_not_blocked(hub: RunningHub) -> None:
    await register(hub)
    await register(hub, "others")
    await publish(hub, "code,name\n1,甲\n", "a")
    async with hub.services.database.transaction() as holder:
        await holder.execute("SELECT 1 FROM exchange.resource WHERE code = 'things' FOR NO KEY UPDATE")
        queued = asyncio.create_task(publish(hub, "code,name\n2,乙\n", "b"))
        other = await asyncio.wait_for(publish(hub, "code,name\n1,甲\n", "c", resource="others"), 20)
        assert other.json()["accepted"] == 1
        assert [row["code"] for row in await rows_of(hub)] == ["1"]
        assert not queued.done()
    assert (await queued).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("code," + ",".join(f"c{n}" for n in range(999)) + "\n1" + "," * 999 + "\n", 422),
        ("code,name\n1," + "x" * 10_000_000 + "\n", 200),
        ("x" * 2_000_000, 400),
        ('code,"; DROP TABLE data.things; --"\n1,2\n', 422),
        ("code\x00,name\n1,2\n", 422),
        ("code,name\n1\x00,x\n", 200),
        ("code,name\r\n1,x\r\n2,y\n3,z\r4,w\n", 200),
    ],
    ids=["1000-columns", "10MB-cell", "no-lines", "hostile-name", "nul-header", "nul-cell", "mixed-ends"],
)
async def test_hostile_file_gets_one_clear_answer(hub: RunningHub, content: str, status: int) -> None:
    await register(hub)
    answer = await publish(hub, content, "k")
    assert answer.status_code == status, answer.text[:300]
    assert len(answer.content) < 40_000
    if status != 200:
        await require_untouched(hub)
        assert "xxxxx" not in answer.text


async def test_mixed_line_ends_lose_no_row(hub: RunningHub) -> None:
    await register(hub)
    answer = (await publish(hub, "code,name\r\n1,x\r\n2,y\n3,z\r4,w\n", "k")).json()
    assert answer["received"] == answer["accepted"] + answer["rejected"]
    assert [row["code"] for row in await rows_of(hub)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["order", "table", "a" * 60, "Select", "user", "_version"])
async def test_item_named_like_sql_works_or_is_refused_at_registration(hub: RunningHub, name: str) -> None:
    body = {
        "code": "things",
        "title": "物品",
        "theme": "other",
        "update_cycle": "daily",
        "items": [ITEMS[0], {"name": name, "title": "t", "format": "C..20"}],
    }
    made = await hub.client.post("/v1/resources", json=body, headers=hub.members["market"].headers)
    if made.status_code != 201:
        assert made.status_code == 422, made.text
        return
    for key, mode in (("a", "upsert"), ("b", "upsert"), ("c", "snapshot"), ("d", "delete")):
        answer = await publish(hub, f"code,{name}\n1,{key}\n", key, mode=mode, confirm="true")
        assert answer.status_code == 200, answer.text


async def test_huge_line_of_ndjson_is_refused(hub: RunningHub) -> None:
    await register(hub)
    body = '{"code": "1", "name": "' + "x" * 17_000_000 + '"}\n'
    answer = await publish(hub, body, "k", content_type=NDJSON)
    assert answer.status_code == 400
    await require_untouched(hub)
