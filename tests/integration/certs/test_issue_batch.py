"""Batches, dry runs, rows that certificates rest on, and what a killed issue leaves behind."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from certs.issue import keep
from certs.issue.record import Recorder
from certs.issue.rows import RowReference, SourceRow, build_fingerprint
from core.errors import Unavailable
from core.log.model import Event
from signing import sm3
from tests.integration.certs.conftest import World
from tests.integration.certs.test_certificates import (
    ORDER,
    count,
    events_of,
    fetch,
    issue,
    register_seal,
)


def orders(number: int) -> list[dict[str, Any]]:
    return [ORDER | {"number": f"NO{n:05d}"} for n in range(number)]


async def send(
    world: World, lines: list[dict[str, Any] | str], *, key: str | None = None, **params: str
) -> Any:
    body = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines) + "\n"
    headers = world.hub.members["market"].headers | ({"Idempotency-Key": key} if key else {})
    return await world.client.post(
        "/v1/certificates/batch", content=body.encode(), headers=headers, params=params
    )


def told(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_batch_answers_each_order_on_its_own(world: World) -> None:
    await register_seal(world)
    good = orders(120)
    bad = ORDER | {"number": "X", "data": {"LX": ""}}
    again = good[3]
    lines: list[dict[str, Any] | str] = [*good, "{", bad, again, {"unknown": 1}]
    *results, sums = told(await send(world, lines))
    assert [each["line"] for each in results] == list(range(1, 125))
    assert {each["status"] for each in results[:120]} == {"issued"}
    assert [each["status"] for each in results[120:]] == ["failed"] * 4
    assert [each["error"]["code"] for each in results[120:]] == [
        "INPUT-SCHEMA",
        "INPUT-SCHEMA",
        "STATE-CONFLICT",
        "INPUT-SCHEMA",
    ]
    assert "/data/FDDBR" in {error["pointer"] for error in results[121]["error"]["errors"]}
    assert sums == {
        "done": True,
        "orders": 124,
        "issued": 120,
        "again": 0,
        "would_issue": 0,
        "failed": 4,
    }
    assert await count(world, "certs.certificate") == 120
    assert await count(world, f"core.log_leaf WHERE event = '{Event.CERTIFICATE_ISSUED}'") == 120


async def test_batch_signs_on_though_its_seal_was_opened_at_the_end_of_its_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register_seal(world)
    await issue(world)
    plan = world.certs.issue.preparer.plan

    def plan_late(*given: Any, **named: Any) -> Any:
        world.clock.ahead = timedelta(seconds=62)
        return plan(*given, **named)

    monkeypatch.setattr(world.certs.issue.preparer, "plan", plan_late)
    world.clock.ahead = timedelta(seconds=58)
    *_, sums = told(await send(world, [*orders(3)]))
    assert sums["issued"] == 3


async def test_two_orders_of_one_number_in_a_batch_issue_one(world: World) -> None:
    await register_seal(world)
    first, second, _ = told(await send(world, [ORDER, ORDER]))
    assert [first["status"], second["status"]] == ["issued", "failed"]
    assert await count(world, "certs.certificate") == 1
    assert await count(world, "certs.status_change") == 1


async def test_batch_sent_again_under_its_key_issues_nothing_twice(world: World) -> None:
    await register_seal(world)
    lines: list[dict[str, Any] | str] = [*orders(3)]
    first = told(await send(world, lines, key="b1"))
    more: list[dict[str, Any] | str] = [*orders(5)]
    second = told(await send(world, more, key="b1"))
    assert [each["status"] for each in second[:-1]] == ["again"] * 3 + ["issued"] * 2
    assert [each["identifier"] for each in second[:3]] == [each["identifier"] for each in first[:3]]
    changed = told(await send(world, [ORDER | {"number": "OTHER"}], key="b1"))
    assert changed[0]["error"]["code"] == "IDEMPOTENCY-CONFLICT"
    assert await count(world, "certs.certificate") == 5


async def test_dry_run_of_a_batch_and_of_one_changes_nothing(world: World) -> None:
    await register_seal(world)
    first, second, sums = told(await send(world, [ORDER, ORDER | {"number": ""}], dry_run="true"))
    assert (first["status"], second["status"], sums["would_issue"]) == ("would_issue", "failed", 1)
    market = world.hub.members["market"].headers
    preview = await world.client.post("/v1/certificates/preview", json=ORDER, headers=market)
    assert preview.json()["identifier"] == first["identifier"]
    assert preview.json()["metadata"]["CZZT"] == ORDER["holder"]["name"]
    assert await count(world, "certs.certificate") == 0
    assert list(world.hub.services.objects.keys("certificates/")) == []
    assert (await issue(world))["identifier"] == first["identifier"]
    taken = await world.client.post("/v1/certificates/preview", json=ORDER, headers=market)
    assert taken.status_code == 409


async def test_batch_over_its_limit_is_refused_whole(world: World) -> None:
    await register_seal(world)
    answer = await send(world, ["{}"] * 10_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "INPUT-TOO-LARGE")
    long = told(await send(world, ["x" * 300_000, ORDER]))
    assert [each["status"] for each in long[:-1]] == ["failed", "issued"]


async def test_batch_without_a_seal_fails_each_line_and_says_why(world: World) -> None:
    result, _ = told(await send(world, [ORDER]))
    assert (result["status"], result["error"]["code"]) == ("failed", "NOT-FOUND")


async def test_issue_whose_row_fails_leaves_an_orphan_that_is_collected_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register_seal(world)
    kept = await issue(world)

    async def fail(*_: Any, **__: Any) -> None:
        msg = "the database went away"
        raise Unavailable(msg)

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "record", fail)
        answer = await world.client.post(
            "/v1/certificates",
            json=ORDER | {"number": "LOST"},
            headers=world.hub.members["market"].headers,
        )
        assert answer.status_code == 503
    keys = set(world.hub.services.objects.keys("certificates/"))
    assert len(keys) == 2
    admin = world.hub.admin.headers
    path = "/v1/certificates/orphans/collect"
    assert (await world.client.post(path, headers=admin)).json() == {"removed": 0, "waiting": 1}
    assert set(world.hub.services.objects.keys("certificates/")) == keys
    world.clock.ahead = timedelta(minutes=61)
    again = await world.client.post("/v1/oauth/token", data={"grant_type": "x"})
    assert again.status_code >= 400
    done = await world.certs.orphans.collect(actor=None)
    assert (done.removed, done.waiting) == (1, 0)
    [left] = world.hub.services.objects.keys("certificates/")
    assert kept["digest"].removeprefix("sm3:") in left


async def test_files_of_a_batch_lie_in_one_object_and_go_out_each_on_its_own(world: World) -> None:
    await register_seal(world)
    *results, _ = told(await send(world, [*orders(3)]))
    objects = world.hub.services.objects
    [key] = objects.keys("certificates/")
    files = []
    for each in results:
        answer = await fetch(world, each["identifier"], member="market")
        assert answer.status_code == 200, answer.text
        assert f"sm3:{sm3.digest(answer.content).hex()}" == each["digest"]
        files.append(answer.content)
    assert objects.get(key) == b"".join(files)
    assert (await world.certs.orphans.collect(actor=None)).waiting == 0


async def test_batch_with_one_that_cannot_be_registered_keeps_each_file_apart(world: World) -> None:
    await register_seal(world)
    lines: list[dict[str, Any] | str] = [*orders(3), orders(1)[0]]
    *results, sums = told(await send(world, lines))
    assert (sums["issued"], sums["failed"]) == (3, 1)
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch("SELECT object_key, object_offset, digest_sm3 FROM certs.certificate")
    assert {row["object_offset"] for row in rows} == {0}
    objects = world.hub.services.objects
    assert {sm3.digest(objects.get(row["object_key"])) for row in rows} == {row["digest_sm3"] for row in rows}
    owned = {row["object_key"] for row in rows}
    left = set(objects.keys("certificates/")) - owned
    assert len(left) == 2  # the pack, and the file of the order that came second
    await world.certs.orphans.collect(actor=None)
    world.clock.ahead = timedelta(minutes=61)
    assert (await world.certs.orphans.collect(actor=None)).removed == 2
    assert set(objects.keys("certificates/")) == owned
    assert [each["status"] for each in results] == ["issued"] * 3 + ["failed"]


async def test_file_in_an_altered_pack_is_not_given_out_and_its_neighbours_are(world: World) -> None:
    await register_seal(world)
    *results, _ = told(await send(world, [*orders(3)]))
    objects = world.hub.services.objects
    [key] = objects.keys("certificates/")
    content = bytearray(objects.get(key))
    content[len(content) // 2] ^= 1
    objects.delete(key)
    objects.put(key, bytes(content))
    answers = [await fetch(world, each["identifier"], member="market") for each in results]
    assert [each.status_code for each in answers] == [200, 503, 200]


async def test_files_of_a_chunk_that_are_too_much_for_one_object_lie_in_several(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register_seal(world)
    monkeypatch.setattr(keep, "MAX_PACK_BYTES", 60_000)
    *results, sums = told(await send(world, [*orders(7)]))
    assert sums["issued"] == 7
    objects = world.hub.services.objects
    keys = list(objects.keys("certificates/"))
    assert 1 < len(keys) < 7
    assert all(objects.size(key) <= 60_000 for key in keys)
    for each in results:
        answer = await fetch(world, each["identifier"], member="market")
        assert f"sm3:{sm3.digest(answer.content).hex()}" == each["digest"]


async def test_batches_at_once_on_the_same_numbers_issue_each_once(world: World) -> None:
    await register_seal(world)
    lines: list[dict[str, Any] | str] = [*orders(20)]
    answers = [told(each) for each in await asyncio.gather(*(send(world, lines) for _ in range(3)))]
    issued = sum(each["status"] == "issued" for answer in answers for each in answer[:-1])
    assert issued == 20
    assert await count(world, "certs.certificate") == 20


async def test_orders_that_come_at_once_end_each_on_its_own(world: World) -> None:
    await register_seal(world)
    market, approval = world.hub.members["market"], world.hub.members["approval"]
    wrong = ORDER | {"number": "BAD", "data": {"LX": ""}}
    asked = [*orders(6), wrong, orders(1)[0], ORDER | {"type_code": "NONE"}, ORDER]
    callers = [market] * 9 + [approval]
    answers = await asyncio.gather(
        *(
            world.client.post("/v1/certificates", json=order, headers=caller.headers)
            for order, caller in zip(asked, callers, strict=True)
        )
    )
    codes = [each.status_code for each in answers]
    assert codes[1:7] == [201] * 5 + [422]
    assert sorted([codes[0], codes[7]]) == [201, 409]
    assert codes[8:] == [404, 404]
    assert await count(world, "certs.certificate") == 6
    assert await count(world, "certs.status_change") == 6
    assert await count(world, f"core.log_leaf WHERE event = '{Event.CERTIFICATE_ISSUED}'") == 6
    numbers = {each.json()["number"] for each in answers if each.status_code == 201}
    assert numbers == {f"NO{n:05d}" for n in range(6)}


async def test_seal_suspended_while_the_file_was_made_registers_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register_seal(world)
    keeper = world.certs.issue.keeper
    keep = keeper.keep

    async def suspend_then_keep(*given: Any) -> Any:
        async with world.hub.services.database.acquire() as connection:
            await connection.execute("UPDATE certs.seal SET status = 'suspended'")
        return await keep(*given)

    monkeypatch.setattr(keeper, "keep", suspend_then_keep)
    answer = await world.client.post(
        "/v1/certificates", json=ORDER, headers=world.hub.members["market"].headers
    )
    assert answer.status_code == 409, answer.text
    assert "suspended" in answer.json()["detail"]
    assert await count(world, "certs.certificate") == 0
    assert await count(world, "certs.status_change") == 0


async def test_order_under_a_token_revoked_since_is_not_carried_out(world: World) -> None:
    await register_seal(world)
    await issue(world)
    async with world.hub.services.database.acquire() as connection:
        await connection.execute("UPDATE core.token SET revoked_at = now()")
    answer = await world.client.post(
        "/v1/certificates", json=ORDER | {"number": "LATE"}, headers=world.hub.members["market"].headers
    )
    assert answer.status_code == 401
    assert await count(world, "certs.certificate") == 1


async def test_row_fills_the_data_and_its_fingerprint_is_kept(world: World) -> None:
    await register_seal(world)
    row = SourceRow(
        version=7, row_key=b"key", values={"frmc": "x", "fddbr": "张三丰", "zs": "示例市示例路1号"}
    )
    asked: list[dict[str, Any]] = []

    async def read_row(**question: Any) -> SourceRow:
        asked.append(question)
        return row

    world.certs.issue._read_row = read_row
    data = {name: ORDER["data"][name] for name in ("LX", "CLRQ", "JYFW")}
    source = {
        "resource": "fr_jbxx",
        "keys": {"tyxydm": ORDER["number"]},
        "items": {"FDDBR": "fddbr", "ZS": "zs"},
    }
    order = ORDER | {"data": data, "source": source}
    market = world.hub.members["market"]
    bare = await world.client.post("/v1/certificates", json=order, headers=market.headers)
    assert (bare.status_code, bare.json()["code"]) == (403, "ACCESS-PURPOSE-MISSING")
    contrary = order | {"data": data | {"ZS": "别处"}}
    answer = await world.client.post("/v1/certificates", json=contrary, headers=market.purposeful)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/data/ZS"]
    answer = await world.client.post("/v1/certificates", json=order, headers=market.purposeful)
    assert answer.status_code == 201, answer.text
    identifier = answer.json()["identifier"]
    assert set(asked[-1]["items"]) == {"fddbr", "zs"}
    detail = await world.client.get(f"/v1/certificates/{identifier}", headers=market.headers)
    reference = RowReference(
        resource_code="fr_jbxx",
        keys=source["keys"],
        items=source["items"],  # type: ignore[arg-type]
    )
    digest = build_fingerprint(reference, row).hex()
    assert detail.json()["source"] == {
        "resource": "fr_jbxx",
        "version": 7,
        "row_digest": f"sm3:{digest}",
    }
    assert detail.json()["data"]["FDDBR"] == "张三丰"
    assert Event.CERTIFICATE_ISSUED in await events_of(world, identifier)
