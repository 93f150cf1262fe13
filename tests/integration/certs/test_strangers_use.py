"""Authorisations, delegations and the façade of GB/T 36906, tried by those they are not for."""

from __future__ import annotations

import json
from typing import Any

from tests.hubs import Member, RunningHub
from tests.integration.certs.conftest import LICENCE, SERVICE_ITEM
from tests.integration.certs.test_certificates import NUMBER, ORDER
from tests.integration.certs.test_sharing import CAUSE, EXPIRY, STATED, call, head_of
from tests.integration.certs.test_use import DELEGATE, HOLDER, get, post, prepare

STRANGER = {"code": "990000200002290028", "code_type": "111"}
UNKNOWN = "00000000-0000-0000-0000-000000000000"
OTHER_ITEM = "别的事项"


async def test_authorisation_and_delegation_are_ended_by_their_own_people_only(hub: RunningHub) -> None:
    issued = await prepare(hub)
    identifier = issued["identifier"]
    terms = {
        "identifier": identifier,
        "acting": HOLDER,
        "organisation_code": hub.members["approval"].code,
        "service_item": OTHER_ITEM,
        "case_number": "CASE-1",
    }
    made = (await post(hub, "/v1/holders/authorisations", terms, "civil")).json()
    given = {"identifier": identifier, "acting": HOLDER, "delegate": DELEGATE, "days": 3}
    delegation = (await post(hub, "/v1/holders/delegations", given, "civil")).json()
    revoke = f"/v1/holders/authorisations/{made['id']}/revoke"
    of_stranger = {"reason": "x", "acting": STRANGER}
    undo = f"/v1/holders/delegations/{delegation['id']}/revoke"
    by_stranger = {"identifier": identifier, "acting": STRANGER}
    tries: list[tuple[str, Any, str]] = [
        (revoke, of_stranger, "civil"),
        (f"/v1/authorisations/{made['id']}/revoke", {"reason": "x"}, "police"),
        (f"/v1/authorisations/{UNKNOWN}/revoke", {"reason": "x"}, "police"),
        (undo, by_stranger, "civil"),
        ("/v1/holders/authorisations", terms | {"acting": STRANGER}, "civil"),
        ("/v1/holders/delegations", given | {"acting": STRANGER}, "civil"),
    ]
    answers = [(path, body, await post(hub, path, body, member)) for path, body, member in tries]
    opened = [
        (path, body, answer.status_code, answer.text[:200])
        for path, body, answer in answers
        if answer.status_code not in {403, 404}
    ]
    assert not opened, "\n".join(map(str, opened))
    assert answers[1][2].json()["detail"] == answers[2][2].json()["detail"], "an id tells whether it is one"
    (kept,) = (await post(hub, "/v1/holders/authorisations/list", {"acting": HOLDER}, "civil")).json()
    assert (kept["id"], kept["revoked_at"]) == (made["id"], None)
    (still,) = (await post(hub, "/v1/holders/delegations/list", {"acting": HOLDER}, "civil")).json()
    assert (still["id"], still["revoked_at"]) == (delegation["id"], None)


async def test_authorisation_of_one_organisation_and_case_serves_no_other(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    terms = {
        "identifier": identifier,
        "acting": HOLDER,
        "organisation_code": hub.members["approval"].code,
        "service_item": OTHER_ITEM,
        "case_number": "CASE-1",
    }
    made = (await post(hub, "/v1/holders/authorisations", terms, "civil")).json()
    path = f"/v1/certificates/{identifier}/data"
    for member, item, case in (
        ("police", "%E5%88%AB%E7%9A%84%E4%BA%8B%E9%A1%B9", "CASE-1"),
        ("approval", "%E5%88%AB%E7%9A%84%E4%BA%8B%E9%A1%B9", "CASE-2"),
        ("approval", "%E6%9F%90%E4%BA%8B%E9%A1%B9", "CASE-1"),
    ):
        headers = {
            "Shuzheng-Service-Item": item,
            "Shuzheng-Case-Number": case,
            "Shuzheng-Authorisation": made["id"],
            "Shuzheng-Authorisation-Code": str(made["code"]),
        }
        answer = await get(hub, path, member, **headers)
        assert answer.status_code in {403, 404}, (member, item, case, answer.text)
        assert ORDER["holder"]["name"] not in answer.text


def sharing_calls(issued: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """List every operation that gives something of a certificate, or judges what is stated of one."""
    by_identifier = {"certificateIdentifier": issued["identifier"], "useCause": CAUSE}
    by_holder = {
        "holderCode": NUMBER,
        "holderTypeCode": "001",
        "certTypeCode": LICENCE,
        "useCause": CAUSE,
        "copyExpiry": EXPIRY,
    }
    return [
        ("queryCert", {"holderCode": NUMBER, "certTypeCode": LICENCE}),
        ("queryCertByNumber", {"certNo": ORDER["number"]}),
        ("queryCertInfo", by_identifier),
        ("queryCertInfoByQRcode", {"qrCode": issued["qr_payload"], "useCause": CAUSE}),
        ("queryCertInfoByHolderCode", by_holder),
        ("downloadFile", by_identifier | {"copyExpiry": EXPIRY}),
        ("downloadUrl", by_identifier | {"copyExpiry": EXPIRY}),
        ("downloadUrlsByHolderCode", by_holder),
        ("verifyCertInfo", {"certTypeCode": LICENCE, "certificateData": STATED, "useCause": CAUSE}),
    ]


async def test_facade_gives_nothing_for_an_item_that_the_type_does_not_serve(hub: RunningHub) -> None:
    issued = await prepare(hub)
    stranger: Member = hub.members["police"]
    for operation, asked in sharing_calls(issued):
        head = head_of(hub, accessToken=stranger.token, itemCode=OTHER_ITEM)
        told = await call(hub, operation, head, **asked)
        text = json.dumps(told, ensure_ascii=False)
        said = {str(value) for value in asked.values()}
        for secret in (issued["identifier"], ORDER["holder"]["name"], issued["qr_payload"]):
            assert secret not in text or secret in said or secret in str(said), (operation, told)
        assert told["head"]["status"] != 0 or told["data"] == [], (operation, told)


async def test_facade_refuses_tokens_without_its_scope(hub: RunningHub) -> None:
    issued = await prepare(hub)
    others = [("getCertRemarkInfo", {"certTypeCode": LICENCE})]
    for operation, asked in [*sharing_calls(issued), *others]:
        for token in (hub.admin.token, hub.auditor.token, "no-token"):
            told = await call(hub, operation, head_of(hub, accessToken=token, itemCode=SERVICE_ITEM), **asked)
            assert (told["head"]["status"], told["data"]) == (11, None), (operation, told)
