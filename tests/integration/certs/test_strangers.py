"""What is one organisation's of certificates and seals, tried with the token of another."""

from __future__ import annotations

from typing import Any

from tests.hubs import RunningHub
from tests.integration.certs.test_use import get, in_hours, post, prepare


async def test_stranger_finds_no_seal_copy_or_register_entry_of_others(hub: RunningHub) -> None:
    issued = await prepare(hub)
    identifier = issued["identifier"]
    cause = {"cause": "x", "expires_at": in_hours(1)}
    copy = (await post(hub, f"/v1/certificates/{identifier}/copies", cause)).json()
    (seal,) = (await get(hub, "/v1/seals", "market")).json()
    tries: list[tuple[str, str, Any]] = [
        ("get", f"/v1/certificates/{identifier}", None),
        ("post", f"/v1/certificates/{identifier}/status", {"to": "revoked", "reason": "x"}),
        ("get", f"/v1/certificate-copies/{copy['id']}/file", None),
        ("post", f"/v1/certificate-copies/{copy['id']}/download-url", None),
        ("get", f"/v1/seals/{seal['id']}", None),
        ("get", f"/v1/seals/{seal['id']}/file", None),
        ("post", f"/v1/seals/{seal['id']}/status", {"to": "suspended", "reason": "x"}),
        ("post", f"/v1/seals/{seal['id']}/rotate", {"reason": "x"}),
    ]
    stranger, opened = hub.members["police"], []
    for method, path, body in tries:
        answer = await hub.client.request(method.upper(), path, json=body, headers=stranger.purposeful)
        if answer.status_code not in {403, 404}:
            opened.append((method, path, answer.status_code, answer.text[:200]))
    assert not opened, "\n".join(map(str, opened))
    shown = await get(hub, f"/v1/certificates/{identifier}", "market")
    assert shown.json()["status"] == "active"
