"""Two hubs as processes: the catalogue and its data come down, requests go up, decisions come down."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connectors import HubClient, Purpose
from core.caller import OrganisationCode, Scope
from core.database.embedded import EmbeddedPostgres
from core.identity.model import Organisation
from core.settings import Settings
from hub.services import open_services
from tests.conftest import database_of_its_own
from tests.hubs import organisation_code
from tests.integration.exchange.catalogue_bodies import body
from tests.processes import hub_process

ABOVE, BELOW, ASKING = 1, 2, 3
TERMS = {
    "items": ["code", "name"],
    "modes": ["query", "subscribe"],
    "service_items": ["*"],
    "purpose": "食品经营许可核验",
    "legal_basis": "行政许可法",
    "valid_days": 30,
}


@pytest.fixture
async def lower_settings(
    postgres: EmbeddedPostgres, migrated: str, tmp_path: Path
) -> AsyncIterator[Settings]:
    async with database_of_its_own(postgres, migrated) as url:
        yield Settings(
            home=tmp_path / "lower",
            database_url=SecretStr(url),
            database_pool_size=6,
            log_interval_s=0.05,
            public_url="http://lower.test",
        )


async def register(settings: Settings, *numbers: int) -> dict[int, dict[str, str]]:
    """Register organisations, each with a system of every duty that departments have."""
    made = {}
    async with open_services(settings) as services:
        for number in numbers:
            code = OrganisationCode(organisation_code(number))
            named = Organisation(code=code, name=f"示例{number}局", division_code="990000")
            await services.identity.register_organisation(named, actor=None)
            scopes = frozenset(Scope) - {Scope.ADMIN, Scope.AUDIT, Scope.SEAL_MANAGE}
            system = await services.identity.register_system(
                organisation_code=code, name="系统", scopes=scopes, actor=None
            )
            made[number] = {"client_id": str(system.system.id), "client_secret": system.secret}
    return made


def write_hub(table: str, url: str, credentials: dict[str, str], *more: str) -> str:
    lines = [f"[{table}]", *more, f'url = "{url}"', f'client_id = "{credentials["client_id"]}"']
    return "\n".join([*lines, f'client_secret = "{credentials["client_secret"]}"', ""])


def call(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "connectors", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ.copy(),
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def follow_down(folder: Path, upper: str, lower: str, owner: dict[str, str], keeper: dict[str, str]) -> None:
    """Let a connector bring the rows down: `owner` is the lower provider's system above."""
    with HubClient(upper, **owner) as client:
        asked = {"resource": "things", "from": "start"}
        purpose = Purpose(service_item="*", case_number="CASCADE", operator="数据处")
        made = client.post("/v1/subscriptions", asked, purpose=purpose)
    more = ['service_item = "*"', 'case_number = "CASCADE"', 'operator = "数据处"', 'key = ["code"]']
    kind = 'kind = "hub"'
    (folder / "rows.toml").write_text(
        'name = "rows"\n'
        + write_hub("source", upper, owner, kind, f'subscription = "{made["id"]}"', *more)
        + write_hub("sink", lower, keeper, kind, 'resource = "things_city"'),
        encoding="utf-8",
    )
    events = call(folder, "run", "rows.toml", "--json")
    assert [event["accepted"] for event in events if event["event"] == "written"] == [2]


async def test_catalogue_and_data_come_down_and_demand_goes_up(
    hub_settings: Settings, lower_settings: Settings, tmp_path: Path
) -> None:
    above = await register(hub_settings, ABOVE, BELOW)
    below = await register(lower_settings, BELOW, ASKING)

    def play() -> None:
        with hub_process(hub_settings) as upper, hub_process(lower_settings) as lower:
            (tmp_path / "cascade.toml").write_text(
                write_hub("above", upper, above[BELOW])
                + write_hub("below", lower, below[BELOW])
                + '[[entry]]\nresource = "things"\ncode = "things_city"\nitems = ["code", "name"]\n'
                + "demands = true\n",
                encoding="utf-8",
            )
            with (
                HubClient(upper, **above[ABOVE]) as owner,
                HubClient(upper, **above[BELOW]) as carrier,
                HubClient(lower, **below[ASKING]) as asking,
            ):
                play_story(tmp_path, owner, carrier, asking)
                follow_down(tmp_path, upper, lower, above[BELOW], below[BELOW])

    await asyncio.to_thread(play)


def play_story(folder: Path, owner: HubClient, carrier: HubClient, asking: HubClient) -> None:
    owner.post("/v1/resources", body())
    owner.publish("things", "code,name,amount\na,甲,1\nb,乙,2\n".encode(), idempotency_key="1")
    (entry,) = call(folder, "cascade", "cascade.toml")
    assert entry == {"cascade": "entry", "code": "things_city", "new": True, "differing": []}

    wanted = asking.post("/v1/resources/things_city/applications", TERMS)
    refused = asking.post("/v1/resources/things_city/applications", TERMS | {"modes": ["verify"]})
    entry, *told = call(folder, "cascade", "cascade.toml")
    assert (entry["new"], {each["fate"] for each in told}) == (False, {"asked"})
    assert {each["application"] for each in told} == {wanted["id"], refused["id"]}
    _, *again = call(folder, "cascade", "cascade.toml")
    assert {each["fate"] for each in again} == {"waiting"}
    assert len(carrier.get("/v1/applications")) == 2  # nothing is carried twice

    above_of = {each["application"]: each["above"] for each in told}
    partial = {"decision": "approve", "modes": ["subscribe"]}
    owner.post(f"/v1/applications/{above_of[wanted['id']]}/decision", partial)
    no = {"decision": "refuse", "reason": "与用途无关"}
    owner.post(f"/v1/applications/{above_of[refused['id']]}/decision", no)
    _, *decided = call(folder, "cascade", "cascade.toml")
    assert {each["fate"] for each in decided} == {"approved", "refused"}
    seen = {each["id"]: each for each in asking.get("/v1/applications")}
    assert seen[wanted["id"]]["state"] == "approved"
    (grant,) = asking.get("/v1/grants")
    assert (grant["modes"], grant["items"]) == (["subscribe"], ["code", "name"])
    assert seen[refused["id"]]["decision_reason"] == "与用途无关"
    assert call(folder, "cascade", "cascade.toml")[1:] == []
