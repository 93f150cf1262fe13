"""Every route below a resource, tried with the token of an organisation that it is not of."""

from __future__ import annotations

from typing import Any

from tests.hubs import Member, RunningHub
from tests.integration.exchange.test_break_in import RESOURCE, leaks, prepare

UNKNOWN = "00000000-0000-0000-0000-000000000000"
ANYONE_MAY = {  # descriptions are for all; applying and asking under a grant are tried in other tests
    ("get", ""),
    ("get", "/versions"),
    ("get", "/history"),
    ("get", "/elements"),
    ("get", "/revisions"),
    ("get", "/revisions/{revision}"),
    ("get", "/diff"),
    ("post", "/applications"),
    ("post", "/query"),
    ("post", "/verify"),
    ("post", "/objections"),
}
OWNERS_ONLY: dict[tuple[str, str], dict[str, Any]] = {
    ("put", ""): {"json": RESOURCE},
    ("post", "/rehearsals"): {"json": RESOURCE},
    ("post", "/majors"): {
        "json": {"description": RESOURCE, "rehearsal": "x", "readable_until": "2099-01-01"}
    },
    ("put", "/draft"): {"json": RESOURCE},
    ("delete", "/draft"): {},
    ("post", "/submit"): {},
    ("post", "/review"): {"json": {"approve": True, "reason": "x"}},
    ("post", "/recall"): {"json": {"reason": "x"}},
    ("get", "/masks"): {},
    ("put", "/masks"): {"json": {"masks": {}}},
    ("get", "/accounting"): {},
    ("post", "/reconciliations/stations"): {},
    ("post", "/reconciliations/buckets"): {"json": {"items": ["GMSFHM"], "digests": ["0" * 64]}},
    ("post", "/reconciliations/rows"): {
        "json": {"items": ["GMSFHM"], "version": 1, "bucket_count": 1, "buckets": [0], "rows": {}}
    },
    ("post", "/batches"): {
        "content": b"GMSFHM\nK00000000000000000\n",
        "headers": {"Content-Type": "text/csv", "Idempotency-Key": "x"},
    },
    ("get", "/batches"): {},
    ("get", "/batches/{batch_id}"): {},
    ("get", "/batches/{batch_id}/rejects"): {},
    ("get", "/batches/{batch_id}/flags"): {},
    ("get", "/batches/{batch_id}/rejects.{extension}"): {},
    ("post", "/rows"): {
        "content": b'{"GMSFHM": "K00000000000000000"}\n',
        "headers": {"Content-Type": "application/x-ndjson", "Idempotency-Key": "x"},
    },
    ("post", "/uploads"): {"json": {"content_type": "text/csv"}},
    ("get", "/uploads/{upload_id}"): {},
    ("head", "/uploads/{upload_id}"): {},
    ("patch", "/uploads/{upload_id}"): {
        "headers": {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    },
    ("delete", "/uploads/{upload_id}"): {},
    ("post", "/uploads/{upload_id}/publish"): {"headers": {"Idempotency-Key": "x"}},
    ("get", "/leads"): {},
    ("get", "/lake"): {},
    ("put", "/lake"): {"json": {"followed": True}},
    ("get", "/quality"): {},
    ("get", "/quality/rules"): {},
    ("put", "/quality/rules"): {"json": {"rules": []}},
}


async def test_routes_of_a_resource_are_each_the_owners_or_tried_elsewhere(hub: RunningHub) -> None:
    """A route that is added stands in one of the lists, or this fails."""
    document = (await hub.client.get("/openapi.json")).json()
    start = "/v1/resources/{code}"
    found = {
        (method, path.removeprefix(start))
        for path, methods in document["paths"].items()
        if path.startswith(start)
        for method in methods
    }
    assert found <= ANYONE_MAY | set(OWNERS_ONLY)


async def test_routes_of_the_owner_are_closed_to_others_and_change_nothing(hub: RunningHub) -> None:
    owner, _ = await prepare(hub)
    batches = (await hub.client.get("/v1/resources/people/batches", headers=owner.headers)).json()
    before = await describe(hub, owner)
    opened = []
    for (method, suffix), sent in OWNERS_ONLY.items():
        path = suffix.format(batch_id=batches[0]["batch"], upload_id=UNKNOWN, extension="csv")
        headers = hub.members["market"].purposeful | sent.get("headers", {})
        answer = await hub.client.request(
            method.upper(), f"/v1/resources/people{path}", **(sent | {"headers": headers})
        )
        if answer.status_code not in {403, 404, 405} or leaks(answer.text, set()):
            opened.append((method, suffix, answer.status_code, answer.text[:200]))
    assert not opened, "\n".join(map(str, opened))
    assert await describe(hub, owner) == before


async def describe(hub: RunningHub, owner: Member) -> list[str]:
    """Tell all that an owner sees of the resource."""
    paths = ("", "/history", "/batches", "/masks", "/quality/rules", "/versions")
    return [
        (await hub.client.get(f"/v1/resources/people{path}", headers=owner.headers)).text for path in paths
    ]
