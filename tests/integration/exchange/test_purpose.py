"""The purpose of a call: sent with each, validated, and in the log with the grant and the fields returned."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from core.codes import credit
from tests.hubs import RunningHub
from tests.integration.exchange.test_break_in import give, prepare

KEY = {"GMSFHM": f"K{1:017d}"}
CALLS: dict[str, dict[str, Any]] = {
    "/v1/resources/people/query": {"keys": KEY, "items": ["XM"]},
    "/v1/resources/people/verify": {"subject": KEY, "assertions": [{"item": "XM", "value": "name-1-"}]},
    "/v1/verify": {
        "checks": [{"resource": "people", "subject": KEY, "assertions": [{"item": "XM", "value": "?"}]}]
    },
}
FOR = credit.build_code("11990000", "MA765432")


@pytest.mark.parametrize("path", CALLS)
async def test_purpose_is_validated_and_stands_in_the_leaf_with_grant_and_items(
    hub: RunningHub, path: str
) -> None:
    owner, holder = await prepare(hub)
    grant = await give(hub, owner, holder, {"items": ["GMSFHM", "XM", "XB"], "modes": ["query", "verify"]})
    for round_number in range(2):  # the second is answered by a process that knows the ground
        case = f"案-{round_number}"
        sent = holder.purposeful | {
            "Shuzheng-Case-Number": quote(case),
            "Shuzheng-Operator": quote("李四"),
            "Shuzheng-On-Behalf-Of": FOR,
        }
        answer = await hub.client.post(path, json=CALLS[path], headers=sent)
        assert answer.status_code == 200, answer.text
        async with hub.services.database.acquire() as connection:
            body = json.loads(
                await connection.fetchval(
                    "SELECT body FROM core.log_leaf WHERE event IN ('data.queried', 'facts.verified')"
                    " ORDER BY recorded_at DESC, id DESC LIMIT 1"
                )
            )
        told = {name: body[name] for name in ("case_number", "operator", "on_behalf_of", "grant")}
        assert told == {"case_number": case, "operator": "李四", "on_behalf_of": FOR, "grant": str(grant)}
        assert body["details"]["items"] == ["XM"]
    wrong = holder.purposeful | {"Shuzheng-On-Behalf-Of": FOR[:-1] + ("0" if FOR[-1] != "0" else "1")}
    refused = await hub.client.post(path, json=CALLS[path], headers=wrong)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "#header=Shuzheng-On-Behalf-Of"
    missing = await hub.client.post(path, json=CALLS[path], headers=holder.headers)
    assert missing.status_code == 403
    assert all(f"Shuzheng-{name}" in missing.text for name in ("Service-Item", "Case-Number", "Operator"))
