"""Descriptions of resources for tests of the catalogue, and short ways to send them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.hubs import RunningHub

ITEMS: list[dict[str, Any]] = [
    {"name": "code", "title": "编号", "format": "C..10", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..20", "is_required": True},
    {"name": "amount", "title": "金额", "format": "N..8,2", "share_type": "unconditional"},
]


def body(code: str = "things", **changes: Any) -> dict[str, Any]:
    """Write a description of a resource with three items."""
    whole = {"code": code, "title": "物品", "theme": "other", "update_cycle": "daily", "items": ITEMS}
    return whole | changes


async def send(
    hub: RunningHub, method: str, path: str, json: Any = None, *, who: str = "market", **options: Any
) -> httpx.Response:
    """Call a hub as one of its members, or as `admin`."""
    member = hub.admin if who == "admin" else hub.members[who]
    headers = member.purposeful | options.pop("headers", {})
    return await hub.client.request(method, path, json=json, headers=headers, **options)


async def ok(hub: RunningHub, method: str, path: str, json: Any = None, **options: Any) -> Any:
    """Call a hub, expect it to agree, and return the answer."""
    answer = await send(hub, method, path, json, **options)
    assert answer.status_code < 300, (answer.status_code, answer.text)
    return answer.json() if answer.content else None


async def publish(hub: RunningHub, code: str, content: str, key: str, who: str = "market") -> Any:
    """Publish CSV rows and return the accounting."""
    answer = await hub.client.post(
        f"/v1/resources/{code}/batches",
        content=content,
        headers=hub.members[who].headers | {"Idempotency-Key": key, "Content-Type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def grant(hub: RunningHub, code: str, items: list[str], modes: list[str], who: str = "approval") -> str:
    """Apply for items as one member, approve as the owner, and return the grant's id."""
    asked = {
        "items": items,
        "modes": modes,
        "service_items": ["*"],
        "purpose": "核验",
        "legal_basis": "行政许可法",
        "valid_days": 30,
    }
    made = await ok(hub, "POST", f"/v1/resources/{code}/applications", asked, who=who)
    if made["state"] == "pending":
        made = await ok(hub, "POST", f"/v1/applications/{made['id']}/decision", {"decision": "approve"})
    return str(made["grant_id"])
