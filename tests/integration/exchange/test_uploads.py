"""Uploads in parts survive cut connections; single rows share a version and are answered one by one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from exchange.publish.uploads import CutConnection
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register, rows_of

PART = {"Content-Type": "application/offset+octet-stream"}
CONTENT = b"code,name\n" + b"".join(b"%d,x\n" % number for number in range(2000))


async def begin(hub: RunningHub, **changes: Any) -> str:
    body = {"content_type": "text/csv", "length": len(CONTENT)} | changes
    answer = await hub.client.post(
        "/v1/resources/things/uploads", json=body, headers=hub.members["market"].headers
    )
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


async def append(hub: RunningHub, path: str, offset: int, data: bytes) -> httpx.Response:
    headers = hub.members["market"].headers | PART | {"Upload-Offset": str(offset)}
    return await hub.client.patch(path, content=data, headers=headers)


async def finish(hub: RunningHub, path: str, key: str, **headers: str) -> httpx.Response:
    return await hub.client.post(
        f"{path}/publish", headers=hub.members["market"].headers | {"Idempotency-Key": key} | headers
    )


async def test_upload_in_parts_is_published_as_if_sent_at_once(hub: RunningHub) -> None:
    await register(hub)
    path = await begin(hub)
    assert (await append(hub, path, 0, CONTENT[:5000])).headers["upload-offset"] == "5000"
    early = await finish(hub, path, "k")
    assert (early.status_code, early.json()["code"]) == (409, "STATE-CONFLICT")
    again = await append(hub, path, 0, CONTENT[:5000])
    assert again.status_code == 409
    head = await hub.client.head(path, headers=hub.members["market"].headers)
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("5000", str(len(CONTENT)))
    assert (await append(hub, path, 5000, CONTENT[5000:])).status_code == 204
    answer = await finish(hub, path, "k")
    assert answer.json()["accepted"] == 2000, answer.text
    assert list(hub.services.objects.keys("uploads/")) == []
    assert (await hub.client.head(path, headers=hub.members["market"].headers)).status_code == 404
    at_once = await publish(hub, CONTENT, "k")
    assert at_once.headers["idempotency-replayed"] == "true"
    assert at_once.json() == answer.json()
    assert list(hub.services.settings.spool_dir.iterdir()) == []


async def test_connection_cut_in_a_part_keeps_what_came(hub: RunningHub) -> None:
    await register(hub)
    path = await begin(hub)
    service, member = hub.services.intake.uploads, hub.members["market"]
    caller = (await hub.services.tokens.authenticate(member.token)).caller
    resource = await hub.services.exchange.publisher.require_own("things", caller=caller)

    async def cut() -> Any:
        yield CONTENT[:3000]
        raise CutConnection

    from uuid import UUID

    upload = await service.append(
        resource, UUID(path.rsplit("/", 1)[1]), caller=caller, offset_bytes=0, body=cut()
    )
    assert upload.offset_bytes == 3000
    assert (await append(hub, path, 3000, CONTENT[3000:])).status_code == 204
    assert (await finish(hub, path, "k")).json()["accepted"] == 2000


async def test_two_parts_at_one_offset_at_once_are_taken_once(hub: RunningHub) -> None:
    await register(hub)
    path = await begin(hub)
    answers = await asyncio.gather(*(append(hub, path, 0, CONTENT) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409]
    assert (await finish(hub, path, "k")).json()["accepted"] == 2000
    assert list(hub.services.objects.keys("uploads/")) == []


async def test_upload_answered_later_tells_its_outcome_with_the_batch(hub: RunningHub) -> None:
    await register(hub)
    for content, state in ((CONTENT, "published"), (b"wrong,header\n1,2\n", "failed")):
        path = await begin(hub, length=len(content))
        await append(hub, path, 0, content)
        answer = await finish(hub, path, state, Prefer="respond-async")
        assert answer.status_code == 202, answer.text
        batch: dict[str, Any] = {"state": "receiving"}
        async with asyncio.timeout(30):
            while batch["state"] == "receiving":
                found = await hub.client.get(
                    answer.headers["location"], headers=hub.members["market"].headers
                )
                batch = found.json()
                await asyncio.sleep(0.02)
        assert batch["state"] == state
    assert batch["problem"]["code"] == "INPUT-SCHEMA"
    assert batch["problem"]["errors"][0]["code"] == "UNKNOWN-COLUMN"


async def test_upload_asked_for_again_while_it_is_published_is_not_read_again(hub: RunningHub) -> None:
    await register(hub)
    path = await begin(hub)
    await append(hub, path, 0, CONTENT)
    async with hub.services.database.transaction() as connection:
        await connection.execute("SELECT 1 FROM exchange.resource WHERE code = 'things' FOR NO KEY UPDATE")
        answers = [await finish(hub, path, "k", Prefer="respond-async") for _ in range(3)]
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert len(list(hub.services.settings.spool_dir.iterdir())) == 1
        # with another key it would be another batch, and needs the body
        other = await finish(hub, path, "other", Prefer="respond-async")
        assert other.headers["location"] != answers[0].headers["location"]
        foreign = await hub.client.post(
            f"{path}/publish",
            headers=hub.members["police"].headers | {"Idempotency-Key": "k", "Prefer": "respond-async"},
        )
        assert foreign.status_code == 403
    async with asyncio.timeout(30):
        while list(hub.services.settings.spool_dir.iterdir()):
            await asyncio.sleep(0.02)
    found = await hub.client.get(answers[0].headers["location"], headers=hub.members["market"].headers)
    assert (found.json()["state"], found.json()["accepted"]) == ("published", 2000)


async def test_upload_that_is_too_long_or_of_another_system_is_refused(hub: RunningHub) -> None:
    await register(hub)
    hub.services.settings.__dict__["max_batch_bytes"] = 10_000
    path = await begin(hub, length=100)
    assert (await append(hub, path, 0, CONTENT[:101])).status_code == 400
    other = await hub.client.head(path, headers=hub.members["police"].headers)
    assert other.status_code == 403
    body = {"content_type": "text/html", "length": 5}
    wrong = await hub.client.post(
        "/v1/resources/things/uploads", json=body, headers=hub.members["market"].headers
    )
    assert wrong.status_code == 415
    assert (await hub.client.delete(path, headers=hub.members["market"].headers)).status_code == 204


async def write(hub: RunningHub, rows: list[dict[str, Any]] | str, key: str, **params: str) -> httpx.Response:
    body = rows if isinstance(rows, str) else "\n".join(json.dumps(row) for row in rows)
    return await hub.client.post(
        "/v1/resources/things/rows",
        content=body,
        params=params,
        headers=hub.members["market"].headers
        | {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"},
    )


async def test_rows_written_at_once_share_versions_and_each_gets_its_own_answer(hub: RunningHub) -> None:
    await register(hub)
    answers = await asyncio.gather(
        *(write(hub, [{"code": f"{n}", "name": "" if n % 10 == 0 else "x"}], f"k{n}") for n in range(60))
    )
    assert {answer.status_code for answer in answers} == {200}
    told = [answer.json() for answer in answers]
    assert [answer["rejected"] for answer in told] == [int(n % 10 == 0) for n in range(60)]
    assert told[10]["rejects"][0]["line"] == 1
    assert told[10]["rejects"][0]["reasons"][0]["code"] == "REQUIRED"
    assert len(await rows_of(hub)) == 54
    async with hub.services.database.acquire() as connection:
        versions = await connection.fetchval("SELECT count(*) FROM exchange.version")
    assert versions < 20
    again = await write(hub, [{"code": "1", "name": "x"}], "k1")
    assert again.json() == told[1] | {"replayed": True}
    assert (await write(hub, [{"code": "1", "name": "y"}], "k1")).status_code == 409


async def test_writes_to_one_key_take_effect_in_the_order_they_came(hub: RunningHub) -> None:
    await register(hub)
    answers = await asyncio.gather(*(write(hub, [{"code": "1", "name": f"n{n}"}], f"k{n}") for n in range(8)))
    assert {answer.json()["accepted"] for answer in answers} == {1}
    newest = max(range(8), key=lambda n: answers[n].json()["version"])
    assert [row["name"] for row in await rows_of(hub)] == [f"n{newest}"]
    gone = await write(hub, [{"code": "1"}], "gone", mode="delete")
    assert gone.json()["accepted"] == 1
    assert await rows_of(hub) == []


async def test_rows_that_are_no_rows_are_refused(hub: RunningHub) -> None:
    await register(hub)
    for body, status in (
        ("", 400),
        ("[1]", 400),
        ("{bad", 400),
        ('{"code": "1", "colour": "red"}', 422),
        ('{"name": "x"}', 422),
        ("\n".join('{"code": "1", "name": "x"}' for _ in range(1001)), 413),
    ):
        answer = await write(hub, body, "k")
        assert answer.status_code == status, (body[:40], answer.text)
    assert (await write(hub, [{"code": "1", "name": "x"}], "k", mode="snapshot")).status_code == 415
    assert await rows_of(hub) == []
