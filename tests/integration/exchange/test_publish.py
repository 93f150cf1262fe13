"""Publishing over HTTP: every row accounted for, one version whole, the same request twice."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.publish import apply
from exchange.standards.samples import Dirt, Part, SampleKind, kinds_of_dirt, write_sample
from tests.hubs import RunningHub

ITEMS: list[dict[str, Any]] = [
    {"name": "code", "title": "编号", "format": "C..10", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..20", "is_required": True},
    {"name": "amount", "title": "金额", "format": "N..8,2"},
    {"name": "day", "title": "日期", "format": "YYYYMMDD"},
    {"name": "at", "title": "时间", "format": "YYYYMMDDhhmmss"},
    {"name": "yes", "title": "是否", "format": "B"},
]


async def register(hub: RunningHub, code: str = "things", items: list[dict[str, Any]] = ITEMS) -> None:
    body = {"code": code, "title": "物品", "theme": "other", "update_cycle": "daily", "items": items}
    answer = await hub.client.post("/v1/resources", json=body, headers=hub.members["market"].headers)
    assert answer.status_code == 201, answer.text


async def publish(
    hub: RunningHub,
    content: bytes | str,
    key: str,
    *,
    resource: str = "things",
    member: str = "market",
    content_type: str = "text/csv",
    **params: str,
) -> httpx.Response:
    return await hub.client.post(
        f"/v1/resources/{resource}/batches",
        content=content,
        params=params,
        headers=hub.members[member].headers | {"Idempotency-Key": key, "Content-Type": content_type},
    )


async def rows_of(hub: RunningHub, code: str = "things") -> list[dict[str, Any]]:
    async with hub.services.database.acquire() as connection:
        found = await connection.fetch(f'SELECT * FROM data."{code}" ORDER BY 1')
    return [dict(row) for row in found]


async def test_batch_of_good_and_bad_rows_accounts_for_each(hub: RunningHub) -> None:
    await register(hub)
    content = (
        "code,name,amount,day,at,yes\n"
        "a,甲,1.50,20240229,20240101120000,是\n"
        "b,,1,,,\n"
        "c,丙,1e5,20230229,20240101250000,maybe\n"
        "d,丁\n"
        "a,again,,,,\n"
        'e,"two\nlines",,,,0\n'
    )
    answer = (await publish(hub, content, "1")).json()
    assert {name: answer[name] for name in ("received", "accepted", "rejected", "inserted", "version")} == {
        "received": 6,
        "accepted": 2,
        "rejected": 4,
        "inserted": 2,
        "version": 1,
    }
    rejects = await hub.client.get(
        f"/v1/resources/things/batches/{answer['batch']}/rejects", headers=hub.members["market"].headers
    )
    found = {
        entry["row"]: [reason["code"] for reason in entry["reasons"]] for entry in rejects.json()["rejects"]
    }
    assert found == {
        2: ["REQUIRED"],
        3: ["NUMBER", "DATE", "TIME", "BOOLEAN"],
        4: ["CELL-COUNT"],
        5: ["DUPLICATE-KEY"],
    }
    rows = await rows_of(hub)
    assert [row["code"] for row in rows] == ["a", "e"]
    assert rows[0]["at"].isoformat() == "2024-01-01T04:00:00+00:00"
    assert rows[1]["name"] == "two\nlines"


@pytest.mark.parametrize("kind", list(SampleKind))
async def test_sample_with_dirt_publishes_with_exactly_its_dirt_refused(
    hub: RunningHub, kind: SampleKind
) -> None:
    schema, owner = kind.schema, "police"
    member = hub.members[owner]
    made = await hub.client.post(f"/v1/resources/standard/{schema}", json={}, headers=member.headers)
    assert made.status_code == 201, made.text
    expected = {}
    for part in Part:
        out = io.BytesIO()
        summary = write_sample(kind, rows=2000, seed=7, dirt=0.03, out=out, part=part)
        mode = "delete" if part is Part.DELETIONS else "upsert"
        answer = await publish(hub, out.getvalue(), part, resource=schema, member=owner, mode=mode)
        assert answer.status_code == 200, answer.text
        accounting = answer.json()
        assert accounting["received"] == summary.rows == accounting["accepted"] + accounting["rejected"]
        assert accounting["rejected"] == summary.dirty_rows
        expected[part] = accounting
    assert set(kinds_of_dirt(kind)) == set(summary_kinds(kind))
    assert expected[Part.CHANGES]["inserted"] == 40
    assert expected[Part.CHANGES]["updated"] + 40 == expected[Part.CHANGES]["received"]
    assert expected[Part.DELETIONS]["deleted"] == expected[Part.DELETIONS]["received"]
    assert len(await rows_of(hub, schema)) == expected[Part.DELETIONS]["current_rows"]


def summary_kinds(kind: SampleKind) -> set[Dirt]:
    return set(write_sample(kind, rows=2000, seed=7, dirt=0.03, out=io.BytesIO()).dirty)


async def test_same_key_and_body_gives_the_first_answer_and_another_body_409(hub: RunningHub) -> None:
    await register(hub)
    first = await publish(hub, "code,name\na,甲\n", "k")
    again = await publish(hub, "code,name\na,甲\n", "k")
    other = await publish(hub, "code,name\na,乙\n", "k")
    as_delete = await publish(hub, "code,name\na,甲\n", "k", mode="delete")
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert [other.status_code, as_delete.status_code] == [409, 409]
    assert other.json()["code"] == "IDEMPOTENCY-CONFLICT"
    assert (await rows_of(hub))[0]["name"] == "甲"


async def test_same_batch_sent_at_once_is_published_once(hub: RunningHub) -> None:
    await register(hub)
    content = "code,name\n" + "".join(f"{n},名\n" for n in range(3000))
    answers = await asyncio.gather(*(publish(hub, content, "same") for _ in range(5)))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 409}
    assert 200 in statuses
    async with hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM exchange.version") == 1
        assert await connection.fetchval("SELECT count(*) FROM data.things__changes") == 3000


async def test_batches_to_one_resource_at_once_queue_and_all_arrive(hub: RunningHub) -> None:
    await register(hub)
    answers = await asyncio.gather(*(publish(hub, f"code,name\n{n},名\n", f"k{n}") for n in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert sorted(answer.json()["version"] for answer in answers) == [1, 2, 3, 4, 5, 6]
    assert len(await rows_of(hub)) == 6


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"", "text/csv", 400, "INPUT-INVALID"),
        (b"name\n\xe7\x94\xb2\n", "text/csv", 422, "INPUT-SCHEMA"),
        (b"code,name,colour\na,b,c\n", "text/csv", 422, "INPUT-SCHEMA"),
        (b"code,name,name\na,b,c\n", "text/csv", 422, "INPUT-SCHEMA"),
        ("code,name\n1,café crème\n".encode("latin-1"), "text/csv", 415, "INPUT-UNSUPPORTED"),
        ("code,name\n1,naïve\n".encode("latin-1"), "text/csv", 415, "INPUT-UNSUPPORTED"),
        ("code,name\n1,甲\n".encode("gb18030"), "text/csv; charset=utf-8", 415, "INPUT-UNSUPPORTED"),
        (b"code,name\n1,a\n", "text/csv; charset=koi8-r", 415, "INPUT-UNSUPPORTED"),
        (b"code,name\n1,a\n", "application/json", 415, "INPUT-UNSUPPORTED"),
        (b"code,name\n1,a\n", "application/vnd.apache.parquet", 415, "INPUT-UNSUPPORTED"),
        (b"PK\x03\x04\x00\x00", "text/csv", 422, "INPUT-SCHEMA"),
    ],
)
async def test_file_that_cannot_be_taken_gets_4xx_and_changes_nothing(
    hub: RunningHub, content: bytes, content_type: str, status: int, code: str
) -> None:
    await register(hub)
    answer = await publish(hub, content, "k", content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await rows_of(hub) == []
    async with hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM exchange.batch") == 0
    assert list(hub.services.settings.spool_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "encoding", "content_type"),
    [
        ("code,name\n1,甲乙丙\n", "utf-8", "text/csv"),
        ("code,name\n1,甲乙丙\n", "utf-8-sig", "text/csv"),
        ("code,name\n1,甲乙丙\n", "gb18030", "text/csv"),
        ("code,name\n1,甲乙丙\n", "gb18030", "text/csv; charset=GB18030"),
        ("编号,名称\r\n1,甲乙丙\r\n", "gb18030", "text/csv"),
        ("name,code\r甲乙丙,1\r", "utf-8", "text/csv"),
    ],
)
async def test_chinese_file_in_either_encoding_is_read(
    hub: RunningHub, text: str, encoding: str, content_type: str
) -> None:
    await register(hub)
    answer = await publish(hub, text.encode(encoding), "k", content_type=content_type)
    assert answer.json()["accepted"] == 1, answer.text
    assert (await rows_of(hub))[0]["name"] == "甲乙丙"


async def test_parquet_and_csv_of_the_same_rows_give_the_same_table(hub: RunningHub) -> None:
    await register(hub)
    table = pa.table({"code": ["1", "2"], "name": ["甲", None], "amount": [1.5, 2.0]})
    out = io.BytesIO()
    pa_parquet.write_table(table, out)
    answer = await publish(hub, out.getvalue(), "k", content_type="application/vnd.apache.parquet")
    assert (answer.json()["accepted"], answer.json()["rejected_by_reason"]) == (1, {"REQUIRED": 1})


async def test_snapshot_that_deletes_much_needs_confirmation(hub: RunningHub) -> None:
    await register(hub)
    await publish(hub, "code,name\n" + "".join(f"{n},名\n" for n in range(10)), "1")
    refused = await publish(hub, "code,name\n1,新\n", "2", mode="snapshot")
    assert (refused.status_code, len(await rows_of(hub))) == (412, 10)
    answer = await publish(hub, "code,name\n1,新\n", "3", mode="snapshot", confirm="true")
    assert (answer.json()["deleted"], answer.json()["updated"]) == (9, 1)
    assert [row["name"] for row in await rows_of(hub)] == ["新"]


async def test_snapshot_without_a_row_means_that_nothing_is_there_and_needs_confirmation(
    hub: RunningHub,
) -> None:
    await register(hub)
    await publish(hub, "code,name\n1,甲\n2,乙\n", "1")
    refused = await publish(hub, "code,name\n3,\n", "2", mode="snapshot", confirm="true")
    assert (refused.json()["rejected"], refused.json()["version"]) == (1, None)  # its only row was refused
    empty = await publish(hub, "code,name\n", "3", mode="snapshot")
    assert (empty.status_code, len(await rows_of(hub))) == (412, 2)
    answer = (await publish(hub, "code,name\n", "4", mode="snapshot", confirm="true")).json()
    assert (answer["deleted"], answer["version"], answer["current_rows"]) == (2, 2, 0)
    again = (await publish(hub, "code,name\n", "5", mode="snapshot")).json()
    assert (again["deleted"], again["version"]) == (0, None)


async def test_stranger_may_not_publish_nor_see_batches(hub: RunningHub) -> None:
    await register(hub)
    mine = (await publish(hub, "code,name\n1,\n2,乙\n", "k")).json()
    other = await publish(hub, "code,name\n1,甲\n", "k", member="police")
    assert other.status_code == 403
    for path in ("", "/rejects", "/rejects.csv"):
        answer = await hub.client.get(
            f"/v1/resources/things/batches/{mine['batch']}{path}", headers=hub.members["police"].headers
        )
        assert answer.status_code == 403


async def test_rejects_csv_cannot_run_formulas(hub: RunningHub) -> None:
    await register(hub)
    mine = (await publish(hub, 'code,name\n"=cmd|calc","x"\n12345678901,"@sum"\n=1,\n', "k")).json()
    answer = await hub.client.get(
        f"/v1/resources/things/batches/{mine['batch']}/rejects.csv", headers=hub.members["market"].headers
    )
    cells = [cell for line in answer.text.splitlines()[1:] for cell in line.split(",")]
    assert not [cell for cell in cells if cell.strip('"').startswith(("=", "@", "+"))]


async def test_batch_over_the_limit_is_refused_and_leaves_no_file(hub: RunningHub) -> None:
    await register(hub)
    hub.services.settings.__dict__["max_batch_bytes"] = 4096
    answer = await publish(hub, "code,name\n" + "1,名\n" * 5000, "k")
    assert (answer.status_code, answer.json()["code"]) == (413, "INPUT-TOO-LARGE")
    assert list(hub.services.settings.spool_dir.iterdir()) == []


async def test_hostile_cells_stay_cells(hub: RunningHub) -> None:
    await register(hub)
    content = 'code,name\n1,"\'; DROP TABLE data.things; --"\n2,a\x00b\n3,../../x\n4,😀\n'
    answer = (await publish(hub, content, "k")).json()
    assert answer["rejected_by_reason"] == {"CONTROL-CHARACTER": 1, "LENGTH": 1}
    assert [row["name"] for row in await rows_of(hub)] == ["../../x", "😀"]


class Model:
    """The obvious model of a keyed table with versions."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def apply(self, mode: str, batch: list[tuple[str, str]]) -> None:
        first: dict[str, str] = {}
        for key, value in batch:
            first.setdefault(key, value)
        if mode == "snapshot":
            self.rows = first
        elif mode == "delete":
            self.rows = {key: value for key, value in self.rows.items() if key not in first}
        else:
            self.rows |= first


BATCHES = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "delete", "snapshot"]),
        st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y", "z"])), max_size=8),
    ),
    max_size=6,
)


@pytest.mark.parametrize("many_rows", [0, 10_000], ids=["many", "few"])
@given(batches=BATCHES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_batches_equal_the_model_and_the_change_log_replays(
    hub: RunningHub,
    monkeypatch: pytest.MonkeyPatch,
    many_rows: int,
    batches: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    monkeypatch.setattr(apply, "MANY_ROWS", many_rows)
    code = f"m{hash(str(batches)) & 0xFFFFFFFF:08x}"
    async with hub.services.database.acquire() as connection:
        if await connection.fetchval("SELECT to_regclass($1)", f"data.{code}"):
            return
    await register(hub, code, ITEMS[:2])
    model = Model()
    for number, (mode, batch) in enumerate(batches):
        content = "code,name\n" + "".join(f"{key},{value}\n" for key, value in batch)
        answer = await publish(hub, content, f"k{number}", resource=code, mode=mode, confirm="true")
        accounting = answer.json()
        assert accounting["received"] == len(batch) == accounting["accepted"] + accounting["rejected"]
        model.apply(mode, batch)
        assert {row["code"]: row["name"] for row in await rows_of(hub, code)} == model.rows
    assert await replay(hub, code) == model.rows


async def replay(hub: RunningHub, code: str) -> dict[str, str]:
    async with hub.services.database.acquire() as connection:
        changes = await connection.fetch(
            f"SELECT _operation, (_before).code AS old, (_after).code AS new, (_after).name AS name"
            f' FROM data."{code}__changes" ORDER BY _version, _sequence'
        )
    rows: dict[str, str] = {}
    for change in changes:
        if change["_operation"] == "delete":
            del rows[change["old"]]
        else:
            assert (change["_operation"] == "update") == (change["new"] in rows)
            rows[change["new"]] = change["name"]
    return rows


async def test_publish_without_an_idempotency_key_is_refused(hub: RunningHub) -> None:
    await register(hub)
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 129}):
        answer = await hub.client.post(
            "/v1/resources/things/batches",
            content="code,name\n1,甲\n",
            headers=hub.members["market"].headers | {"Content-Type": "text/csv"} | headers,
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "INPUT-INVALID")


async def test_download_of_rejects_is_whole_and_can_be_mended_and_sent_again(hub: RunningHub) -> None:
    await register(hub)
    content = "编号,名称\n" + "".join(f"{number},\n" for number in range(2500)) + "x\n"
    mine = (await publish(hub, content, "k")).json()
    assert (mine["rejected"], mine["version"]) == (2501, None)
    answer = await hub.client.get(
        f"/v1/resources/things/batches/{mine['batch']}/rejects.csv", headers=hub.members["market"].headers
    )
    lines = answer.text.splitlines()
    assert (lines[0], len(lines)) == ("_row,编号,名称,_line,_ticket,_reasons", 2502)
    mended = [line.replace(",,,", ",名,,", 1) for line in lines[:-1]]
    again = (await publish(hub, "\n".join(mended), "k2")).json()
    assert (again["accepted"], again["rejected"]) == (2500, 0)


async def test_batch_that_was_refused_is_failed_and_may_come_again_confirmed(hub: RunningHub) -> None:
    await register(hub)
    await publish(hub, "code,name\n" + "".join(f"{n},名\n" for n in range(10)), "1")
    assert (await publish(hub, "code,name\n1,新\n", "2", mode="snapshot")).status_code == 412
    async with hub.services.database.acquire() as connection:
        state = await connection.fetchval("SELECT state FROM exchange.batch WHERE idempotency_key = '2'")
    assert state == "failed"
    answer = await publish(hub, "code,name\n1,新\n", "2", mode="snapshot", confirm="true")
    assert answer.json()["deleted"] == 9


async def test_open_quote_at_the_end_is_refused_and_changes_nothing(hub: RunningHub) -> None:
    await register(hub)
    answer = await publish(hub, 'code,name\n1,甲\n2,"open\n3,丙\n', "k")
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT-INVALID")
    assert await rows_of(hub) == []
