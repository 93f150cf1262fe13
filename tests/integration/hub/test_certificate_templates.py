"""Each template that ships, through the whole path: type, seal, issue, file, verification, preview."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from certs.ofd.package import OfdPackage
from certs.types.ready import FOOD_PERMIT_ITEMS
from tests.hubs import PURPOSE, RunningHub
from tests.unit.certs.template_samples import METADATA, PHOTO_TEMPLATES, photo

PERSON = {"name": "李小禾", "code": "990000199001010017", "code_type": "111"}
FIRM = {"name": "示例市长青食品有限公司", "code": "91990000MA0TE5T088", "code_type": "001"}
TYPES = {
    "business-licence": ("11100000MB0143028R001", FIRM),
    "resident-certificate": ("11100000000013127D001", PERSON),
    "marriage-certificate": ("111000000000131433001", PERSON),
    "real-estate-certificate": ("11100000MB03271699001", PERSON),
}


async def register_food_permit(hub: RunningHub) -> str:
    """Register the permit under a code of the market regulator's own, as bodies do with local types."""
    code = hub.members["market"].code + "001"
    body = {
        "code": code,
        "name": "食品经营许可证",
        "defining_body": hub.members["market"].name,
        "defining_level": "city",
        "holder_category": "legal_person",
        "template": "food-business-permit",
        "end_required": True,
        "max_years": 5,
        "validity_range": "5年",
        "items": [
            {
                "name": item.name,
                "title": item.title,
                "format": item.format,
                "is_required": item.is_required,
            }
            for item in FOOD_PERMIT_ITEMS
        ],
    }
    answer = await hub.client.post("/v1/certificate-types", json=body, headers=hub.admin.headers)
    assert answer.status_code == 201, answer.text
    return code


async def register_seal(hub: RunningHub) -> None:
    market = hub.members["market"]
    body = {"name": market.name, "organisation_code": market.code}
    answer = await hub.client.post("/v1/seals", json=body, headers=hub.admin.headers)
    assert answer.status_code == 201, answer.text


def order_for(name: str, code: str, holder: dict[str, str]) -> dict[str, Any]:
    sample = METADATA[name]
    data = {key.removeprefix("KZ_"): value for key, value in sample.items() if key.startswith("KZ_")}
    if name in PHOTO_TEMPLATES:
        data["ZP"] = photo()
    order: dict[str, Any] = {"type_code": code, "holder": holder, "number": sample["ZZBH"], "data": data}
    if name == "food-business-permit":
        order["valid_until"] = "2030-01-01"
    return order


@pytest.mark.parametrize("name", sorted(METADATA))
async def test_template_is_issued_verified_and_drawn(hub: RunningHub, name: str) -> None:
    market = hub.members["market"]
    await register_seal(hub)
    code, holder = TYPES.get(name) or (await register_food_permit(hub), FIRM)
    issued = await hub.client.post(
        "/v1/certificates", json=order_for(name, code, holder), headers=market.headers
    )
    assert issued.status_code == 201, issued.text
    identifier = issued.json()["identifier"]
    file = await hub.client.get(f"/v1/certificates/{identifier}/file", headers=market.purposeful)
    assert file.status_code == 200, file.text

    report = await hub.client.post(
        "/v1/certificates/verify",
        content=file.content,
        headers=hub.members["approval"].purposeful | {"Content-Type": "application/ofd"},
    )
    assert report.json()["status"] == "VALID", report.text
    (body,) = OfdPackage.parse(file.content).bodies
    assert body.metadata["ZZBS"] == identifier
    assert "KZ_ZP" not in body.metadata

    preview = await hub.client.get(
        f"/v1/certificates/{identifier}/preview", params={"width": 600}, headers=market.purposeful
    )
    assert preview.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(preview.content)) as picture:
        assert picture.width == 600
        octets = picture.convert("RGB").tobytes()
    triples = zip(octets[0::3], octets[1::3], octets[2::3], strict=True)
    red = sum(r > 190 and g < 60 and b < 60 for r, g, b in triples)
    assert red > 200


async def issue_licence(hub: RunningHub) -> str:
    market = hub.members["market"]
    await register_seal(hub)
    code, holder = TYPES["business-licence"]
    answer = await hub.client.post(
        "/v1/certificates", json=order_for("business-licence", code, holder), headers=market.headers
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["identifier"])


async def test_preview_is_refused_to_whom_the_file_is_refused(hub: RunningHub) -> None:
    path = f"/v1/certificates/{await issue_licence(hub)}"
    approval = hub.members["approval"]
    for part in ("file", "preview", "thumbnail"):
        without = await hub.client.get(f"{path}/{part}", headers=approval.headers)
        unrelated = await hub.client.get(f"{path}/{part}", headers=approval.purposeful)
        assert without.status_code == 403, part
        assert (unrelated.status_code, unrelated.json()["code"]) == (403, "CERT-USE-REFUSED"), part


async def test_preview_answers_each_bad_wish_with_one_clear_error(hub: RunningHub) -> None:
    path = f"/v1/certificates/{await issue_licence(hub)}/preview"
    headers = hub.members["market"].purposeful
    for params, status, code in (
        ({"page": 2}, 404, "OFD-PAGE-MISSING"),
        ({"page": 0}, 422, None),
        ({"width": 5}, 422, None),
        ({"format": "pdf"}, 422, None),
        ({"watermark": "𠮷"}, 422, "OFD-GLYPH-MISSING"),
        ({"watermark": " "}, 400, None),
    ):
        answer = await hub.client.get(path, params=params, headers=headers)
        assert answer.status_code == status, (params, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert code in {None, answer.json()["code"]}


async def test_preview_as_svg_and_with_watermark_and_thumbnail_are_pictures(hub: RunningHub) -> None:
    path = f"/v1/certificates/{await issue_licence(hub)}"
    headers = hub.members["market"].headers | PURPOSE
    svg = await hub.client.get(f"{path}/preview", params={"format": "svg"}, headers=headers)
    marked = await hub.client.get(
        f"{path}/preview", params={"format": "svg", "watermark": "仅供食品经营许可办理使用"}, headers=headers
    )
    thumbnail = await hub.client.get(f"{path}/thumbnail", headers=headers)
    assert svg.headers["Content-Type"].startswith("image/svg+xml")
    assert svg.text.startswith("<svg")
    assert len(marked.text) > len(svg.text)
    assert "sandbox" in svg.headers["Content-Security-Policy"]
    with Image.open(io.BytesIO(thumbnail.content)) as picture:
        assert picture.width == 240


async def test_photo_that_is_none_is_refused_and_nothing_is_issued(hub: RunningHub) -> None:
    market = hub.members["market"]
    await register_seal(hub)
    order = order_for("resident-certificate", *TYPES["resident-certificate"])
    order["data"]["ZP"] = "bm90IGEgcGljdHVyZQ=="
    answer = await hub.client.post("/v1/certificates", json=order, headers=market.headers)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/metadata/KZ_ZP"]
    body = {"holder_code": PERSON["code"], "holder_code_type": "111"}
    found = await hub.client.post("/v1/certificates/search", json=body, headers=market.purposeful)
    assert found.json() == []
