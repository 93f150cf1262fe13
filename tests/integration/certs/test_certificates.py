"""A certificate's life over HTTP: sealed, issued, fetched for a case, verified, revoked."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Any

import pytest

from core.log.model import Event
from tests.integration.certs.conftest import LICENCE, MAX_BYTES, SERVICE_ITEM, World
from tests.unit.certs import packages

NUMBER = "91990000MA0TE5T088"
ORDER: dict[str, Any] = {
    "type_code": LICENCE,
    "holder": {"name": "示例市长青食品有限公司", "code": NUMBER, "code_type": "001"},
    "number": NUMBER,
    "data": {
        "LX": "有限责任公司",
        "FDDBR": "张三丰",
        "CLRQ": "2020-02-29",
        "ZS": "示例市示例路1号",
        "JYFW": "食品经营",
    },
}


async def register_seal(world: World, member: str = "market") -> dict[str, Any]:
    organisation = world.hub.members[member]
    answer = await world.client.post(
        "/v1/seals",
        json={"name": organisation.name, "organisation_code": organisation.code},
        headers=world.hub.admin.headers,
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def issue(world: World, *, key: str | None = None, **changes: Any) -> dict[str, Any]:
    headers = world.hub.members["market"].headers | ({"Idempotency-Key": key} if key else {})
    answer = await world.client.post("/v1/certificates", json=ORDER | changes, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def allow_use(world: World) -> None:
    answer = await world.client.put(
        f"/v1/certificate-types/{LICENCE}/service-items",
        json=[{"code": SERVICE_ITEM}],
        headers=world.hub.admin.headers,
    )
    assert answer.status_code == 200, answer.text


async def fetch(world: World, identifier: str, member: str = "approval", **params: str) -> Any:
    return await world.client.get(
        f"/v1/certificates/{identifier}/file",
        params=params,
        headers=world.hub.members[member].purposeful,
    )


async def verify(world: World, data: bytes) -> dict[str, Any]:
    headers = world.hub.members["approval"].purposeful | {"Content-Type": "application/ofd"}
    answer = await world.client.post("/v1/certificates/verify", content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def revoke(world: World, identifier: str) -> None:
    answer = await world.client.post(
        f"/v1/certificates/{identifier}/status",
        json={"to": "revoked", "reason": "提交虚假材料"},
        headers=world.hub.members["market"].headers,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "revoked"


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def alter_page(data: bytes) -> bytes:
    """Change one byte of the page."""
    files = unpack(data)
    page = files["Doc_0/Pages/Page_0/Content.xml"]
    position = page.index("甲".encode())
    files["Doc_0/Pages/Page_0/Content.xml"] = (
        page[:position] + bytes([page[position] ^ 1]) + page[position + 1 :]
    )
    return packages.pack(files)


async def count(world: World, table: str) -> int:
    async with world.hub.services.database.acquire() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def events_of(world: World, identifier: str) -> list[str]:
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT event FROM core.log_leaf WHERE certificate_id = $1 ORDER BY recorded_at", identifier
        )
    return [row["event"] for row in rows]


async def test_certificate_issued_is_fetched_verified_and_refused_once_revoked(world: World) -> None:
    await register_seal(world)
    await allow_use(world)
    issued = await issue(world)
    identifier = issued["identifier"]
    assert identifier.startswith(f"1.2.156.3005.2.{LICENCE}.")
    assert issued["status"] == "active"
    assert issued["qr_payload"].startswith(f"http://hub.test/c/{identifier}#")

    fetched = await fetch(world, identifier)
    assert fetched.status_code == 200, fetched.text
    assert fetched.headers["content-type"] == "application/ofd"
    assert fetched.headers["shuzheng-digest"] == issued["digest"]

    good = await verify(world, fetched.content)
    assert good["status"] in {"VALID", "VALID_WITH_WARNINGS"}, good
    assert {f["code"] for f in good["signatures"][0]["findings"]} <= {"I157", "W156"}
    assert good["register"] == {
        "match": "file",
        "status": "valid",
        "identifier": identifier,
        "successor": None,
        "changed_at": None,
        "reason": None,
        "findings": [],
    }
    assert good["signatures"][0]["seal"]["name"] == "示例市市场监督管理局"

    altered = await verify(world, alter_page(fetched.content))
    assert altered["status"] == "INVALID"
    broken = [f["subject"] for f in altered["signatures"][0]["findings"] if f["code"] == "E125"]
    assert broken == ["/Doc_0/Pages/Page_0/Content.xml"]
    assert altered["register"]["match"] == "claim"

    await revoke(world, identifier)
    after = await verify(world, fetched.content)
    assert after["status"] == "INVALID"
    assert after["register"]["status"] == "revoked"
    assert after["register"]["reason"] == "提交虚假材料"
    assert "提交虚假材料" in after["register"]["findings"][0]["message"]

    assert (await fetch(world, identifier)).json()["code"] == "CERT-NOT-VALID"
    assert (await fetch(world, identifier, allow_invalid="true")).status_code == 200
    assert await events_of(world, identifier) == [
        Event.CERTIFICATE_ISSUED,
        Event.CERTIFICATE_FETCHED,
        Event.CERTIFICATE_VERIFIED,
        Event.CERTIFICATE_VERIFIED,
        Event.CERTIFICATE_STATUS_CHANGED,
        Event.CERTIFICATE_VERIFIED,
        Event.ACCESS_REFUSED,
        Event.CERTIFICATE_FETCHED,
    ]


async def test_file_packed_anew_is_known_by_its_sealed_content(world: World) -> None:
    await register_seal(world)
    await allow_use(world)
    identifier = (await issue(world))["identifier"]
    files = unpack((await fetch(world, identifier)).content)
    report = await verify(world, packages.pack(dict(reversed(files.items()))))
    assert report["status"] == "VALID_WITH_WARNINGS"
    assert report["register"]["match"] == "content"
    assert report["register"]["status"] == "valid"


async def test_file_that_only_claims_a_registered_identifier_is_caught(world: World) -> None:
    await register_seal(world)
    identifier = (await issue(world))["identifier"]
    forged = packages.pack(packages.sign(packages.plain_files({"ZZBS": identifier})))
    report = await verify(world, forged)
    assert report["status"] == "INVALID"
    assert report["register"]["match"] == "claim"
    assert report["register"]["status"] == "not_the_registered_file"
    unsigned = await verify(world, packages.pack(packages.plain_files({"ZZBS": identifier}, signed=False)))
    assert unsigned["status"] == "INVALID"


async def test_file_of_another_issuer_is_unknown_here_and_judged_on_its_own(world: World) -> None:
    report = await verify(world, packages.pack(packages.sealed()))
    assert report["status"] == "UNKNOWN"
    assert report["register"]["status"] == "unknown_here"


async def test_issue_twice_with_the_same_key_returns_the_first_certificate(world: World) -> None:
    await register_seal(world)
    first = await issue(world, key="k1")
    again = await issue(world, key="k1")
    assert again == first
    assert await count(world, "certs.certificate") == 1
    headers = world.hub.members["market"].headers | {"Idempotency-Key": "k1"}
    other = await world.client.post("/v1/certificates", json=ORDER | {"number": "X2"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY-CONFLICT")


async def test_issue_at_once_with_the_same_key_makes_one_certificate(world: World) -> None:
    await register_seal(world)
    answers = await asyncio.gather(*(issue(world, key="k2") for _ in range(5)))
    assert len({answer["identifier"] for answer in answers}) == 1
    assert len({answer["digest"] for answer in answers}) == 1
    assert await count(world, "certs.certificate") == 1
    assert await count(world, "certs.status_change") == 1


async def test_issue_of_a_number_twice_is_a_conflict(world: World) -> None:
    await register_seal(world)
    await issue(world)
    answer = await world.client.post(
        "/v1/certificates", json=ORDER, headers=world.hub.members["market"].headers
    )
    assert answer.status_code == 409
    assert "predecessor" in answer.json()["detail"]


async def test_issue_with_many_faults_names_each_and_changes_nothing(world: World) -> None:
    await register_seal(world)
    order = ORDER | {"data": {"CLRQ": "x", "QQ": "1"}, "holder": ORDER["holder"] | {"code": "1"}}
    answer = await world.client.post(
        "/v1/certificates", json=order, headers=world.hub.members["market"].headers
    )
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/holder/code",
        "/data/CLRQ",
        "/data/QQ",
        "/data/LX",
        "/data/FDDBR",
        "/data/ZS",
        "/data/JYFW",
    }
    assert await count(world, "certs.certificate") == 0
    assert list(world.hub.services.objects.keys("certificates/")) == []


async def test_issue_without_a_seal_says_so(world: World) -> None:
    answer = await world.client.post(
        "/v1/certificates", json=ORDER, headers=world.hub.members["market"].headers
    )
    assert answer.status_code == 404
    assert "POST /v1/seals" in answer.json()["detail"]


async def test_issue_under_suspended_seal_is_refused(world: World) -> None:
    seal = await register_seal(world)
    market = world.hub.members["market"].headers
    change = {"to": "suspended", "reason": "保管人变更"}
    answer = await world.client.post(
        f"/v1/seals/{seal['id']}/status", json=change, headers=world.hub.admin.headers
    )
    assert answer.json()["status"] == "suspended"
    assert (await world.client.post("/v1/certificates", json=ORDER, headers=market)).status_code == 404
    named = ORDER | {"seal_id": seal["id"]}
    assert (await world.client.post("/v1/certificates", json=named, headers=market)).status_code == 409


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"", "application/ofd", 400),
        (b"x", "application/json", 415),
        (b"x" * (MAX_BYTES + 1), "application/ofd", 413),
        (b"rubbish", "application/octet-stream", 200),
    ],
)
async def test_verify_of_bad_bodies_answers_clearly(
    world: World, content: bytes, media_type: str, status: int
) -> None:
    headers = world.hub.members["approval"].headers | {"Content-Type": media_type}
    answer = await world.client.post("/v1/certificates/verify", content=content, headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["status"] == "INVALID"


@pytest.mark.parametrize(
    "identifier", ["x", "1.2.156.3005.2." + "x" * 200, "'; drop table", "..%2f..", "%00"]
)
async def test_hostile_identifiers_are_refused_clearly(world: World, identifier: str) -> None:
    for path in (f"/v1/certificates/{identifier}/file", f"/v1/certificates/{identifier}"):
        answer = await world.client.get(path, headers=world.hub.members["market"].purposeful)
        assert answer.status_code in {400, 404}, answer.text


async def test_seal_of_another_organisation_cannot_be_registered(world: World) -> None:
    body = {"name": "公安局", "organisation_code": world.hub.members["police"].code}
    market, admin = world.hub.members["market"].headers, world.hub.admin.headers
    assert (await world.client.post("/v1/seals", json=body, headers=market)).status_code == 403
    assert (await world.client.post("/v1/seals", json=body, headers=admin)).status_code == 201
    assert (await world.client.post("/v1/seals", json=body, headers=admin)).status_code == 409


async def test_seal_with_bad_picture_is_refused(world: World) -> None:
    body = {"name": "甲", "picture": "bm90IGEgcG5n"}
    answer = await world.client.post("/v1/seals", json=body, headers=world.hub.admin.headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/picture"


async def test_types_ship_and_a_further_version_is_registered(world: World) -> None:
    admin = world.hub.admin.headers
    types = (await world.client.get("/v1/certificate-types", headers=admin)).json()
    assert LICENCE in {kind["code"] for kind in types}
    code = world.hub.admin.code + "001"
    kind = {
        "code": code,
        "name": "示例证",
        "defining_body": "示例机关",
        "holder_category": "mixed",
        "items": [{"name": "XM", "title": "姓名", "format": "C..50", "is_required": True}],
        "template": "business-licence",
    }
    assert (await world.client.post("/v1/certificate-types", json=kind, headers=admin)).status_code == 201
    assert (await world.client.post("/v1/certificate-types", json=kind, headers=admin)).status_code == 409
    second = kind | {"version": 2, "name": "示例证（新）"}
    assert (await world.client.post("/v1/certificate-types", json=second, headers=admin)).status_code == 201
    shown = await world.client.get(f"/v1/certificate-types/{code}", headers=admin)
    assert (shown.json()["version"], shown.json()["evidence"]) == (2, "local")
    market = world.hub.members["market"].headers
    refused = await world.client.post("/v1/certificate-types", json=second, headers=market)
    assert refused.status_code == 403


async def test_type_with_many_faults_names_each(world: World) -> None:
    kind = {
        "code": "X",
        "name": "",
        "defining_body": "甲",
        "holder_category": "mixed",
        "items": [{"name": "a b", "title": "", "format": "Z9"}],
        "template": "none-such",
        "max_years": 0,
    }
    answer = await world.client.post("/v1/certificate-types", json=kind, headers=world.hub.admin.headers)
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/code",
        "/name",
        "/template",
        "/max_years",
        "/items/0/name",
        "/items/0/title",
        "/items/0/format",
    }
