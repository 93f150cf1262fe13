"""Quality rules, flags, the score, and the dry run."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register, rows_of

ITEMS: list[dict[str, Any]] = [
    {"name": "code", "title": "编号", "format": "C..20", "is_key": True, "is_required": True},
    {"name": "org", "title": "组织机构代码", "format": "C..20"},
    {"name": "reg", "title": "工商注册号", "format": "C..20"},
    {"name": "begin", "title": "开始日期", "format": "YYYYMMDD"},
    {"name": "end", "title": "结束日期", "format": "YYYYMMDD"},
    {"name": "kind", "title": "民族", "format": "C2", "code_list": "gbt3304"},
]


async def set_rules(hub: RunningHub, *rules: dict[str, Any], code: str = "things") -> httpx.Response:
    return await hub.client.put(
        f"/v1/resources/{code}/quality/rules",
        json={"rules": list(rules)},
        headers=hub.members["market"].headers,
    )


async def test_rules_of_every_kind_refuse_or_flag_their_rows(hub: RunningHub) -> None:
    await register(hub, "firms", ITEMS[:1])
    await publish(hub, "code\nF1\nF2\n", "f", resource="firms")
    await register(hub, items=[*ITEMS, {"name": "firm", "title": "企业", "format": "C..20"}])
    answer = await set_rules(
        hub,
        {"kind": "order", "items": ["begin", "end"]},
        {"kind": "not_future", "items": ["begin"], "severity": "flag"},
        {"kind": "required_if", "items": ["end", "kind"], "values": ["02"]},
        {"kind": "unique", "items": ["reg"]},
        {"kind": "reference", "items": ["firm"], "target": "firms"},
        {"kind": "tolerate", "items": ["kind"], "values": ["UNKNOWN-CODE"], "severity": "flag"},
        {"kind": "swapped", "items": ["org", "reg"], "severity": "flag"},
    )
    assert answer.status_code == 200, answer.text
    content = (
        "code,org,reg,begin,end,kind,firm\n"
        "1,,R1,20240102,20240101,01,F1\n"
        "2,,R2,29990101,,01,F1\n"
        "3,,R3,,,02,\n"
        "4,,R2,,,01,\n"
        "5,,R5,,,01,F9\n"
        "6,,R6,,,66,F2\n"
        "7,R7,110000001,,,01,\n"
        "8,110000001,R8,,,01,\n"
    )
    answer_one = (await publish(hub, content, "k")).json()
    assert answer_one["rejected_by_reason"] == {"ORDER": 1, "REFERENCE": 1, "REQUIRED": 1, "UNIQUE": 1}
    assert answer_one["flagged_by_reason"] == {"FUTURE": 1, "SWAPPED-CODES": 1, "UNKNOWN-CODE": 1}
    assert (answer_one["accepted"], answer_one["flagged"]) == (4, 3)
    rows = {row["code"]: row for row in await rows_of(hub)}
    assert (rows["7"]["org"], rows["7"]["reg"]) == ("110000001", "R7")
    flags = await hub.client.get(
        f"/v1/resources/things/batches/{answer_one['batch']}/flags", headers=hub.members["market"].headers
    )
    found = {flag["row"]: [reason["code"] for reason in flag["reasons"]] for flag in flags.json()["flags"]}
    assert found == {2: ["FUTURE"], 6: ["UNKNOWN-CODE"], 7: ["SWAPPED-CODES"]}


async def test_unique_rule_counts_current_rows_unless_the_batch_replaces_them(hub: RunningHub) -> None:
    await register(hub, items=ITEMS)
    await set_rules(hub, {"kind": "unique", "items": ["reg"]})
    await publish(hub, "code,reg\n1,A\n2,B\n", "a")
    taken = (await publish(hub, "code,reg\n3,A\n", "b")).json()
    assert taken["rejected_by_reason"] == {"UNIQUE": 1}
    swapped = (await publish(hub, "code,reg\n1,B\n2,A\n", "c")).json()
    assert (swapped["updated"], swapped["rejected"]) == (2, 0)
    whole = (await publish(hub, "code,reg\n9,A\n", "d", mode="snapshot", confirm="true")).json()
    assert (whole["inserted"], whole["deleted"]) == (1, 2)


async def test_row_flagged_and_then_refused_counts_as_refused_only(hub: RunningHub) -> None:
    await register(hub, items=ITEMS)
    await set_rules(hub, {"kind": "not_future", "items": ["begin"], "severity": "flag"})
    answer = (await publish(hub, "code,begin\n1,29990101\n1,29990101\n", "k")).json()
    assert (answer["accepted"], answer["rejected"], answer["flagged"]) == (1, 1, 1)
    assert answer["flagged_by_reason"] == {"FUTURE": 1}


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "order", "items": ["begin"]},
        {"kind": "order", "items": ["begin", "org"]},
        {"kind": "unique", "items": ["nothing"]},
        {"kind": "unique", "items": ["org", "org"]},
        {"kind": "required_if", "items": ["end", "kind"]},
        {"kind": "tolerate", "items": ["kind"], "values": ["UNKNOWN-CODE"], "severity": "reject"},
        {"kind": "tolerate", "items": ["kind"], "values": ["DATE"], "severity": "flag"},
        {"kind": "reference", "items": ["org"], "target": "no_such"},
        {"kind": "reference", "items": ["begin"], "target": "things"},
    ],
)
async def test_rule_that_cannot_hold_is_refused_with_a_pointer(hub: RunningHub, rule: dict[str, Any]) -> None:
    await register(hub, items=ITEMS)
    answer = await set_rules(hub, rule)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("/rules/0/")


async def test_reference_to_a_resource_of_another_that_is_not_open_is_refused(hub: RunningHub) -> None:
    await register(hub, items=ITEMS)
    body = {"code": "secret", "title": "密", "theme": "other", "update_cycle": "daily", "items": ITEMS[:1]}
    await hub.client.post("/v1/resources", json=body, headers=hub.members["police"].headers)
    answer = await set_rules(hub, {"kind": "reference", "items": ["org"], "target": "secret"})
    assert answer.status_code == 422


async def test_quality_report_scores_batches_and_counts_open_tickets(hub: RunningHub) -> None:
    await register(hub, items=ITEMS)
    await publish(hub, "code,kind\n1,01\n2,99x\n3,01\n4,01\n", "a")
    report = await hub.client.get("/v1/resources/things/quality", headers=hub.members["market"].headers)
    told = report.json()
    assert (told["score"], told["received"], told["open_tickets"], told["timely"]) == (75.0, 4, 1, True)
    assert told["conformity"] < 100 == told["accuracy"]
    assert [day["batches"] for day in told["trend"]] == [1]
    stranger = await hub.client.get("/v1/resources/things/quality", headers=hub.members["police"].headers)
    assert stranger.status_code == 403


async def test_dry_run_tells_what_would_happen_and_changes_nothing(hub: RunningHub) -> None:
    await register(hub)
    await publish(hub, "code,name\n1,甲\n2,乙\n", "a")
    content = "code,name\n1,甲\n2,新\n3,丙\n3,again\n4,\n"
    answer = (await publish(hub, content, "dry", dry_run="true")).json()
    told = {name: answer[name] for name in ("received", "accepted", "inserted", "updated", "unchanged")}
    assert told == {"received": 5, "accepted": 3, "inserted": 1, "updated": 1, "unchanged": 1}
    assert [reject["row"] for reject in answer["rejects"]] == [5, 4]
    assert (answer["dry_run"], answer["version"], answer["batch"]) == (True, None, None)
    assert [row["name"] for row in await rows_of(hub)] == ["甲", "乙"]
    async with hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM exchange.batch") == 1
        assert await connection.fetchval("SELECT count(*) FROM exchange.reject") == 0
    real = (await publish(hub, content, "dry")).json()
    assert {name: real[name] for name in told} == told
    assert real["accepted_digest"] == answer["accepted_digest"]
