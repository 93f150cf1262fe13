"""The sharing services of GB/T 36906 in their envelope: every operation, and what each refusal answers."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from certs.ofd.package import OfdPackage
from core.china_time import CHINA_TIME
from core.log.model import Event
from tests.hubs import RunningHub
from tests.integration.certs.conftest import LICENCE, SERVICE_ITEM
from tests.integration.certs.test_certificates import NUMBER, ORDER
from tests.integration.certs.test_use import post, prepare

CAUSE = "办理食品经营许可"
EXPIRY = (datetime.now(CHINA_TIME) + timedelta(hours=2)).strftime("%Y%m%d%H%M%S")
STATED = {"holder": ORDER["holder"]["name"], "holderCode": NUMBER, "certNo": ORDER["number"]}


def head_of(hub: RunningHub, **changes: str | None) -> dict[str, Any]:
    token = hub.members["approval"].token
    case = {"itemCode": SERVICE_ITEM, "businessCode": "CASE-1", "username": "经办甲"}
    return {"accessId": "approval", "accessToken": token, "sign": "ignored"} | case | changes


async def call(hub: RunningHub, operation: str, head: dict[str, Any] | None = None, **data: Any) -> Any:
    body = {"head": head_of(hub) if head is None else head, "data": data}
    answer = await hub.client.post(f"/gbt36906/{operation}", json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"head", "data"}
    return told


async def ask(hub: RunningHub, operation: str, **data: Any) -> Any:
    told = await call(hub, operation, **data)
    assert told["head"]["status"] == 0, told
    return told["data"]


async def test_search_finds_by_holder_by_number_and_by_qr(hub: RunningHub) -> None:
    issued = await prepare(hub)
    (found,) = await ask(hub, "queryCert", holderCode=NUMBER, certTypeCode=LICENCE)
    assert found["certificateIdentifier"] == issued["identifier"]
    assert (found["state"], found["certificateName"]) == (0, "营业执照")
    (same,) = await ask(hub, "queryCertByNumber", certNo=ORDER["number"])
    assert same == found
    metadata = await ask(hub, "queryCertInfoByQRcode", qrCode=issued["qr_payload"], useCause=CAUSE)
    assert (metadata["ZZBS"], metadata["CZZT"]) == (issued["identifier"], ORDER["holder"]["name"])
    (held,) = await ask(
        hub,
        "queryCertInfoByHolderCode",
        holderCode=NUMBER,
        holderTypeCode="001",
        certTypeCode=LICENCE,
        useCause=CAUSE,
    )
    assert held == metadata


async def test_metadata_are_those_of_the_file_and_only_those_asked_for(hub: RunningHub) -> None:
    issued = await prepare(hub)
    asked = {"certificateIdentifier": issued["identifier"], "useCause": CAUSE}
    metadata = await ask(hub, "queryCertInfo", **asked)
    original = await ask(hub, "downloadFile", certificateIdentifier=issued["identifier"])
    sealed = OfdPackage.parse(base64.b64decode(original["content"])).bodies[0].metadata
    assert metadata == {name: value for name, value in sealed.items() if name != "ZZQZMC"}
    some = await ask(hub, "queryCertInfo", **asked, metadataRange="CZZT, ZZBH,ZZYXQJZRQ")
    assert some == {"CZZT": metadata["CZZT"], "ZZBH": metadata["ZZBH"]}
    unknown = await call(hub, "queryCertInfo", **asked, metadataRange="CZZT,NOSUCH")
    assert unknown["head"]["status"] == 24
    assert "NOSUCH" in unknown["head"]["message"]


async def test_download_with_a_cause_is_an_annotated_copy_once(hub: RunningHub) -> None:
    issued = await prepare(hub)
    asked = {"certificateIdentifier": issued["identifier"], "useCause": CAUSE, "copyExpiry": EXPIRY}
    copy = await ask(hub, "downloadFile", **asked)
    assert copy["metadata"]["JZJZZSY"] == CAUSE
    assert copy["metadata"]["JZJYXQJZSJ"] == EXPIRY
    verified = await ask(hub, "verifyFile", contentType="base64", content=copy["content"])
    assert (verified["verifyResult"], verified["certificateIdentifier"]) == (0, issued["identifier"])
    drawn = await ask(hub, "downloadFile", **asked, fileType="png")
    assert base64.b64decode(drawn["content"]).startswith(b"\x89PNG")
    address = await ask(hub, "downloadUrl", **asked)
    assert address["contentType"] == "http"
    first, second = [await hub.client.get(urlsplit(address["content"]).path) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 404)
    (of_holder,) = await ask(
        hub,
        "downloadUrlsByHolderCode",
        holderCode=NUMBER,
        certTypeCode=LICENCE,
        useCause=CAUSE,
        copyExpiry=EXPIRY,
    )
    assert of_holder["certificateIdentifier"] == issued["identifier"]
    late = await call(hub, "downloadFile", **asked | {"copyExpiry": "20200101000000"})
    assert late["head"]["status"] == 24


async def test_statement_answers_the_standards_results(hub: RunningHub) -> None:
    issued = await prepare(hub)

    async def verify(**changes: str) -> tuple[int, int]:
        told = await ask(
            hub, "verifyCertInfo", certTypeCode=LICENCE, certificateData=STATED | changes, useCause=CAUSE
        )
        return told["verifyResult"], told["nationalResult"]

    assert await verify() == (0, 0)
    assert await verify(FDDBR="别人") == (6, 99)
    assert await verify(certNo="NO-SUCH") == (5, 10)
    assert await verify(holderCode="") == (4, 12)
    path = f"/v1/certificates/{issued['identifier']}/status"
    await post(hub, path, {"to": "suspended", "reason": "x"}, "market")
    assert await verify() == (2, 23)
    refused = await call(hub, "queryCertInfo", certificateIdentifier=issued["identifier"], useCause=CAUSE)
    assert (refused["head"]["status"], refused["data"]) == (23, None)
    await post(hub, path, {"to": "revoked", "reason": "x"}, "market")
    assert await verify() == (3, 21)
    refused = await call(hub, "queryCertInfo", certificateIdentifier=issued["identifier"], useCause=CAUSE)
    assert refused["head"]["status"] == 21


async def test_file_that_was_altered_does_not_pass(hub: RunningHub) -> None:
    issued = await prepare(hub)
    original = await ask(hub, "downloadFile", certificateIdentifier=issued["identifier"])
    package = OfdPackage.parse(base64.b64decode(original["content"]))
    page = "/Doc_0/Pages/Page_0/Content.xml"
    altered = package.with_files({page: package.read(page) + b" "})
    told = await ask(hub, "verifyFile", content=base64.b64encode(altered).decode())
    assert told["verifyResult"] == 2
    nonsense = await ask(hub, "verifyFile", content=base64.b64encode(b"nonsense").decode())
    assert nonsense["verifyResult"] == 2
    unreadable = await call(hub, "verifyFile", content="%%%")
    assert unreadable["head"]["status"] == 24


@pytest.mark.parametrize(
    ("operation", "data", "status"),
    [
        ("queryCert", {"holderCode": NUMBER}, 12),
        ("queryCert", {"holderCode": NUMBER, "certTypeCode": "1" * 21}, 13),
        ("queryCert", {"holderCode": NUMBER, "certTypeCode": LICENCE, "holderTypeCode": "112"}, 14),
        ("queryCert", {"holderCode": "91990000MA0TE5T088", "certTypeCode": LICENCE}, 10),
        ("queryCertInfo", {"certificateIdentifier": "x", "useCause": CAUSE}, 24),
        ("queryCertInfo", {"useCause": CAUSE}, 12),
        ("queryCertInfo", {"useCause": "长" * 201}, 24),
        ("queryCertInfoByQRcode", {"qrCode": "x", "useCause": CAUSE}, 24),
        ("getCertRemarkInfo", {"certTypeCode": "1" * 21}, 13),
        ("downloadFile", {"certificateIdentifier": "x", "fileType": "pdf"}, 24),
    ],
)
async def test_call_with_bad_input_answers_the_national_code(
    hub: RunningHub, operation: str, data: dict[str, Any], status: int
) -> None:
    told = await call(hub, operation, **data)
    assert (told["head"]["status"], told["data"]) == (status, None), told


async def test_call_without_token_case_or_scope_is_refused_on_record(hub: RunningHub) -> None:
    data = {"holderCode": NUMBER, "certTypeCode": LICENCE}
    nobody = await call(hub, "queryCert", head_of(hub, accessToken="nobody"), **data)
    assert nobody["head"]["status"] == 11
    caseless = await call(hub, "queryCert", head_of(hub, businessCode=None), **data)
    assert caseless["head"]["status"] == 12
    assert "/head/businessCode" in caseless["head"]["message"]
    scopeless = await call(hub, "queryCert", head_of(hub, accessToken=hub.admin.token), **data)
    assert scopeless["head"]["status"] == 11
    async with hub.services.database.acquire() as connection:
        rows = await connection.fetch("SELECT body FROM core.log_leaf WHERE event = $1", Event.ACCESS_REFUSED)
    assert any("/gbt36906/queryCert" in row["body"] for row in rows)
    malformed = await hub.client.post(
        "/gbt36906/queryCert", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert (malformed.status_code, malformed.json()["head"]["status"]) == (200, 24)
    tokenless = await hub.client.post("/gbt36906/queryCert", json={"head": {}, "data": {}})
    assert tokenless.json()["head"]["status"] == 11


async def test_items_of_a_type_can_be_asked_for(hub: RunningHub) -> None:
    items = await ask(hub, "getCertRemarkInfo", certTypeCode=LICENCE)
    assert {"name": "certNo", "title": "证照编号", "required": True} in items
    assert "FDDBR" in {each["name"] for each in items}
