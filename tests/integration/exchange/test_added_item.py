"""Connections that served a resource before an item was added serve it after.

asyncpg keeps, per connection, statements and the shapes of row types that it has seen.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.hubs import Member, RunningHub
from tests.integration.exchange.test_break_in import RESOURCE, give, prepare

KEY = {"GMSFHM": f"K{1:017d}"}
AT_ONCE = 8
TERMS = {"items": ["GMSFHM", "XM", "XB"], "modes": ["query", "verify", "subscribe", "bulk"]}


async def use_everything(
    hub: RunningHub, owner: Member, holder: Member, subscription: str, round_: int
) -> None:
    """Make every kind of call that reads or writes rows, each on several connections at once."""
    resource = "/v1/resources/people"
    facts = {"subject": KEY, "assertions": [{"item": "XM", "value": "name-1-"}]}
    dispute = {"keys": KEY, "item": "XB", "claim": "核对", "basis": "核对"}
    answers: list[httpx.Response] = []

    async def call(method: str, path: str, who: dict[str, str], **sent: Any) -> None:
        headers = who | sent.pop("headers", {})
        calls = (hub.client.request(method, path, headers=headers, **sent) for _ in range(AT_ONCE))
        answers.extend(await asyncio.gather(*calls))

    asker = holder.purposeful
    await call("POST", f"{resource}/query", asker, json={"keys": KEY})
    await call("POST", f"{resource}/query", asker, json={"where": {"XB": "x1"}, "as_of_version": 1})
    await call("POST", f"{resource}/verify", asker, json=facts)
    for form in ("application/x-ndjson", "application/vnd.apache.arrow.stream"):
        await call("GET", f"/v1/subscriptions/{subscription}/changes", asker, headers={"Accept": form})
    await call("GET", f"{resource}/accounting", owner.headers)
    await call("POST", f"{resource}/objections", asker, json=dispute)
    for mode in ("upsert", "delete"):
        line = f'{{"GMSFHM": "R{round_:017d}", "XM": "name"}}\n'
        await call(
            "POST",
            f"{resource}/rows?mode={mode}",
            owner.headers,
            content=line.encode(),
            headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": f"{mode}{round_}"},
        )
    csv = f"GMSFHM,XM\nB{round_:017d},name\n"
    await call(
        "POST",
        f"{resource}/batches",
        owner.headers,
        content=csv.encode(),
        headers={"Content-Type": "text/csv", "Idempotency-Key": f"b{round_}"},
    )
    failed = [(each.request.url.path, each.text) for each in answers if each.status_code >= 500]
    assert failed == []


async def test_calls_on_connections_older_than_an_added_item_succeed(hub: RunningHub) -> None:
    owner, holder = await prepare(hub)
    await give(hub, owner, holder, TERMS)
    begun = await hub.client.post(
        "/v1/subscriptions", json={"resource": "people", "from": "start"}, headers=holder.purposeful
    )
    assert begun.status_code == 201, begun.text
    items: list[Any] = RESOURCE["items"]  # type: ignore[assignment]
    for round_ in range(3):
        await use_everything(hub, owner, holder, begun.json()["id"], round_)
        items = [*items, {"name": f"ADDED{round_}", "title": "新增", "format": "C..20"}]
        changed = await hub.client.put(
            "/v1/resources/people", json=RESOURCE | {"items": items}, headers=owner.headers
        )
        assert changed.status_code == 200, changed.text
    await use_everything(hub, owner, holder, begun.json()["id"], 3)
