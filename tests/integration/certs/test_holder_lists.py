"""Holders see what is authorised and delegated; issuers ask for a time stamp."""

from __future__ import annotations

from typing import Any

from core.log.model import Event
from tests.hubs import RunningHub
from tests.integration.certs.conftest import SERVICE_ITEM
from tests.integration.certs.test_certificates import ORDER
from tests.integration.certs.test_use import DELEGATE, HOLDER, post, prepare, verify

STRANGER = {"code": "990000200002290028", "code_type": "111"}


async def listed(hub: RunningHub, what: str, acting: dict[str, str]) -> list[dict[str, Any]]:
    answer = await post(hub, f"/v1/holders/{what}/list", {"acting": acting}, "civil")
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def test_holder_sees_authorisations_and_delegations_and_strangers_none(hub: RunningHub) -> None:
    issued = await prepare(hub)
    identifier = issued["identifier"]
    given = {"identifier": identifier, "acting": HOLDER, "delegate": DELEGATE, "days": 3}
    delegation = (await post(hub, "/v1/holders/delegations", given, "civil")).json()
    terms = {
        "identifier": identifier,
        "acting": DELEGATE,
        "organisation_code": hub.members["approval"].code,
        "service_item": SERVICE_ITEM,
        "case_number": "CASE-1",
    }
    made = (await post(hub, "/v1/holders/authorisations", terms, "civil")).json()
    for person in (HOLDER, DELEGATE):
        (seen,) = await listed(hub, "authorisations", person)
        assert (seen["id"], seen["mode"], seen["code"]) == (made["id"], "delegation", None)
        (known,) = await listed(hub, "delegations", person)
        assert (known["id"], known["delegate"]) == (delegation["id"], DELEGATE)
        assert known["is_own"] is (person is HOLDER)
    assert await listed(hub, "authorisations", STRANGER) == []
    assert await listed(hub, "delegations", STRANGER) == []
    revoked = {"identifier": identifier, "acting": HOLDER}
    await post(hub, f"/v1/holders/delegations/{delegation['id']}/revoke", revoked, "civil")
    assert (await listed(hub, "delegations", HOLDER))[0]["revoked_at"] is not None
    assert await listed(hub, "authorisations", DELEGATE) == []
    assert len(await listed(hub, "authorisations", HOLDER)) == 1
    async with hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT body FROM core.log_leaf WHERE event = $1", Event.CERTIFICATE_AUTHORISED
        )
    assert sum("-listed" in row["body"] for row in rows) == 9
    acting = {"acting": HOLDER}
    refused = await hub.client.post("/v1/holders/delegations/list", json=acting, headers=hub.admin.headers)
    assert refused.status_code == 403


async def test_issue_with_a_time_stamp_is_dated_by_the_authority(hub: RunningHub) -> None:
    issued = await prepare(hub)
    market = hub.members["market"].headers
    stamped = ORDER | {"timestamp": True, "predecessor": issued["identifier"]}
    answer = await hub.client.post("/v1/certificates", json=stamped, headers=market)
    assert answer.status_code == 201, answer.text
    sources = []
    for each in (issued, answer.json()):
        path = f"/v1/certificates/{each['identifier']}/file"
        file = await hub.client.get(
            path, headers=hub.members["market"].purposeful, params={"allow_invalid": True}
        )
        report = await verify(hub, file.content)
        assert report["signatures"][0]["status"] in {"VALID", "VALID_WITH_WARNINGS"}, report
        sources.append(report["signatures"][0]["time_source"])
    assert sources[0] != sources[1]
