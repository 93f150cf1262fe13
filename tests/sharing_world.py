"""A hub with a shared resource: published by the market's office, granted in bulk to the police."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hubs import PURPOSE, Member, RunningHub
from tests.integration.exchange.test_publish import ITEMS, publish, register

PREFIX = "/v1/delta-sharing"
ALL = [item["name"] for item in ITEMS]


@dataclass(slots=True, kw_only=True)
class SharingWorld:
    """The hub, the grant, and a recipient with a profile."""

    hub: RunningHub
    grant_id: str
    profile: dict[str, Any]
    batches: int = 0
    share: str = ""

    @property
    def provider(self) -> Member:
        """The market's office."""
        return self.hub.members["market"]

    @property
    def table(self) -> str:
        """The path of the shared table."""
        share = self.share or f"grant_{self.grant_id.replace('-', '')[:8]}"
        return f"{PREFIX}/shares/{share}/schemas/other/tables/things"

    @property
    def bearer(self) -> dict[str, str]:
        """The header that the profile gives."""
        return {"Authorization": f"Bearer {self.profile['bearerToken']}"}

    async def publish(self, content: str, **params: str) -> None:
        """Publish a batch, and let the lake catch up."""
        self.batches += 1
        answer = await publish(self.hub, content, f"batch{self.batches}", **params)
        assert answer.status_code == 200, answer.text
        await self.follow()

    async def follow(self) -> None:
        """Let the lake catch up."""
        async with asyncio.timeout(60):
            while True:
                await self.hub.services.lake.writer.follow("things")
                shown = await self.hub.client.get("/v1/resources/things/lake", headers=self.provider.headers)
                if shown.json()["lag_versions"] == 0:
                    return
                await asyncio.sleep(0.05)

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call the protocol as the recipient."""
        return await self.hub.client.request(method, self.table + path, headers=self.bearer, **more)

    async def query(self, **body: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Query the table: (metadata, file actions)."""
        answer = await self.call("POST", "/query", json=body)
        assert answer.status_code == 200, answer.text
        return read_lines(answer)

    async def changes(self, first: int, last: int | None = None) -> list[dict[str, Any]]:
        """Read the changes as rows, with `_commit_version`."""
        params = {"startingVersion": str(first)} | ({} if last is None else {"endingVersion": str(last)})
        answer = await self.call("GET", "/changes", params=params)
        assert answer.status_code == 200, answer.text
        rows = []
        for action in read_lines(answer)[1]:
            found = await self.fetch(action["cdf"]["url"])
            rows += [row | {"_commit_version": action["cdf"]["version"]} for row in found.to_pylist()]
        return rows

    async def rows(self, **body: Any) -> list[dict[str, Any]]:
        """Read the rows that a query gives, by code."""
        _, files = await self.query(**body)
        tables = [await self.fetch(line["file"]["url"]) for line in files]
        rows = [row for table in tables for row in table.to_pylist()]
        return sorted(rows, key=lambda row: str(row.get("code")))

    async def fetch(self, url: str) -> pa.Table:
        """Fetch a file by its address."""
        answer = await self.hub.client.get(url)
        assert answer.status_code == 200, answer.text
        return pq.read_table(BytesIO(answer.content))


def read_lines(answer: httpx.Response) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read an answer: (metadata, the lines after it)."""
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[0] == {"protocol": {"minReaderVersion": 1}}
    return lines[1]["metaData"], lines[2:]


async def open_sharing_world(
    hub: RunningHub, *, decision: dict[str, Any] | None = None, **terms: Any
) -> SharingWorld:
    """Register, grant and fetch a profile. `terms` go into the application, `decision` into the approval."""
    await register(hub)
    grant_id = await give(hub, decision=decision, **terms)
    return SharingWorld(hub=hub, grant_id=grant_id, profile=await fetch_profile(hub, grant_id))


async def give(hub: RunningHub, *, decision: dict[str, Any] | None = None, **terms: Any) -> str:
    """Apply as the police and approve as the market's office; return the grant's id."""
    body = {
        "items": ALL,
        "modes": ["bulk"],
        "service_items": ["食品经营许可"],
        "purpose": "核验",
        "legal_basis": "法",
    } | terms
    asked = await hub.client.post(
        "/v1/resources/things/applications", json=body, headers=hub.members["police"].headers
    )
    assert asked.status_code == 201, asked.text
    decided = await hub.client.post(
        f"/v1/applications/{asked.json()['id']}/decision",
        json={"decision": "approve"} | (decision or {}),
        headers=hub.members["market"].headers,
    )
    assert decided.status_code == 200, decided.text
    return str(decided.json()["grant_id"])


async def fetch_profile(hub: RunningHub, grant_id: str) -> dict[str, Any]:
    """Download a profile file as the police."""
    answer = await hub.client.post(
        "/v1/share-profiles",
        json={"grant_id": grant_id},
        headers=hub.members["police"].headers | PURPOSE,
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())
