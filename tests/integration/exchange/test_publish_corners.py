"""Publishing where names, times and neighbours are awkward."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from core.settings import Settings
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import body, grant, ok, publish, send

KEY = {"name": "code", "title": "编号", "format": "C..10", "is_key": True, "is_required": True}
NAMES = ["t", "s", "d", "c", "old", "new", "now", "held", "row", "before", "after", "k0"]


def item(name: str, form: str = "C..20") -> dict[str, Any]:
    return {"name": name, "title": f"项{name}", "format": form}


async def write_rows(hub: RunningHub, content: str, key: str) -> httpx.Response:
    headers = hub.members["market"].headers | {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
    return await hub.client.post("/v1/resources/things/rows", content=content, headers=headers)


async def send_batch(hub: RunningHub, content: Any, key: str, **params: str) -> httpx.Response:
    headers = hub.members["market"].headers | {"Idempotency-Key": key, "Content-Type": "text/csv"}
    return await hub.client.post(
        "/v1/resources/things/batches", content=content, params=params, headers=headers
    )


async def test_items_may_have_any_plain_name(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body(items=[KEY, *map(item, NAMES)]))
    head = ",".join(["code", *NAMES])

    def line(code: str, value: str) -> str:
        return ",".join([code, *[value] * len(NAMES)])

    for number, (lines, mode) in enumerate(
        [
            ([line("a", "1"), line("b", "1"), line("c", "1")], "upsert"),
            ([line("a", "2"), line("d", "1")], "upsert"),
            ([line("a", "2"), line("c", "3"), line("d", "1")], "snapshot"),
        ]
    ):
        answer = await send_batch(hub, "\n".join([head, *lines]), f"k{number}", mode=mode, confirm="true")
        assert answer.status_code == 200, answer.text
    answer = await send_batch(hub, "code\nd\n", "k9", mode="delete")
    assert answer.status_code == 200, answer.text
    answer = await write_rows(hub, json.dumps({"code": "q", "t": "1", "old": "1"}), "k10")
    assert answer.status_code == 200, answer.text
    await grant(hub, "things", ["code", *NAMES], ["query", "subscribe"])
    asked = {"where": {"old": "1"}, "as_of_version": 1}
    found = await ok(hub, "POST", "/v1/resources/things/query", asked, who="approval")
    assert {row["code"] for row in found["rows"]} == {"a", "b", "c"}
    feed = await ok(hub, "POST", "/v1/subscriptions", {"resource": "things", "from": "start"}, who="approval")
    told = await send(hub, "GET", f"/v1/subscriptions/{feed['id']}/changes", who="approval")
    assert told.status_code == 200, told.text


@pytest.mark.parametrize("name", ["ctid", "xmin", "tableoid"])
async def test_name_of_a_system_column_is_refused(hub: RunningHub, name: str) -> None:
    answer = await send(hub, "POST", "/v1/resources", body(items=[KEY, item(name)]))
    assert answer.status_code in {400, 422}
    assert name in answer.text


async def test_second_that_is_of_no_year_in_utc_is_refused(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body(items=[KEY, item("at", "YYYYMMDDhhmmss")]))
    rows = "a,00010101075959\nb,00010101080000\nc,99991231235959\n"
    answer = await send_batch(hub, f"code,at\n{rows}", "k")
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 1), answer.text
    await grant(hub, "things", ["code", "at"], ["query", "verify", "subscribe"])
    found = await ok(hub, "POST", "/v1/resources/things/query", {"keys": {"code": "b"}}, who="approval")
    assert len(found["rows"]) == 1
    for value in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+08:00", "00010101000000"):
        asked = {"where": {"at": value}}
        answer = await send(hub, "POST", "/v1/resources/things/query", asked, who="approval")
        assert answer.status_code in {400, 422}, (value, answer.text)


async def test_publishes_that_wait_leave_connections_to_others(
    hub: RunningHub, hub_settings: Settings
) -> None:
    for code in ("things", "others"):
        await ok(hub, "POST", "/v1/resources", body(code=code, title=code, items=[KEY, item("name")]))
    await publish(hub, "things", "code,name\na,1\n", "k1")
    await publish(hub, "others", "code,name\na,1\n", "k2")
    await grant(hub, "others", ["code", "name"], ["query"])
    assert hub_settings.database_url is not None
    holder = await asyncpg.connect(hub_settings.database_url.get_secret_value())
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM exchange.resource WHERE code = 'things' FOR NO KEY UPDATE")
        waiting = [
            asyncio.create_task(send_batch(hub, f"code,name\nx{number},1\n", f"w{number}"))
            for number in range(hub_settings.database_pool_size + 2)
        ]
        await asyncio.sleep(1)
        asked = {"keys": {"code": "a"}}
        for _ in range(3):
            await ok(hub, "POST", "/v1/resources/others/query", asked, who="approval")
        assert not any(each.done() for each in waiting)
    await holder.close()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}


async def test_rows_that_wait_behind_a_failing_write_are_answered(hub: RunningHub) -> None:
    long = KEY | {"format": "C..4000"}
    await ok(hub, "POST", "/v1/resources", body(items=[long, item("name")]))
    await publish(hub, "things", "code,name\na,1\n", "k1")
    lengthy = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(3900))
    writes = [json.dumps({"code": code, "name": "x"}) for code in (lengthy, lengthy, "b")]
    async with asyncio.timeout(30):
        answers = await asyncio.gather(
            *(write_rows(hub, content, f"r{number}") for number, content in enumerate(writes))
        )
    assert answers[2].status_code in {200, 503}
    again = await write_rows(hub, writes[2], "r9")
    assert again.status_code == 200, again.text


async def test_recalled_resource_takes_no_rows_and_no_batch_under_way(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body(items=[KEY, item("name")]))
    await publish(hub, "things", "code,name\na,1\n", "k1")
    recalled = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"code,name\n"
        await recalled.wait()
        yield b"z,1\n"

    under_way = asyncio.create_task(send_batch(hub, slow(), "slow"))
    await asyncio.sleep(0.2)
    await ok(hub, "POST", "/v1/resources/things/recall", {"reason": "数据有误"})
    recalled.set()
    late = await under_way
    assert (late.status_code, late.json()["code"]) == (409, "RESOURCE-CLOSED")
    rows = await write_rows(hub, json.dumps({"code": "c", "name": "x"}), "k3")
    assert (rows.status_code, rows.json()["code"]) == (409, "RESOURCE-CLOSED")
