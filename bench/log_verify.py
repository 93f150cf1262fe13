"""What the log costs a verification over HTTP: the same calls with the log on and off, in turns."""

from __future__ import annotations

import time
from dataclasses import replace
from uuid import UUID, uuid4

import httpx

from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.log.writer import LogWriter
from core.settings import Settings
from exchange.access.decision import Verdict
from exchange.access.model import Decision
from hub.app import create_app
from hub.services import Services
from tests.exchange_world import build_resource, build_row, build_terms, publish_version
from tests.hubs import PURPOSE, RunningHub

CALLS = 1500
TURN_CALLS = 25


def as_caller(hub: RunningHub, key: str) -> Caller:
    """Name a member's system as a caller."""
    member = hub.members[key]
    return Caller(
        system_id=SystemId(UUID(member.client_id)),
        system_name=key,
        organisation_code=OrganisationCode(member.code),
        organisation_name=member.name,
        scopes=frozenset(Scope),
    )


async def prepare_hub(hub: RunningHub) -> None:
    """Publish people and grant verifying them, the guard's thresholds out of reach of a load test."""
    services: Services = hub.services
    async with services.database.acquire() as connection:
        await connection.execute("UPDATE exchange.guard_rule SET threshold = 1000000000")
        await connection.execute("UPDATE exchange.call_limit SET per_minute = 1000000000")
    provider, consumer = as_caller(hub, "police"), as_caller(hub, "approval")
    resource = replace(build_resource(), provider_code=provider.organisation_code)
    await services.exchange.catalogue.register(resource, caller=provider)
    await publish_version(services.database, resource, upserts=[build_row(n) for n in range(300)], deletes=[])
    application = await services.exchange.access.apply(
        caller=consumer, resource_code=resource.code, terms=build_terms()
    )
    await services.exchange.access.decide(
        caller=provider,
        application_id=application.id,
        verdict=Verdict(decision=Decision.APPROVE),
    )


async def measure_verify(settings: Settings) -> dict[bool, list[float]]:
    """Verify facts over HTTP, with the log on and off in turns; return the seconds of each call."""
    app = create_app(settings)
    taken: dict[bool, list[float]] = {True: [], False: []}
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", timeout=60) as client:
            hub = await RunningHub.start(app=app, client=client)
            await prepare_hub(hub)
            headers = hub.members["approval"].headers | PURPOSE
            for turn in range(2 * CALLS // TURN_CALLS + 4):
                on = turn % 2 == 0
                switch_log(hub.services.log_writer, on=on)
                for call in range(TURN_CALLS):
                    number = (turn * TURN_CALLS + call) % 300
                    body = {
                        "subject": {"GMSFHM": build_row(number)["GMSFHM"]},
                        "assertions": [{"item": "XM", "value": f"人{number}"}],
                    }
                    started = time.perf_counter()
                    answer = await client.post("/v1/resources/people/verify", json=body, headers=headers)
                    if turn >= 4:
                        taken[on].append(time.perf_counter() - started)
                    assert answer.status_code == 200, answer.text
                    assert answer.json()["answers"][0]["outcome"] == "match", answer.text
            switch_log(hub.services.log_writer, on=True)
    return taken


def switch_log(writer: LogWriter, *, on: bool) -> None:
    """Let a writer write leaves, or take them and write nothing."""

    async def append(*_: object, **__: object) -> UUID:
        return uuid4()

    if on:
        writer.__dict__.pop("append", None)
    else:
        writer.__dict__["append"] = append
