"""Cascades from one certificate to another, and from a row to what was issued from it."""

from __future__ import annotations

from certs.types.shipped import BUSINESS_LICENCE, REAL_ESTATE
from tests.evidence_world import EvidenceWorld
from tests.hubs import organisation_code
from tests.integration.evidence.test_cascade import (
    CANCELLED,
    deregister,
    effects,
    follow,
    preview,
    rule,
    set_rule,
    status_of,
)


async def test_loss_of_one_certificate_goes_on_to_what_its_holder_has_by_rules(
    world: EvidenceWorld,
) -> None:
    market = world.hub.members["market"]
    licence = await world.issue_licence()
    order = {
        "type_code": REAL_ESTATE.code,
        "holder": {"name": world.firm["frmc"], "code": world.firm["tyxydm"], "code_type": "001"},
        "number": "不动产权第0000001号",
        "data": {
            "GYQK": "单独所有",
            "ZL": world.firm["zs"],
            "BDCDYH": "990000000000GB00001F00000001",
            "QLLX": "国有建设用地使用权/房屋所有权",
            "QLXZ": "出让/市场化商品房",
            "YT": "商业",
            "MJ": "100.00㎡",
        },
    }
    issued = await world.hub.client.post("/v1/certificates", json=order, headers=market.headers)
    assert issued.status_code == 201, issued.text
    estate = issued.json()["identifier"]
    await set_rule(world)
    await set_rule(
        world,
        code="estate",
        title="执照失效即告知",
        source={
            "kind": "certificate",
            "type_code": BUSINESS_LICENCE.code,
            "statuses": ["suspended", "revoked"],
        },
        target=REAL_ESTATE.code,
        action="notify",
    )
    await deregister(world)
    assert await follow(world) == 2
    assert await follow(world) == 0
    made = await effects(world, "market")
    assert {(each["rule"], each["certificate"], each["trigger"]) for each in made} == {
        ("deregistered", licence, "row changed"),
        ("estate", estate, "suspended"),
    }
    assert await status_of(world, estate) == "active"
    for status in ("active", "suspended"):
        answer = await world.hub.client.post(
            f"/v1/certificates/{licence}/status",
            json={"to": status, "reason": "复核"},
            headers=market.headers,
        )
        assert answer.status_code == 200, answer.text
    assert await follow(world) == 1


async def issue_from_row(world: EvidenceWorld) -> str:
    """Issue a licence whose address is that of the firm's row, to another number than the row's."""
    await world.issue_licence()
    await world.grant("fr_jbxx", ["tyxydm", "zs"], service_items=["*"], member="market")
    market = world.hub.members["market"]
    order = {
        "type_code": BUSINESS_LICENCE.code,
        "holder": {"name": "别的企业", "code": organisation_code(55), "code_type": "001"},
        "number": organisation_code(55),
        "data": {
            "LX": "有限责任公司",
            "FDDBR": "李四",
            "ZCZB": "1万元人民币",
            "CLRQ": "20200101",
            "JYFW": "无",
        },
        "source": {
            "resource": "fr_jbxx",
            "keys": {"tyxydm": world.firm["tyxydm"]},
            "items": {"ZS": "zs"},
        },
    }
    issued = await world.hub.client.post("/v1/certificates", json=order, headers=market.purposeful)
    assert issued.status_code == 201, issued.text
    return str(issued.json()["identifier"])


async def test_rule_without_a_holder_is_about_what_was_issued_from_the_very_row(world: EvidenceWorld) -> None:
    issued = await issue_from_row(world)
    source = rule()["source"]
    del source["holder"]
    await set_rule(world, source=source)
    row = {
        "resource": "fr_jbxx",
        "keys": {"tyxydm": world.firm["tyxydm"]},
        "operation": "update",
        "after": {"cxzt": CANCELLED},
    }
    shown = (await preview(world, {"row": row})).json()
    assert [each["identifiers"] for each in shown["certificates"]] == [[issued]]
    await deregister(world)
    assert await follow(world) == 1
    assert await status_of(world, issued) == "suspended"
    async with world.hub.services.database.acquire() as connection:
        active = await connection.fetchval("SELECT count(*) FROM certs.certificate WHERE status = 'active'")
    assert active == 1
