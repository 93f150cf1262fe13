"""Counters agree with what can be derived from the cases one by one, and are exported."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl
import pytest

from core.errors import SchemaViolation
from evidence.counters.model import parse_period
from hub.services import utc_now
from tests.evidence_rules import ITEM_CODE, build_document
from tests.evidence_world import EvidenceWorld

COUNTERS = "/v1/evidence-counters"


async def play(world: EvidenceWorld) -> list[dict[str, Any]]:
    """Open three cases: one closed, one that gets better in a second run, one of another item."""
    await world.release(build_document())
    other = build_document(code="另一事项", title="另一事项")
    other["facts"][3]["ways"] = [{"kind": "abolished", "basis": "某市发〔2026〕1号"}]
    await world.release(other)
    leased = {"inputs": {"representative": world.firm["fddbr"], "premises": "leased"}}
    early = await world.ask(case="A1", **leased)
    await world.grant("fr_jbxx", ["tyxydm", "frmc", "fddbr", "zs", "cxzt"], service_items=["*"])
    again = await world.ask(case="A1", **leased)
    second = await world.ask(case="A2")
    third = await world.ask(case="A3", item="另一事项", **leased)
    answers = [early, again, second, third]
    headers = world.hub.members["approval"].headers
    for case, material in ((again, "M01"), (again, "M04"), (second, "M99"), (second, "M99")):
        asked = await world.hub.client.post(
            f"/v1/evidence/{case['case']}/asked",
            json={"material": material, "operator": "王审批"},
            headers=headers,
        )
        assert asked.status_code == 200, asked.text
    closed = await world.hub.client.post(f"/v1/evidence/{second['case']}/close", headers=headers)
    assert closed.status_code == 204
    return answers


async def derive(world: EvidenceWorld, answers: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Count again from the answers and from the cases as they are kept, without the counters' SQL."""
    headers = world.hub.members["approval"].headers
    counted: dict[str, dict[str, int]] = {}
    for case in dict.fromkeys(each["case"] for each in answers):
        kept = (await world.hub.client.get(f"/v1/evidence/{case}", headers=headers)).json()
        asked = (await world.hub.client.get(f"/v1/evidence/{case}/asked", headers=headers)).json()
        runs = [each["summary"] for each in answers if each["case"] == case]
        outcomes = list(kept["outcomes"].values())
        found = counted.setdefault(kept["item"], {})
        undertaken = {"committed", "tolerated"}
        for name, value in {
            "cases": 1,
            "runs": kept["runs"],
            "required": len(outcomes),
            "supplied": outcomes.count("supplied"),
            "waived": outcomes.count("waived"),
            "saved": outcomes.count("supplied") + outcomes.count("waived"),
            "undertaken": sum(each in undertaken for each in outcomes),
            "remaining": sum(each not in {"supplied", "waived", *undertaken} for each in outcomes),
            "asked": len({each["material"] for each in asked}),
            "needless": len({each["material"] for each in asked if each["finding"]}),
            "queries": sum(each["calls"] for each in runs),
            "took_ms": sum(each["took_ms"] for each in runs),
            "closed": int(kept["closed_at"] is not None),
        }.items():
            found[name] = found.get(name, 0) + value
    return counted


async def test_counters_are_what_the_cases_add_up_to(world: EvidenceWorld) -> None:
    derived = await derive(world, await play(world))
    answer = await world.hub.client.get(COUNTERS, headers=world.hub.members["approval"].headers)
    assert answer.status_code == 200, answer.text
    counted = {each["item"]: each for each in answer.json()}
    assert set(counted) == {ITEM_CODE, "另一事项"}
    for item, expected in derived.items():
        assert {name: counted[item][name] for name in expected} == expected
    assert (counted[ITEM_CODE]["asked"], counted[ITEM_CODE]["needless"]) == (3, 2)
    assert counted[ITEM_CODE]["supplied"] > 0
    assert counted["另一事项"]["waived"] == 1


async def test_counters_are_exported_and_seen_by_the_right_offices_only(world: EvidenceWorld) -> None:
    await play(world)
    approval, market = world.hub.members["approval"], world.hub.members["market"]
    excel = await world.hub.client.get(f"{COUNTERS}/export", headers=approval.headers)
    sheet = openpyxl.load_workbook(io.BytesIO(excel.content)).active
    assert sheet is not None
    assert sheet.max_row == 3
    text = await world.hub.client.get(
        f"{COUNTERS}/export?form=csv&item={ITEM_CODE}", headers=world.hub.auditor.headers
    )
    (row,) = csv.DictReader(io.StringIO(text.content.decode("utf-8-sig")))
    assert (row["事项编码"], row["办理机构"], row["办件数"]) == (ITEM_CODE, approval.name, "2")
    assert (await world.hub.client.get(COUNTERS, headers=market.headers)).json() == []
    refused = await world.hub.client.get(f"{COUNTERS}?office={approval.code}", headers=market.headers)
    assert refused.status_code == 403
    past = await world.hub.client.get(f"{COUNTERS}?since=2020-01&until=2020-12", headers=approval.headers)
    assert past.json() == []
    wrong = await world.hub.client.get(f"{COUNTERS}?since=2020-13", headers=approval.headers)
    assert wrong.status_code == 422


def test_period_is_of_whole_months_in_china() -> None:
    period = parse_period("2026-02", "2026-12", now=utc_now())
    assert period.since.isoformat() == "2026-02-01T00:00:00+08:00"
    assert period.until.isoformat() == "2027-01-01T00:00:00+08:00"
    with pytest.raises(SchemaViolation):
        parse_period("2026-02", "2026-01", now=utc_now())
