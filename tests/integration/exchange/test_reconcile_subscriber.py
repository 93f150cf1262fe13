"""A subscriber compares its copy with what its grant shows, and learns nothing beyond that."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvicorn

from tests.hubs import PURPOSE, RunningHub
from tests.integration.exchange.test_accounting import run_cli
from tests.integration.exchange.test_accounting import served as served
from tests.integration.exchange.test_publish import publish, register

ITEMS = [
    {"name": "code", "title": "编号", "format": "C..10", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..20"},
    {"name": "area", "title": "区划", "format": "C6"},
    {"name": "secret", "title": "内部", "format": "C..20"},
]
ROWS = [f"{n},名{n},{'990101' if n % 3 else '990102'},密{n}" for n in range(1, 301)]


@pytest.fixture
async def granted(hub: RunningHub) -> RunningHub:
    """A resource of 300 rows; police may subscribe to three items of the 200 in 990101."""
    await register(hub, items=ITEMS)
    sent = await publish(hub, "code,name,area,secret\n" + "\n".join(ROWS) + "\n", "a")
    assert sent.json()["accepted"] == 300
    terms = {
        "items": ["code", "name", "area"],
        "modes": ["subscribe"],
        "service_items": ["食品经营许可"],
        "purpose": "核验",
        "legal_basis": "行政许可法",
        "row_filter": {"place": {"item": "area", "equals": "990101"}},
    }
    police, market = hub.members["police"], hub.members["market"]
    asked = await hub.client.post("/v1/resources/things/applications", json=terms, headers=police.headers)
    assert asked.status_code == 201, asked.text
    path = f"/v1/applications/{asked.json()['id']}/decision"
    decided = await hub.client.post(path, json={"decision": "approve"}, headers=market.headers)
    assert decided.status_code == 200, decided.text
    return hub


def write_copy(path: Path, *, leave_out: str = "", change: str = "", columns: int = 3) -> Path:
    """Write what the subscriber holds: the rows of 990101, one of them missing and one altered if asked."""
    cells = [row.split(",")[:columns] for row in ROWS if ",990101," in row]
    kept = [[c[0], "改了", *c[2:]] if c[0] == change else c for c in cells if c[0] != leave_out]
    header = ["code", "name", "area", "secret"][:columns]
    path.write_text("\n".join(",".join(line) for line in [header, *kept]) + "\n", encoding="utf-8")
    return path


async def test_copy_of_a_subscriber_is_compared_with_its_rows_and_items_only(
    granted: RunningHub, served: uvicorn.Server, tmp_path: Path
) -> None:
    police = granted.members["police"]
    say_why = ("--resource", "things", "--service-item", "食品经营许可")
    whole = write_copy(tmp_path / "copy.csv")
    code, out, err = await run_cli(served, police, "reconcile", str(whole), *say_why)
    assert (code, out) == (0, ""), out + err
    await publish(granted, "code\n4\n", "b", mode="delete")
    await publish(granted, "code,name,area\n7,新名,990101\n3,别区,990102\n", "c")
    torn = write_copy(tmp_path / "torn.csv", leave_out="1", change="2")
    code, out, err = await run_cli(served, police, "reconcile", str(torn), *say_why)
    lines = {line.split("\t")[1]: line for line in out.splitlines()}
    assert code == 1
    assert set(lines) == {"1", "2", "4", "7"}, out + err
    assert lines["1"].startswith("only_right")
    assert lines["2"].startswith("changed")
    assert "deleted in version 2" in lines["4"]
    assert "last changed in version 3" in lines["7"]
    assert "密" not in out
    async with granted.services.database.acquire() as connection:
        leaves = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'stations.reconciled'"
        )
    assert leaves == 3


async def test_copy_with_items_outside_the_grant_is_refused(
    granted: RunningHub, served: uvicorn.Server, tmp_path: Path
) -> None:
    police = granted.members["police"]
    wide = write_copy(tmp_path / "wide.csv", columns=4)
    body = {"items": ["code", "secret"], "digests": ["0" * 64] * 16}
    path = "/v1/resources/things/reconciliations/buckets"
    refused = await granted.client.post(path, json=body, headers=police.headers | PURPOSE)
    assert (refused.status_code, refused.json()["code"]) == (403, "ACCESS-NOT-GRANTED")
    with pytest.raises(Exception, match="secret"):
        await run_cli(
            served, police, "reconcile", str(wide), "--resource", "things", "--service-item", "食品经营许可"
        )


async def test_masked_item_cannot_be_guessed_by_comparing(granted: RunningHub) -> None:
    market, police = granted.members["market"], granted.members["police"]
    set_ = await granted.client.put(
        "/v1/resources/things/masks", json={"masks": {"name": {"*": "name"}}}, headers=market.headers
    )
    assert set_.status_code in {200, 204}, set_.text
    path = "/v1/resources/things/reconciliations"
    headers = police.headers | PURPOSE
    body = {"items": ["code", "name"], "digests": ["0" * 64] * 16}
    refused = await granted.client.post(f"{path}/buckets", json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "ACCESS-NOT-GRANTED")
    assert "masked" in refused.json()["detail"]
    guess = {"items": ["code", "name"], "version": 1, "bucket_count": 16, "buckets": [0], "rows": {}}
    assert (await granted.client.post(f"{path}/rows", json=guess, headers=headers)).status_code == 403
    open_items = {"items": ["code", "area"], "digests": ["0" * 64] * 16}
    allowed = await granted.client.post(f"{path}/buckets", json=open_items, headers=headers)
    assert (allowed.status_code, allowed.json()["rows"]) == (200, 200)
