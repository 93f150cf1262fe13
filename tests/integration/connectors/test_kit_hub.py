"""The hub as source and as sink passes the conformance kit, over a real line that is really cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from connectors.kit import Finding, assess_sink, assess_source
from connectors.sinks.hub import HubSink, HubSinkOptions
from connectors.sources.hub import HubSource, HubSourceOptions
from tests.cutting_proxy import CuttingProxy, running_proxy
from tests.hub_stages import CODE, ENTRY, HubStage, served
from tests.hubs import RunningHub
from tests.integration.connectors.test_kit_built_in import require_passed
from tests.integration.exchange.catalogue_bodies import grant, ok


@asynccontextmanager
async def staged(hub: RunningHub) -> AsyncIterator[tuple[HubStage, CuttingProxy]]:
    loop = asyncio.get_running_loop()

    async def fetch() -> list[dict[str, Any]]:
        async with hub.services.database.acquire() as connection:
            return [dict(row) for row in await connection.fetch(f'SELECT * FROM data."{CODE}"')]

    await ok(hub, "POST", "/v1/resources", ENTRY)
    async with served(hub) as port:
        with running_proxy(port) as proxy:
            stage = HubStage(
                port,
                hub.members["market"],
                proxy,
                lambda: asyncio.run_coroutine_threadsafe(fetch(), loop).result(60),
            )
            yield stage, proxy
            stage.close()


async def test_hub_source_passes(hub: RunningHub) -> None:
    async with staged(hub) as (stage, proxy):
        await grant(hub, CODE, ["id", "name", "amount", "day"], ["subscribe"])
        made = await ok(hub, "POST", "/v1/subscriptions", {"resource": CODE, "from": "start"}, who="approval")
        reader = hub.members["approval"]
        given = {
            "url": f"http://127.0.0.1:{proxy.port}",
            "subscription": made["id"],
            "key": ["id"],
            "client_id": reader.client_id,
            "client_secret": reader.client_secret,
            "service_item": "食品经营许可",
            "case_number": "2026-000001",
            "operator": "王审批",
            "page_rows": 400,
        }
        options = HubSourceOptions.model_validate(given)

        def assess() -> list[Finding]:
            return assess_source(lambda: HubSource(options), stage)

        findings = await asyncio.to_thread(assess)
    require_passed(findings, skipped={"key-unique", "reading-honest", "huge-row"})


async def test_hub_sink_passes(hub: RunningHub) -> None:
    async with staged(hub) as (stage, proxy):
        publisher = hub.members["market"]
        given = {
            "url": f"http://127.0.0.1:{proxy.port}",
            "resource": CODE,
            "client_id": publisher.client_id,
            "client_secret": publisher.client_secret,
            "confirm": True,
        }
        options = HubSinkOptions.model_validate(given)

        def assess() -> list[Finding]:
            return assess_sink(lambda: HubSink(options), stage)

        findings = await asyncio.to_thread(assess)
    require_passed(findings, skipped=set())
