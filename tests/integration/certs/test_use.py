"""Using certificates: copies, authorisations, presentation, and the code on the face."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from certs.face.payload import FaceInvalid, verify_face
from certs.ofd.package import OfdPackage
from core.log.model import Event
from tests.hubs import RunningHub
from tests.integration.certs.conftest import LICENCE, SERVICE_ITEM
from tests.integration.certs.test_certificates import NUMBER, ORDER

HOLDER = {"code": NUMBER, "code_type": "001"}
DELEGATE = {"code": "990000199001010017", "code_type": "111"}


async def prepare(hub: RunningHub) -> dict[str, Any]:
    """Register a seal, allow use, and issue one licence through the whole hub."""
    market = hub.members["market"]
    seal = {"name": market.name, "organisation_code": market.code}
    assert (await hub.client.post("/v1/seals", json=seal, headers=hub.admin.headers)).status_code == 201
    await hub.client.put(
        f"/v1/certificate-types/{LICENCE}/service-items",
        json=[{"code": SERVICE_ITEM}],
        headers=hub.admin.headers,
    )
    answer = await hub.client.post("/v1/certificates", json=ORDER, headers=market.headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def post(hub: RunningHub, path: str, body: Any, member: str = "approval", **headers: str) -> Any:
    sent = hub.members[member].purposeful | headers
    return await hub.client.post(path, json=body, headers=sent)


async def get(hub: RunningHub, path: str, member: str = "approval", **headers: str) -> Any:
    return await hub.client.get(path, headers=hub.members[member].purposeful | headers)


async def verify(hub: RunningHub, data: bytes) -> dict[str, Any]:
    headers = hub.members["approval"].purposeful | {"Content-Type": "application/ofd"}
    answer = await hub.client.post("/v1/certificates/verify", content=data, headers=headers)
    return dict(answer.json())


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def test_copy_says_its_use_is_sealed_again_and_verifies(hub: RunningHub) -> None:
    issued = await prepare(hub)
    path = f"/v1/certificates/{issued['identifier']}/copies"
    cause = "办理食品经营许可（首次）"
    answer = await post(hub, path, {"cause": cause, "expires_at": in_hours(2)})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    file = await get(hub, f"/v1/certificate-copies/{made['id']}/file")
    assert file.headers["shuzheng-digest"] == made["digest"]
    package = OfdPackage.parse(file.content)
    metadata = package.bodies[0].metadata
    assert metadata["JZJZZSY"] == cause
    assert metadata["JZJZZZ"] == hub.members["approval"].name
    assert metadata["ZZBS"] == issued["identifier"]
    assert len(metadata["JZJYXQJZSJ"]) == len(metadata["JZJZZSJ"]) == 14
    report = await verify(hub, file.content)
    assert report["status"] in {"VALID", "VALID_WITH_WARNINGS"}, report
    assert (report["register"]["match"], report["register"]["status"]) == ("copy", "valid")
    assert cause in report["register"]["findings"][0]["message"]
    other = await get(hub, f"/v1/certificate-copies/{made['id']}/file", "police")
    assert other.status_code == 404
    to = {"to": "revoked", "reason": "x"}
    await post(hub, f"/v1/certificates/{issued['identifier']}/status", to, "market")
    assert (await verify(hub, file.content))["status"] == "INVALID"
    assert (await post(hub, path, {"cause": cause, "expires_at": in_hours(2)})).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"cause": "", "expires_at": in_hours(1)}, "/cause"),
        ({"cause": "长" * 201, "expires_at": in_hours(1)}, "/cause"),
        ({"cause": "x", "expires_at": in_hours(-1)}, "/expires_at"),
        ({"cause": "x", "expires_at": in_hours(24 * 400)}, "/expires_at"),
        ({"cause": "x", "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
    ],
)
async def test_copy_of_bad_terms_is_refused(hub: RunningHub, body: dict[str, str], pointer: str) -> None:
    answer = await post(hub, f"/v1/certificates/{IDENTIFIER}/copies", body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


IDENTIFIER = "1.2.156.3005.2.11100000MB0143028R001.11990000DM0000013N.2024000000000001.001.D"


async def test_download_address_works_once_even_at_once(hub: RunningHub) -> None:
    issued = await prepare(hub)
    copy = await post(
        hub, f"/v1/certificates/{issued['identifier']}/copies", {"cause": "x", "expires_at": in_hours(1)}
    )
    path = f"/v1/certificate-copies/{copy.json()['id']}/download-url"
    assert (await post(hub, path, None, "police")).status_code == 404
    url = urlsplit((await post(hub, path, None)).json()["url"]).path
    answers = await asyncio.gather(*(hub.client.get(url) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7
    [good] = [answer for answer in answers if answer.status_code == 200]
    assert (await verify(hub, good.content))["register"]["match"] == "copy"
    assert (await hub.client.get("/v1/downloads/guess")).status_code == 404


async def test_original_stays_in_where_only_copies_go_out(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    assert (await get(hub, f"/v1/certificates/{identifier}/file")).status_code == 200
    path = f"/v1/certificate-types/{LICENCE}/copies-only"
    refused = await hub.client.put(path, json=["*"], headers=hub.members["market"].headers)
    assert refused.status_code == 403
    assert (await hub.client.put(path, json=["*"], headers=hub.admin.headers)).status_code == 204
    answer = await get(hub, f"/v1/certificates/{identifier}/file")
    assert (answer.status_code, answer.json()["code"]) == (403, "CERT-USE-REFUSED")
    assert (await get(hub, f"/v1/certificates/{identifier}/data")).status_code == 200
    assert (await get(hub, f"/v1/certificates/{identifier}/file", "market")).status_code == 200
    copy = {"cause": "x", "expires_at": in_hours(1)}
    assert (await post(hub, f"/v1/certificates/{identifier}/copies", copy)).status_code == 201


async def authorise(hub: RunningHub, identifier: str, acting: dict[str, str], **terms: Any) -> Any:
    body = {
        "identifier": identifier,
        "acting": acting,
        "organisation_code": hub.members["police"].code,
        "service_item": "特种行业许可",
        "case_number": "C-9",
        **terms,
    }
    return await post(hub, "/v1/holders/authorisations", body, "civil")


CASE = {"Shuzheng-Service-Item": quote("特种行业许可"), "Shuzheng-Case-Number": "C-9"}


async def test_holder_authorises_one_organisation_for_one_case_so_often(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    path = f"/v1/certificates/{identifier}/data"
    assert (await get(hub, path, "police", **CASE)).status_code == 403
    assert (await authorise(hub, identifier, DELEGATE)).status_code == 404
    given = await authorise(hub, identifier, HOLDER, max_uses=2)
    assert given.status_code == 201, given.text
    code = {"Shuzheng-Authorisation": given.json()["code"]}
    for member, case in (("market", CASE), ("approval", CASE), ("police", {})):
        answer = await get(hub, path, member, **case, **code)
        assert (answer.status_code, answer.json()["code"]) == (403, "CERT-AUTHORISATION-REFUSED")
    file = await get(hub, f"/v1/certificates/{identifier}/file", "police", **CASE, **code)
    assert file.json()["code"] == "CERT-USE-REFUSED"
    answers = await asyncio.gather(*(get(hub, path, "police", **CASE, **code) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 403, 403, 403]
    assert (await authorise(hub, identifier, HOLDER, max_uses=0)).status_code == 422
    assert (await authorise(hub, identifier, HOLDER, organisation_code="1")).status_code == 422


async def test_authorisation_is_revoked_and_covers_the_original_where_it_says_so(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    given = (await authorise(hub, identifier, HOLDER, original=True, max_uses=5)).json()
    code = {"Shuzheng-Authorisation": given["code"]}
    path = f"/v1/certificates/{identifier}/file"
    assert (await get(hub, path, "police", **CASE, **code)).status_code == 200
    revoke = f"/v1/holders/authorisations/{given['id']}/revoke"
    stranger = {"reason": "x", "acting": DELEGATE}
    assert (await post(hub, revoke, stranger, "civil")).status_code == 404
    assert (await post(hub, revoke, {"reason": "x"}, "civil")).status_code == 404
    done = await post(hub, revoke, {"reason": "不再需要", "acting": HOLDER}, "civil")
    assert done.json()["revoked_at"]
    answer = await get(hub, path, "police", **CASE, **code)
    assert "revoked" in answer.json()["detail"]


async def test_delegate_acts_for_the_holder_until_that_is_taken_back(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    body = {"identifier": identifier, "acting": HOLDER, "delegate": DELEGATE, "days": 7}
    made = await post(hub, "/v1/holders/delegations", body, "civil")
    assert made.status_code == 201, made.text
    given = (await authorise(hub, identifier, DELEGATE)).json()
    assert given["mode"] == "delegation"
    onward = {"identifier": identifier, "acting": DELEGATE, "delegate": HOLDER, "days": 7}
    assert (await post(hub, "/v1/holders/delegations", onward, "civil")).status_code == 403
    back = f"/v1/holders/delegations/{made.json()['id']}/revoke"
    assert (await post(hub, back, {"identifier": identifier, "acting": HOLDER}, "civil")).status_code == 204
    assert (await authorise(hub, identifier, DELEGATE)).status_code == 404


async def test_authorisation_by_function_is_for_the_callers_own_case(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    given = await post(hub, "/v1/authorisations", {"identifier": identifier})
    assert (given.status_code, given.json()["mode"]) == (201, "function")
    code = {"Shuzheng-Authorisation": given.json()["code"]}
    assert (await get(hub, f"/v1/certificates/{identifier}/data", **code)).status_code == 200
    assert (await get(hub, f"/v1/certificates/{identifier}/data", **code)).status_code == 403
    other = await post(hub, "/v1/authorisations", {"identifier": identifier}, "police", **CASE)
    assert other.status_code == 403


async def test_presentation_is_shown_scanned_confirmed_and_released_once(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    me = {"acting": HOLDER}
    shown = await post(hub, "/v1/presentations", {"identifier": identifier, **me}, "civil")
    assert shown.status_code == 201, shown.text
    life = datetime.fromisoformat(shown.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta() < life <= timedelta(seconds=60)
    assert NUMBER not in shown.json()["code"]
    scan = {"code": shown.json()["code"]}
    scans = await asyncio.gather(*(post(hub, "/v1/presentations/scan", scan) for _ in range(6)))
    assert sorted(answer.status_code for answer in scans) == [200] + [404] * 5
    path = f"/v1/presentations/{shown.json()['id']}"
    early = await post(hub, f"{path}/release", None)
    assert early.status_code == 409
    watched = await post(hub, f"{path}/watch", me, "civil")
    assert watched.json()["scanned_by"] == hub.members["approval"].code
    assert (await post(hub, f"{path}/decide", me | {"confirm": True}, "civil")).status_code == 200
    assert (await post(hub, f"{path}/release", None, "police")).status_code == 404
    other_case = await post(hub, f"{path}/release", None, "approval", **CASE)
    assert other_case.status_code == 409
    releases = await asyncio.gather(*(post(hub, f"{path}/release", None) for _ in range(4)))
    assert sorted(answer.status_code for answer in releases) == [200, 409, 409, 409]
    [released] = [answer.json() for answer in releases if answer.status_code == 200]
    assert released["data"]["FDDBR"] == "张三丰"
    async with hub.services.database.acquire() as connection:
        steps = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = $1", Event.CERTIFICATE_PRESENTED
        )
    assert steps == 4


async def test_presentation_declined_or_by_a_stranger_releases_nothing(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    stranger = {"identifier": identifier, "acting": DELEGATE}
    assert (await post(hub, "/v1/presentations", stranger, "civil")).status_code == 404
    body = {"identifier": identifier, "acting": HOLDER}
    shown = (await post(hub, "/v1/presentations", body, "civil")).json()
    await post(hub, "/v1/presentations/scan", {"code": shown["code"]})
    path = f"/v1/presentations/{shown['id']}"
    await post(hub, f"{path}/decide", {"acting": HOLDER, "confirm": False}, "civil")
    assert (await post(hub, f"{path}/release", None)).status_code == 409
    confirm = {"acting": HOLDER, "confirm": True}
    assert (await post(hub, f"{path}/decide", confirm, "civil")).status_code == 409


async def test_face_verifies_with_the_authoritys_certificate_alone(hub: RunningHub) -> None:
    issued = await prepare(hub)
    text = issued["qr_payload"]
    authority = hub.services.pki.issuing
    facts = verify_face(text, authority=authority)
    assert facts.identifier == issued["identifier"]
    assert facts.holder_name == ORDER["holder"]["name"]
    assert facts.is_held_by(NUMBER)
    assert not facts.is_held_by("91990000MA0TE5T089")
    with pytest.raises(FaceInvalid):
        verify_face(text, authority=hub.services.pki.root)
    start = text.index("#") + 1
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for position in range(start, len(text)):
        changed = letters[(letters.index(text[position]) + 1) % 64]
        with pytest.raises(FaceInvalid):
            verify_face(text[:position] + changed + text[position + 1 :], authority=authority)
    other = IDENTIFIER.join(text.split(issued["identifier"]))
    for wrong in (other, text[:-4], text[:start], text[: start - 1], "x", "", "http://h/c/"):
        with pytest.raises(Exception, match=r".") as refused:
            verify_face(wrong, authority=authority)
        assert refused.value.code in {"CERT-FACE-INVALID", "CERT-IDENTIFIER-INVALID"}  # type: ignore[attr-defined]
    found = await post(hub, "/v1/certificates/look-up", {"qr": text})
    assert [each["identifier"] for each in found.json()] == [issued["identifier"]]
    found = await post(hub, "/v1/certificates/look-up", {"number": NUMBER})
    assert [each["identifier"] for each in found.json()] == [issued["identifier"]]
    assert (await post(hub, "/v1/certificates/look-up", {"number": NUMBER}, "police", **CASE)).json() == []
    assert (await post(hub, "/v1/certificates/look-up", {})).status_code == 400


async def test_public_page_tells_the_state_and_masks_the_name(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    page = await hub.client.get(f"/c/{identifier}")
    assert page.status_code == 200
    assert "有效" in page.text
    assert ORDER["holder"]["name"] not in page.text
    assert NUMBER not in page.text.replace(identifier, "")
    assert "src=" not in page.text
    data = (await hub.client.get(f"/v1/public/certificates/{identifier}")).json()
    assert (data["status"], data["result"], data["national"]) == ("active", 0, 0)
    assert set(data["holder_name"][1:-1]) == {"*"}
    for wrong in (IDENTIFIER, "x", "<script>"):
        assert (await hub.client.get(f"/c/{quote(wrong)}")).status_code == 404
        assert (await hub.client.get(f"/v1/public/certificates/{quote(wrong)}")).status_code in {400, 404}
