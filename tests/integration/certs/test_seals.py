"""Seals over HTTP: kept by one hand and set by another, rotated, and set on documents of every kind."""

from __future__ import annotations

import base64
import json
from datetime import date, timedelta
from typing import Any

import pytest

from certs.ofd.objects import Path, rectangle
from certs.ofd.writer import DocumentBuilder, DocumentFacts
from core.caller import OrganisationCode, Scope
from core.errors import SchemaViolation
from core.log.model import Event
from signing.seals.parse import parse_seal
from signing.x509.certificate import Certificate
from signing.x509.names import Name
from signing.x509.profiles import Profile
from tests.integration.certs.conftest import World
from tests.integration.certs.test_certificates import allow_use, fetch, issue, register_seal, verify


def document(pages: int = 1) -> bytes:
    """An unsigned OFD document of A4 pages with a rectangle on each."""
    facts = DocumentFacts(document_id="0" * 32, title="公文", created_on=date(2026, 1, 1))
    builder = DocumentBuilder(facts, page_size=(210, 297))
    for _ in range(pages):
        builder.add_page().add(Path(commands=rectangle(20, 20, 50, 50), fill=(0, 0, 0)))
    return builder.build()


async def sign(world: World, seal: dict[str, Any], data: bytes, member: str = "market", **order: Any) -> Any:
    body = {"content": base64.b64encode(data).decode(), **order}
    headers = world.hub.members[member].headers
    return await world.client.post(f"/v1/seals/{seal['id']}/sign", json=body, headers=headers)


async def change(world: World, seal: dict[str, Any], **body: Any) -> Any:
    path = f"/v1/seals/{seal['id']}/status"
    return await world.client.post(path, json=body, headers=world.hub.admin.headers)


async def leaves(world: World, event: Event) -> list[dict[str, Any]]:
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT body FROM core.log_leaf WHERE event = $1 ORDER BY recorded_at", event
        )
    return [json.loads(row["body"])["details"] for row in rows]


async def test_seal_is_kept_by_a_keeper_and_never_by_who_uses_it(world: World) -> None:
    market = world.hub.members["market"]
    answer = await world.client.post("/v1/seals", json={"name": market.name}, headers=market.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH-SCOPE-MISSING")
    made = await world.hub.services.identity.register_system(
        organisation_code=OrganisationCode(market.code),
        name="印章管理",
        scopes=frozenset({Scope.SEAL_MANAGE}),
        actor=None,
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": str(made.system.id),
        "client_secret": made.secret,
    }
    token = (await world.client.post("/v1/oauth/token", data=form)).json()["access_token"]
    keeper = {"Authorization": f"Bearer {token}"}
    answer = await world.client.post("/v1/seals", json={"name": market.name}, headers=keeper)
    assert answer.status_code == 201, answer.text
    seal = answer.json()
    other = {"name": "别家", "organisation_code": world.hub.members["police"].code}
    assert (await world.client.post("/v1/seals", json=other, headers=keeper)).status_code == 403
    body = {"content": base64.b64encode(document()).decode(), "places": [{"page": 1, "x": 100, "y": 100}]}
    for headers in (keeper, world.hub.admin.headers):
        answer = await world.client.post(f"/v1/seals/{seal['id']}/sign", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "AUTH-SCOPE-MISSING")
    assert (await sign(world, seal, document(), places=body["places"])).status_code == 200
    assert (await sign(world, seal, document(), "police", places=body["places"])).status_code == 404
    assert len(await leaves(world, Event.SEAL_USED)) == 1


@pytest.mark.parametrize("keeping", [Scope.ADMIN, Scope.SEAL_MANAGE])
async def test_system_that_keeps_and_uses_seals_is_not_registered(world: World, keeping: Scope) -> None:
    with pytest.raises(SchemaViolation) as refused:
        await world.hub.services.identity.register_system(
            organisation_code=OrganisationCode(world.hub.members["market"].code),
            name="全能",
            scopes=frozenset({keeping, Scope.CERTIFICATE_ISSUE}),
            actor=None,
        )
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/scopes", "SEPARATION")]


async def test_rotated_seal_keeps_its_looks_and_what_it_signed_stays_valid(world: World) -> None:
    old = await register_seal(world)
    await allow_use(world)
    file = (await fetch(world, (await issue(world))["identifier"])).content
    admin = world.hub.admin.headers
    path = f"/v1/seals/{old['id']}"
    answer = await world.client.post(f"{path}/rotate", json={"reason": "年度更换"}, headers=admin)
    assert answer.status_code == 201, answer.text
    new = answer.json()
    assert (new["name"], new["predecessor"], new["status"]) == (old["name"], old["id"], "active")
    shown = (await world.client.get(path, headers=admin)).json()
    assert [step["to_status"] for step in shown["changes"]] == ["active", "replaced"]
    esl = [(await world.client.get(f"/v1/seals/{s['id']}/file", headers=admin)).content for s in (old, new)]
    before, after = (parse_seal(each) for each in esl)
    assert before.picture == after.picture
    assert before.property.certificates != after.property.certificates
    assert (await sign(world, old, document(), places=[{"page": 1, "x": 9e1, "y": 9e1}])).status_code == 409
    assert (await sign(world, new, document(), places=[{"page": 1, "x": 9e1, "y": 9e1}])).status_code == 200
    assert (await verify(world, file))["status"] in {"VALID", "VALID_WITH_WARNINGS"}
    again = await world.client.post(f"{path}/rotate", json={"reason": "再换"}, headers=admin)
    assert again.status_code == 409


async def test_destroyed_seal_never_returns_and_a_compromised_one_loses_its_certificate(world: World) -> None:
    seal = await register_seal(world)
    signed = (await sign(world, seal, document(), places=[{"page": 1, "x": 100, "y": 100}])).content
    assert (await change(world, seal, to="suspended", reason="x", compromised=True)).status_code == 409
    assert (await change(world, seal, to="suspended", reason=" ")).status_code == 422
    destroyed = await change(world, seal, to="destroyed", reason="密钥泄露", compromised=True)
    assert destroyed.json()["status"] == "destroyed"
    assert (await change(world, seal, to="active", reason="x")).status_code == 409
    assert (await sign(world, seal, document(), places=[{"page": 1, "x": 9e1, "y": 9e1}])).status_code == 409
    report = await verify(world, signed)
    assert report["status"] == "INVALID", report["status"]
    assert (await leaves(world, Event.SEAL_STATUS_CHANGED))[-1]["revoked"] is True
    assert len(await leaves(world, Event.KEY_REVOKED)) == 1
    await register_seal(world)


async def test_destroyed_seal_takes_its_key_with_it_also_after_a_crash(world: World) -> None:
    services, keys = world.hub.services, world.hub.services.settings.home / "keys"
    seal, other = await register_seal(world), await register_seal(world, "police")
    name = f"seal-{seal['id']}"
    kept = {path.name: path.read_bytes() for path in keys.rglob(f"{name}/*.p8")}
    assert len(kept) == 1
    await change(world, seal, to="destroyed", reason="停用")
    assert list(keys.rglob(f"{name}/*.p8")) == []
    assert len(list(keys.rglob(f"seal-{other['id']}/*.p8"))) == 1
    for file, octets in kept.items():  # as a kill between the row and the file leaves it
        path = next(keys.rglob(name)) / file
        path.write_bytes(octets)
        path.chmod(0o600)
    assert await world.certs.seals.destroy_left_keys() == 1
    assert list(keys.rglob(f"{name}/*.p8")) == []
    assert await services.pki.destroy_key(name) is False


async def test_further_signers_stand_in_the_seal_and_strangers_are_refused(world: World) -> None:
    market = world.hub.members["market"]
    pki = world.hub.services.pki
    second = await pki.certified_signer(
        name="ukey-1", profile=Profile.SEAL_SIGNER, subject=Name.build(common_name="张主任")
    )
    body = {"name": market.name, "organisation_code": market.code, "version": 5}
    admin = world.hub.admin.headers
    for wrong in ("no certificate", pki.root.pem):
        answer = await world.client.post("/v1/seals", json=body | {"signers": [wrong]}, headers=admin)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == "/signers/0"
    body["signers"] = [second.certificate.pem]
    answer = await world.client.post("/v1/seals", json=body, headers=admin)
    assert answer.status_code == 201, answer.text
    esl = (await world.client.get(f"/v1/seals/{answer.json()['id']}/file", headers=admin)).content
    seal = parse_seal(esl)
    assert (int(seal.version), len(seal.property.certificates)) == (5, 2)
    assert Certificate.parse(seal.property.certificates[1]) == second.certificate
    signed = await sign(world, answer.json(), document(), places=[{"page": 1, "x": 100, "y": 100}])
    assert (await verify(world, signed.content))["status"] in {"VALID", "VALID_WITH_WARNINGS"}


async def test_second_signature_is_appended_straddles_stamps_time_and_locks(world: World) -> None:
    seal = await register_seal(world)
    first = await sign(world, seal, document(3), places=[{"page": n, "x": 100, "y": 200} for n in (1, 3)])
    assert first.status_code == 200, first.text
    one = await verify(world, first.content)
    assert len(one["signatures"]) == 1, one
    assert one["status"] in {"VALID", "VALID_WITH_WARNINGS"}, one["signatures"][0]["findings"]
    second = await sign(world, seal, first.content, straddle_y=148.5, lock=True, timestamp=True)
    assert second.status_code == 200, second.text
    assert second.headers["shuzheng-signature"] != first.headers["shuzheng-signature"]
    two = await verify(world, second.content)
    assert len(two["signatures"]) == 2
    assert two["status"] in {"VALID", "VALID_WITH_WARNINGS"}, [s["findings"] for s in two["signatures"]]
    assert two["signatures"][1]["time_source"] != one["signatures"][0]["time_source"]
    third = await sign(world, seal, second.content, places=[{"page": 1, "x": 100, "y": 100}])
    assert (third.status_code, third.json()["code"]) == (409, "OFD-DOCUMENT-LOCKED")
    uses = await leaves(world, Event.SEAL_USED)
    assert [(use["stamps"], use["lock"], use["timestamp"]) for use in uses] == [
        (2, False, False),
        (3, True, True),
    ]


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        ({}, "/places"),
        ({"places": [{"page": 2, "x": 100, "y": 100}]}, "/places/0/page"),
        ({"places": [{"page": 1, "x": 5, "y": 100}]}, "/places/0"),
        ({"places": [{"page": 1, "x": 100, "y": 296}]}, "/places/0"),
        ({"places": [{"page": 1, "x": -1, "y": 100}]}, "/places/0"),
    ],
)
async def test_place_that_is_not_on_the_page_is_refused(
    world: World, order: dict[str, Any], pointer: str
) -> None:
    seal = await register_seal(world)
    answer = await sign(world, seal, document(), **order)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await leaves(world, Event.SEAL_USED) == []


async def test_document_that_cannot_be_signed_gets_a_clear_answer(world: World) -> None:
    seal = await register_seal(world)
    place = [{"page": 1, "x": 100, "y": 100}]
    assert (await sign(world, seal, b"no package", places=place)).status_code in {400, 422}
    answer = await sign(world, seal, document(), straddle_y=100)
    assert (answer.status_code, answer.json()["code"]) == (400, "OFD-DOCUMENT-INVALID")
    path = f"/v1/seals/{seal['id']}/sign"
    body = {"content": "???", "places": place}
    answer = await world.client.post(path, json=body, headers=world.hub.members["market"].headers)
    assert answer.json()["errors"][0]["pointer"] == "/content"


async def test_seal_past_its_validity_does_not_sign(world: World) -> None:
    seal = await register_seal(world)
    world.clock.ahead = timedelta(days=3 * 365 + 1)
    answer = await sign(world, seal, document(), places=[{"page": 1, "x": 100, "y": 100}])
    assert answer.status_code == 409
