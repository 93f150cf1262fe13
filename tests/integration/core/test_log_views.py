"""The auditor's views over HTTP: cases, search, CSV, usage."""

from __future__ import annotations

import csv
import io

import pytest

from core.log.model import Event
from core.log.tables import defuse
from hub.services import utc_now
from tests.hubs import Member, RunningHub
from tests.integration.core.log_acts import (
    act,
    caller_of,
)


async def test_case_is_told_whole_to_auditors_and_in_part_to_others(hub: RunningHub) -> None:
    police, market = (caller_of(hub.members[key]) for key in ("police", "market"))
    await act(hub.services, police, case="2026-7")
    await act(
        hub.services,
        market,
        case="2026-7",
        event=Event.ACCESS_REFUSED,
        details={"action": "query", "code": "X"},
    )
    await act(hub.services, market, case="another")

    async def story(member: Member) -> list[str]:
        answer = await hub.client.get(
            "/v1/audit/cases", params={"case_number": "2026-7"}, headers=member.headers
        )
        return [each["event"] for each in answer.json()["events"]]

    assert await story(hub.auditor) == ["token.revoked", "access.refused"]
    assert await story(hub.members["market"]) == ["access.refused"]
    assert await story(hub.members["civil"]) == []


async def test_search_pages_through_every_match_once_and_filters_by_each_field(hub: RunningHub) -> None:
    police = caller_of(hub.members["police"])
    start = utc_now()
    for number in range(7):
        await act(hub.services, police, operator=f"op-{number % 2}", case=f"case-{number}")

    async def search(**query: object) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        after = None
        while True:
            params = {"limit": 3, "since": start.isoformat(), **query} | ({"after": after} if after else {})
            answer = await hub.client.get("/v1/audit/events", params=params, headers=hub.auditor.headers)
            assert answer.status_code == 200, answer.text
            found += answer.json()["events"]
            after = answer.json()["next_cursor"]
            if after is None:
                return found

    all_of = await search(event="token.revoked")
    assert [each["case_number"] for each in all_of] == [f"case-{n}" for n in range(7)]
    assert len({each["id"] for each in all_of}) == 7
    assert len(await search(operator="op-1")) == 3
    assert len(await search(system=hub.members["police"].client_id)) == 7
    assert len(await search(organisation=hub.members["police"].code, case_number="case-3")) == 1
    assert await search(until=start.isoformat()) == []
    assert await search(resource="none") == []


async def test_csv_of_a_view_runs_no_formula(hub: RunningHub) -> None:
    await act(hub.services, caller_of(hub.members["police"]), case="=cmd|' /C calc'!A0", operator="+86\n1")
    answer = await hub.client.get(
        "/v1/audit/events", params={"format": "csv", "event": "token.revoked"}, headers=hub.auditor.headers
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0]["case_number"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["operator"] == "'+86\n1"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝", "\u3000@"])
def test_cell_that_would_be_a_formula_is_defused(start: str) -> None:
    assert defuse(f"{start}1+1") == f"'{start}1+1"
    assert defuse("1+1") == "1+1"
    assert defuse(-1) == "-1"


async def test_usage_counts_by_department_operator_and_item(hub: RunningHub) -> None:
    police, market = (caller_of(hub.members[key]) for key in ("police", "market"))
    for items in (["XM", "XB"], ["XM"]):
        details = {"items": items, "searched_by": [], "rows": 1, "version": 1}
        await act(hub.services, market, event=Event.DATA_QUERIED, details=details)
    await act(hub.services, police)
    answer = await hub.client.get(
        "/v1/audit/usage",
        params={"by": ["organisation", "item"], "event": "data.queried"},
        headers=hub.auditor.headers,
    )
    counted = {(row["organisation"], row["item"]): row["times"] for row in answer.json()["usage"]}
    assert counted == {(market.organisation_code, "XM"): 2, (market.organisation_code, "XB"): 1}
    answer = await hub.client.get(
        "/v1/audit/usage",
        params={"by": "operator", "format": "csv", "event": "data.queried"},
        headers=hub.members["market"].headers,
    )
    assert "data.queried,王审批,2,1" in answer.text
