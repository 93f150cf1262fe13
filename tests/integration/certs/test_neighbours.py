"""What one party does leaves others alone: orders beside a bad one, delegates beside the holder."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from certs.templates.photo import open_photo
from core.errors import SchemaViolation
from tests.hubs import RunningHub
from tests.integration.certs.conftest import LICENCE
from tests.integration.certs.test_certificates import NUMBER, ORDER
from tests.integration.certs.test_use import DELEGATE, HOLDER, authorise, get, post, prepare

OTHER = {"code": "990000200002290028", "code_type": "111"}


async def delegate(hub: RunningHub, identifier: str, to: dict[str, str]) -> str:
    asked = {"identifier": identifier, "acting": HOLDER, "delegate": to, "days": 1}
    answer = await post(hub, "/v1/holders/delegations", asked, "civil")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_delegate_undoes_nothing_of_the_holders_and_gives_no_longer_than_it_may_act(
    hub: RunningHub,
) -> None:
    identifier = (await prepare(hub))["identifier"]
    first = await delegate(hub, identifier, DELEGATE)
    await delegate(hub, identifier, OTHER)
    given = (await authorise(hub, identifier, OTHER, minutes=43_200)).json()
    assert datetime.fromisoformat(given["expires_at"]) <= datetime.now(UTC) + timedelta(days=1)
    own = (await authorise(hub, identifier, HOLDER)).json()
    path = f"/v1/holders/delegations/{first}/revoke"
    answer = await post(hub, path, {"identifier": identifier, "acting": OTHER}, "civil")
    assert answer.status_code == 403
    undo = {"reason": "不再需要", "acting": OTHER}
    answer = await post(hub, f"/v1/holders/authorisations/{own['id']}/revoke", undo, "civil")
    assert answer.status_code == 403
    answer = await post(hub, f"/v1/holders/authorisations/{given['id']}/revoke", undo, "civil")
    assert answer.status_code == 200
    answer = await post(hub, path, {"identifier": identifier, "acting": HOLDER}, "civil")
    assert answer.status_code == 204


async def test_authorisation_by_function_ends_with_its_rule(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    asked = {"identifier": identifier, "original": True, "max_uses": 9, "minutes": 600}
    code = {"Shuzheng-Authorisation": (await post(hub, "/v1/authorisations", asked)).json()["code"]}
    file = f"/v1/certificates/{identifier}/file"
    assert (await get(hub, file, **code)).status_code == 200
    rules, admin = f"/v1/certificate-types/{LICENCE}", hub.admin.headers
    (await hub.client.put(f"{rules}/copies-only", json=["*"], headers=admin)).raise_for_status()
    assert (await get(hub, file, **code)).status_code == 403
    (await hub.client.put(f"{rules}/copies-only", json=[], headers=admin)).raise_for_status()
    assert (await get(hub, file, **code)).status_code == 200
    (await hub.client.put(f"{rules}/service-items", json=[], headers=admin)).raise_for_status()
    assert (await get(hub, file, **code)).status_code == 403


@pytest.mark.parametrize(
    "bad", [{"type_code": "a\x00"}, {"predecessor": "a\x00"}], ids=["type", "predecessor"]
)
async def test_order_with_a_nul_fails_alone(hub: RunningHub, bad: dict[str, str]) -> None:
    await prepare(hub)
    sound = [ORDER | {"number": f"N{number}"} for number in range(4)]
    lines = "\n".join(map(json.dumps, [*sound[:2], ORDER | {"number": "N9"} | bad, *sound[2:]]))
    answer = await hub.client.post(
        "/v1/certificates/batch", content=lines, headers=hub.members["market"].headers
    )
    *told, sums = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["status"] for each in told] == ["issued", "issued", "failed", "issued", "issued"]
    assert sums["issued"] == 4


async def test_statement_with_a_nul_fails_alone(hub: RunningHub) -> None:
    await prepare(hub)
    sound: dict[str, Any] = {
        "type_code": LICENCE,
        "number": NUMBER,
        "holder_name": ORDER["holder"]["name"],
        "holder_code": ORDER["holder"]["code"],
        "holder_code_type": ORDER["holder"]["code_type"],
    }
    asked = [sound, sound | {"number": "a\x00"}, sound, sound]
    answers = await asyncio.gather(*(post(hub, "/v1/certificates/verify-data", each) for each in asked))
    assert [each.status_code for each in answers] == [200, 400, 200, 200]


def photograph(*entries: tuple[int, int, int, int]) -> str:
    """A small photograph whose camera wrote these entries (tag, type, count, value)."""
    out = BytesIO()
    Image.new("RGB", (100, 80)).save(out, "JPEG")
    written = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    body = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + written + bytes(4)
    jpeg = out.getvalue()
    return base64.b64encode(
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
    ).decode()


@pytest.mark.filterwarnings("ignore")
def test_photograph_of_odd_exif_is_taken_upright_or_refused() -> None:
    assert open_photo(photograph((0x0112, 3, 1, 6)), pointer="/x").size == (80, 100)
    kinds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16]
    for tag in (0x8769, 0x8825, 0x010F, 0x011A, 0x0132, 0xA005, 0x0111, 0x1234):
        for kind in kinds:
            for count, value in ((0, 0), (1, 8), (1, 0xFFFFFFFF), (3, 26)):
                encoded = photograph((0x0112, 3, 1, 6), (tag, kind, count, value))
                try:
                    assert open_photo(encoded, pointer="/x").mode == "RGB"
                except SchemaViolation:
                    continue
