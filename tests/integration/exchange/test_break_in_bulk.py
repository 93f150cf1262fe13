"""Rows in bulk (Arrow and Parquet of the feed, files of a share) against the slow model of grants."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.hubs import Member, RunningHub
from tests.integration.exchange.test_break_in import ITEMS, ROWS, conditions, give, leaks, passes, prepare

PREFIX = "/v1/delta-sharing"
NDJSON, CSV, ARROW, PARQUET = (
    "application/x-ndjson",
    "text/csv",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.parquet",
)
bulk_grants = st.fixed_dictionaries(
    {
        # Copies in bulk are kept by key, so that a grant for them names it.
        "items": st.lists(st.sampled_from(ITEMS[1:]), unique=True).map(lambda rest: [ITEMS[0], *rest]),
        "modes": st.lists(st.sampled_from(["subscribe", "bulk"]), min_size=1, unique=True),
        "row_filter": st.dictionaries(st.sampled_from(["a", "b"]), conditions, max_size=2),
    }
)


def may_see(terms: dict[str, Any]) -> set[str]:
    """Every value that one grant gives."""
    return {row[item] for row in ROWS if passes(row, terms["row_filter"]) for item in terms["items"]}


def read_table(form: str, content: bytes) -> pa.Table:
    if form == ARROW:
        return pa.ipc.open_stream(content).read_all()
    return pq.read_table(io.BytesIO(content))


async def read_feed(hub: RunningHub, holder: Member, grant_id: str) -> list[str]:
    """Read a subscription from its start in every form; return each as text."""
    body = {"resource": "people", "from": "start", "grant_id": grant_id}
    begun = await hub.client.post("/v1/subscriptions", json=body, headers=holder.purposeful)
    if begun.status_code == 422:  # which grant a subscription stands on is the hub's choice
        del body["grant_id"]
        begun = await hub.client.post("/v1/subscriptions", json=body, headers=holder.purposeful)
    if begun.status_code != 201:
        return [begun.text]
    path, found = f"/v1/subscriptions/{begun.json()['id']}/changes", []
    for form in (NDJSON, CSV, ARROW, PARQUET):
        answer = await hub.client.get(path, headers=holder.purposeful | {"Accept": form})
        assert answer.status_code == 200, answer.text
        is_text = form in {NDJSON, CSV}
        found.append(answer.text if is_text else str(read_table(form, answer.content).to_pylist()))
    return found


async def read_share(hub: RunningHub, holder: Member, grant_id: str) -> tuple[str, int]:
    """Read a share's rows through every way to them: as text, and how many rows the snapshot has."""
    made = await hub.client.post("/v1/share-profiles", json={"grant_id": grant_id}, headers=holder.purposeful)
    assert made.status_code == 201, made.text
    bearer = {"Authorization": f"Bearer {made.json()['bearerToken']}"}
    share = f"grant_{grant_id.replace('-', '')[:8]}"
    table = f"{PREFIX}/shares/{share}/schemas/population/tables/people"
    answers = [
        await hub.client.post(f"{table}/query", json={}, headers=bearer),
        await hub.client.post(f"{table}/query", json={"version": 1}, headers=bearer),
        await hub.client.get(f"{table}/changes", params={"startingVersion": "1"}, headers=bearer),
    ]
    text, rows = "", 0
    for number, answer in enumerate(answers):
        assert answer.status_code == 200, answer.text
        text += answer.text
        for line in map(json.loads, answer.text.splitlines()):
            for action in ("file", "cdf", "add"):
                if action in line:
                    file = await hub.client.get(line[action]["url"])
                    held = pq.read_table(io.BytesIO(file.content))
                    text += str(held.to_pylist())
                    rows += held.num_rows if number == 0 else 0
    return text, rows


@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_no_copy_in_bulk_gives_what_its_grant_does_not(hub: RunningHub, data: st.DataObject) -> None:
    owner, holder = hub.members["police"], hub.members["approval"]
    if (await hub.client.get("/v1/resources/people", headers=owner.headers)).status_code != 200:
        await prepare(hub)
    await hub.services.lake.writer.follow("people")
    terms = data.draw(bulk_grants)
    grant_id = await give(hub, owner, holder, terms)
    assert grant_id is not None
    if "subscribe" in terms["modes"]:
        for text in await read_feed(hub, holder, grant_id):
            assert leaks(text, may_see(terms)) == set(), terms
    if "bulk" in terms["modes"]:
        text, rows = await read_share(hub, holder, grant_id)
        assert leaks(text, may_see(terms)) == set(), terms
        assert rows == sum(passes(row, terms["row_filter"]) for row in ROWS), terms
    ended = {"reason": "试验结束"}
    await hub.client.post(f"/v1/grants/{grant_id}/revocation", json=ended, headers=owner.headers)
