"""Accounting: each version counted at every station, and differences named with their reasons."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from hub.cli.main import app as cli
from tests.hubs import PURPOSE, Member, RunningHub
from tests.integration.exchange.test_publish import ITEMS, publish, register


async def account(hub: RunningHub) -> list[dict[str, Any]]:
    """Let the accountant catch up, and read what it kept."""
    async with asyncio.timeout(30):
        while True:
            await hub.services.intake.accountant.follow()
            answer = await hub.client.get(
                "/v1/resources/things/accounting", headers=hub.members["market"].headers
            )
            if all(version["agrees"] is not None for version in answer.json()):
                return list(answer.json())
            await asyncio.sleep(0.05)


async def test_each_version_is_counted_at_every_station_and_agrees(hub: RunningHub) -> None:
    await register(hub)
    batches = [
        ("code,name,amount,day,at,yes\n1,甲,1.5,20240229,20240101120000,1\n2,乙,,,,\n3,\n", "upsert"),
        ("code,name\n2,新\n4,丁\n1,甲\n", "upsert"),
        ("code\n1\n9\n", "delete"),
        ("code,name\n2,新\n5,戊\n", "snapshot"),
    ]
    for number, (content, mode) in enumerate(batches):
        answer = await publish(hub, content, f"k{number}", mode=mode, confirm="true")
        assert answer.status_code == 200, answer.text
    versions = await account(hub)
    assert [version["agrees"] for version in versions] == [True] * 4
    rows = [{name: station["rows"] for name, station in v["stations"].items()} for v in versions[::-1]]
    assert rows == [
        {"accepted": 2, "inserted": 2, "removed": 0, "current": 2},
        {"accepted": 3, "inserted": 2, "removed": 1, "current": 3},
        {"accepted": 2, "inserted": 0, "removed": 1, "current": 2},
        {"accepted": 2, "inserted": 1, "removed": 1, "current": 2},
    ]
    first = versions[-1]["stations"]
    assert first["accepted"]["digest"] == first["inserted"]["digest"] == first["current"]["digest"]
    whole = versions[0]["stations"]
    compared = await compare_stations(hub)
    assert compared["equal"] is True
    assert compared["current"] == compared["accounted"] == whole["current"]


async def compare_stations(hub: RunningHub) -> dict[str, Any]:
    answer = await hub.client.post(
        "/v1/resources/things/reconciliations/stations", headers=hub.members["market"].headers
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_row_altered_behind_the_hubs_back_is_named(hub: RunningHub) -> None:
    await register(hub)
    await publish(hub, "code,name\n1,甲\n2,乙\n3,丙\n", "a")
    await account(hub)
    async with hub.services.database.acquire() as connection:
        await connection.execute("UPDATE data.things SET name = '改' WHERE code = '1'")
        await connection.execute("DELETE FROM data.things WHERE code = '2'")
        await connection.execute("INSERT INTO data.things (code, name, _version) VALUES ('4', '添', 1)")
    compared = await compare_stations(hub)
    assert compared["equal"] is False
    assert compared["current"] != compared["accounted"]
    assert {(d["key"][0], d["verdict"]) for d in compared["differences"]} == {
        ("1", "changed"),
        ("2", "only_right"),
        ("4", "only_left"),
    }


async def test_version_made_before_accounting_began_is_digested_backwards(hub: RunningHub) -> None:
    await register(hub)
    await publish(hub, "code,name\n1,甲\n2,乙\n", "a")
    await publish(hub, "code,name\n2,新\n3,丙\n", "b")
    expected = await account(hub)
    gone = "DELETE FROM exchange.station_count WHERE station = 'current' OR version = 1"
    async with hub.services.database.acquire() as connection:
        await connection.execute(gone)
        await connection.execute("DELETE FROM exchange.version WHERE version = 1")
    again = await account(hub)
    assert again[0]["stations"]["current"] == expected[0]["stations"]["current"]


@pytest.fixture
async def served(hub: RunningHub) -> AsyncIterator[uvicorn.Server]:
    """The hub behind a real socket as well."""
    server = uvicorn.Server(uvicorn.Config(hub.app, port=0, lifespan="off", log_level="error"))
    task = asyncio.create_task(server.serve())
    yield server
    server.should_exit = True
    await task


async def run_cli(server: uvicorn.Server, member: Member, *arguments: str) -> tuple[int, str, str]:
    """Run the command line in a thread against the served hub."""
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    environment = {"SHUZHENG_CLIENT_ID": member.client_id, "SHUZHENG_CLIENT_SECRET": member.client_secret}
    result = await asyncio.to_thread(
        CliRunner().invoke, cli, [*arguments, "--hub", f"http://127.0.0.1:{port}"], env=environment
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


async def test_owners_file_is_compared_and_each_difference_has_its_reason(
    hub: RunningHub, served: uvicorn.Server, tmp_path: Path
) -> None:
    await register(hub)
    content = "code,name,amount\n" + "".join(f"{n},名{n},{n}.00\n" for n in range(3000))
    file = tmp_path / "copy.csv"
    file.write_text(content, encoding="gb18030")
    member = hub.members["market"]
    code, out, err = await run_cli(served, member, "publish", str(file), "--resource", "things")
    assert (code, "3000" in err) == (0, True), err
    code, out, err = await run_cli(served, member, "reconcile", str(file), "--resource", "things")
    assert (code, out) == (0, ""), out + err
    await publish(hub, "code,name\n7,改了\n", "x")
    await publish(hub, "code\n8\n", "y", mode="delete")
    await publish(hub, "code,name\n9999,\n", "z")
    file.write_text(content + "9999,补上,1\n12345678901234,长,1\n5000,从未,1\n", encoding="utf-8")
    code, out, err = await run_cli(served, member, "reconcile", str(file), "--resource", "things")
    lines = {line.split("\t")[1]: line for line in out.splitlines()}
    assert code == 1
    assert set(lines) == {"7", "8", "9999", "5000"}, out
    assert "changed\t7\tlast changed in version 2" in lines["7"]
    assert "only_left\t8\tdeleted in version 3" in lines["8"]
    assert "REQUIRED" in lines["9999"]
    assert "never received" in lines["5000"]


async def test_stranger_compares_nothing_and_subscriber_needs_a_purpose(hub: RunningHub) -> None:
    await register(hub, items=ITEMS[:2])
    await publish(hub, "code,name\n1,甲\n", "a")
    body = {"items": ["code", "name"], "digests": ["0" * 64] * 16}
    path = "/v1/resources/things/reconciliations/buckets"
    headers = hub.members["police"].headers
    assert (await hub.client.post(path, json=body, headers=headers)).status_code == 403
    purposeful = await hub.client.post(path, json=body, headers=headers | PURPOSE)
    assert (purposeful.status_code, purposeful.json()["code"]) == (403, "ACCESS-NOT-GRANTED")
    for wrong in ({"items": ["name"]}, {"items": ["code", "no"]}, {"digests": ["x"]}, {"digests": []}):
        answer: httpx.Response = await hub.client.post(
            path, json=body | wrong, headers=hub.members["market"].headers
        )
        assert 400 <= answer.status_code < 500
    assert (await hub.client.get("/v1/resources/things/accounting", headers=headers)).status_code == 403
