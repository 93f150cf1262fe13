"""Hub and subscriber are killed with SIGKILL at random moments: every effect is there once at the end."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import asyncpg
import pytest

from connectors import HubClient, Purpose
from core.caller import OrganisationCode, Scope
from core.identity.model import Organisation
from core.settings import Settings
from hub.services import open_services
from tests.hubs import organisation_code
from tests.integration.hub.test_process import ITEMS, batch, free_port, hub_process
from tests.integration.subscriptions.receiver import Receiver, running_receiver

PURPOSE = Purpose(service_item="食品经营许可", case_number="1", operator="王审批")
VERSIONS, ROWS, KILLS = 3, 300, 4


async def make_parties(settings: Settings) -> list[dict[str, str]]:
    """Register an owner and a subscriber; return their credentials."""
    made = []
    async with open_services(settings) as services:
        for number in (1, 2):
            code = OrganisationCode(organisation_code(number))
            organisation = Organisation(code=code, name="示例市局", division_code="990000")
            await services.identity.register_organisation(organisation, actor=None)
            scopes = frozenset(Scope) - {Scope.ADMIN, Scope.AUDIT, Scope.SEAL_MANAGE}
            system = await services.identity.register_system(
                organisation_code=code, name="业务系统", scopes=scopes, actor=None
            )
            made.append({"client_id": str(system.system.id), "client_secret": system.secret})
    return made


def set_up(
    address: str, credentials: list[dict[str, str]], url: str, place: dict[str, object] | None = None
) -> None:
    """Publish the versions, subscribe from the beginning, and have them pushed to a webhook, or `place`."""
    with HubClient(address, **credentials[0]) as owner, HubClient(address, **credentials[1]) as subscriber:
        resource = {"code": "things", "title": "物", "theme": "other", "update_cycle": "daily"}
        owner.post("/v1/resources", resource | {"items": ITEMS})
        for number in range(VERSIONS):
            owner.publish("things", batch(number, ROWS), idempotency_key=str(number))
        asked = {
            "items": ["code", "name"],
            "modes": ["subscribe"],
            "service_items": ["*"],
            "purpose": "核验",
            "legal_basis": "行政许可法",
            "valid_days": 30,
        }
        made = subscriber.post("/v1/resources/things/applications", asked)
        owner.post(f"/v1/applications/{made['id']}/decision", {"decision": "approve"})
        begun = subscriber.post("/v1/subscriptions", {"resource": "things", "from": 0}, purpose=PURPOSE)
        target = {
            "name": "hook",
            "kind": "webhook",
            "address": {"url": url},
            "from": 0,
            "batch_rows": 40,
        } | (place or {})
        subscriber.post(f"/v1/subscriptions/{begun['id']}/targets", target, purpose=PURPOSE)


async def end_leases(settings: Settings) -> None:
    """Let the time of dead workers' leases pass."""
    assert settings.database_url is not None
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    await connection.execute("UPDATE subscriptions.target SET lease_until = now()")
    await connection.close()


async def wait_for(receiver: Receiver, effects: int) -> None:
    async with asyncio.timeout(150):
        while len(receiver.effects) < effects:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", [7])
async def test_hub_killed_while_it_pushes_brings_every_effect_once(
    hub_settings: Settings, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = Random(seed)
    monkeypatch.setenv("SHUZHENG_PUSH_NETWORKS", "127.0.0.0/8")
    credentials = await make_parties(hub_settings)
    port = free_port()
    total = VERSIONS * ROWS
    async with running_receiver() as receiver:
        receiver.delay_s = 0.02
        for turn in range(2):
            with hub_process(hub_settings, port) as process:
                if turn == 0:
                    address = f"http://127.0.0.1:{port}"
                    await asyncio.to_thread(set_up, address, credentials, receiver.url)
                await wait_for(receiver, len(receiver.effects) + rng.randint(1, total // 4))
                await asyncio.sleep(rng.uniform(0, 0.05))
                process.send_signal(signal.SIGKILL)
                process.wait()
            await end_leases(hub_settings)
        with hub_process(hub_settings, port):
            await wait_for(receiver, total)
    assert receiver.effects == [(v, s) for v in range(1, VERSIONS + 1) for s in range(1, ROWS + 1)]
    assert {str(row["name"]) for row in receiver.held().values()} == {f"第{VERSIONS - 1}批"}
    bodies: dict[str, set[bytes]] = {}
    for (_, body), key in zip(receiver.posts, receiver.keys, strict=True):
        bodies.setdefault(key, set()).add(body)
    assert all(len(each) == 1 for each in bodies.values())


# A careful subscriber: the rows and the place in the feed stand in one transaction, acknowledged afterwards.
SUBSCRIBER = """
import json, sqlite3, sys, time
from connectors import HubClient, Purpose
path, address, client_id, secret, subscription = sys.argv[1:]
store = sqlite3.connect(path)
store.execute("CREATE TABLE IF NOT EXISTS rows (code PRIMARY KEY, name, version, sequence)")
store.execute("CREATE TABLE IF NOT EXISTS effects (version, sequence, PRIMARY KEY (version, sequence))")
store.execute("CREATE TABLE IF NOT EXISTS place (cursor)")
purpose = Purpose(service_item="s", case_number="1", operator="o")
with HubClient(address, client_id=client_id, client_secret=secret) as hub:
    while True:
        held = store.execute("SELECT cursor FROM place").fetchone()
        params = {"limit": 25} | ({"after": held[0]} if held else {})
        answer = hub.send("GET", f"/v1/subscriptions/{subscription}/changes", purpose=purpose, params=params)
        with store:
            for line in answer.text.splitlines():
                change = json.loads(line)
                row = change["row"]
                place = (change["version"], change["sequence"])
                store.execute("INSERT INTO effects VALUES (?, ?)", place)
                store.execute("REPLACE INTO rows VALUES (?, ?, ?, ?)", (row["code"], row["name"], *place))
            store.execute("DELETE FROM place")
            store.execute("INSERT INTO place VALUES (?)", (answer.headers["Shuzheng-Next-Cursor"],))
        time.sleep(0.02)
        hub.acknowledge(subscription, answer.headers["Shuzheng-Next-Cursor"])
        time.sleep(0.02)
        if not answer.text:
            break
"""


def count_effects(path: Path) -> int:
    """Count what the subscriber has in its store so far."""
    store = sqlite3.connect(path)
    try:
        return int(store.execute("SELECT count(*) FROM effects").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet, or being written
        return 0
    finally:
        store.close()


async def test_subscriber_killed_while_it_reads_has_every_effect_once(
    hub_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = Random(11)
    monkeypatch.setenv("SHUZHENG_PUSH_NETWORKS", "127.0.0.0/8")
    credentials = await make_parties(hub_settings)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with hub_process(hub_settings, port):
        await asyncio.to_thread(set_up, address, credentials, "http://127.0.0.1:9/")
        with HubClient(address, **credentials[1]) as client:
            subscription = client.get("/v1/subscriptions")[0]["id"]
        own = credentials[1]
        arguments = [str(tmp_path / "copy"), address, own["client_id"], own["client_secret"], subscription]
        for _ in range(KILLS):
            process = subprocess.Popen([sys.executable, "-c", SUBSCRIBER, *arguments])
            wanted = count_effects(tmp_path / "copy") + rng.randint(1, VERSIONS * ROWS // 8)
            while process.poll() is None and count_effects(tmp_path / "copy") < wanted:
                await asyncio.sleep(0.005)
            await asyncio.sleep(rng.uniform(0, 0.05))
            process.kill()
            assert process.wait() == -signal.SIGKILL
        process = subprocess.Popen([sys.executable, "-c", SUBSCRIBER, *arguments])
        assert await asyncio.to_thread(process.wait, 120) == 0
    copy = sqlite3.connect(tmp_path / "copy")
    assert copy.execute("SELECT count(*) FROM effects").fetchone() == (VERSIONS * ROWS,)
    assert copy.execute("SELECT DISTINCT name, version FROM rows").fetchall() == [
        (f"第{VERSIONS - 1}批", VERSIONS)
    ]
    copy.close()
