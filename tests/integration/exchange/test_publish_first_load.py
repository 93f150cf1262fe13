"""Many rows for an empty resource go straight into its table: the outcome is as if all had been staged."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from core.database import Connection
from exchange.catalogue.model import Resource
from exchange.publish import columnar, direct, seen, stage
from exchange.publish.direct import DirectLoad
from exchange.publish.media import PARQUET
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register, rows_of

HISTORIES = 25
PIECE_ROWS = 7
ITEMS: list[dict[str, Any]] = [
    {"name": "code", "title": "编号", "format": "C..10", "is_key": True, "is_required": True},
    {"name": "day", "title": "日期", "format": "YYYYMMDD", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..5"},
    {"name": "other", "title": "其他", "format": "C..20"},
]


@dataclass
class Loads:
    """How many loads went straight into the table."""

    begun: int = 0


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Cut files into pieces of a few rows, of which one is many; count the loads that are direct."""
    found = Loads()

    async def begin(connection: Connection, *, resource: Resource) -> DirectLoad | None:
        load = await direct.begin_direct_load(connection, resource=resource)
        found.begun += load is not None
        return load

    monkeypatch.setattr(columnar, "BATCH_ROWS", PIECE_ROWS)
    monkeypatch.setattr(stage, "MANY_ROWS", 1)
    monkeypatch.setattr(stage, "begin_direct_load", begin)
    return found


def write_file(chance: Random) -> bytes:
    """Write rows of few keys, so that they repeat within a piece and across pieces; some rows are bad."""
    count, keys = chance.randint(PIECE_ROWS, 50), chance.choice([5, 40, 10_000])
    rows = {
        "code": [str(chance.randint(1, keys)) for _ in range(count)],
        "day": [chance.choice(["20240101", "20240102"]) for _ in range(count)],
        "name": [chance.choice(["甲", "乙丙", None, "长长长长长长"]) for _ in range(count)],
    }
    rows["day"][-1] = chance.choice(["20240101", "2024"])
    out = io.BytesIO()
    pa_parquet.write_table(pa.table(rows), out)
    return out.getvalue()


async def outcome(hub: RunningHub, code: str, content: bytes, mode: str) -> dict[str, Any]:
    """Publish a file to a new resource and tell everything that came of it."""
    await register(hub, code, ITEMS)
    member = hub.members["market"].headers
    sent = await publish(hub, content, "1", resource=code, content_type=PARQUET, mode=mode)
    assert sent.status_code == 200, sent.text
    answer = sent.json()
    path = f"/v1/resources/{code}/batches/{answer.pop('batch')}/rejects"
    rejects = (await hub.client.get(path, headers=member)).json()["rejects"]
    for each in rejects:
        each.pop("ticket")
    async with hub.services.database.acquire() as connection:
        changes = await connection.fetch(
            f'SELECT _version, _operation, _before IS NULL AS is_new, (_after).* FROM data."{code}__changes"'
            " ORDER BY (_after).code, (_after).day"
        )
        sequence = await connection.fetchval(
            f'SELECT array_agg(_sequence ORDER BY _sequence) FROM data."{code}__changes"'
        )
        counted = await connection.fetch(
            "SELECT version, station, rows, sum FROM exchange.station_count"
            " WHERE resource_code = $1 ORDER BY 1, 2",
            code,
        )
    return {
        "answer": answer | {"resource": None},
        "rejects": rejects,
        "rows": await rows_of(hub, code),
        "changes": [dict(row) for row in changes],
        "sequence": sequence,
        "counted": [dict(row) for row in counted],
    }


@pytest.mark.parametrize("filtering", ["as it is", "suspecting all"])
async def test_first_load_has_the_outcome_of_staging(
    hub: RunningHub, loads: Loads, monkeypatch: pytest.MonkeyPatch, filtering: str
) -> None:
    if filtering == "suspecting all":
        monkeypatch.setattr(seen.SeenHashes, "take", lambda _, hashes: np.ones(len(hashes), dtype=np.bool_))
    refused = 0
    for number in range(HISTORIES):
        chance = Random(number)
        content, mode = write_file(chance), chance.choice(["upsert", "snapshot"])
        monkeypatch.setattr(stage, "MANY_ROWS", 1)
        loaded = await outcome(hub, f"loaded_{number}", content, mode)
        monkeypatch.setattr(stage, "MANY_ROWS", 1000)
        staged = await outcome(hub, f"staged_{number}", content, mode)
        assert loaded == staged, number
        refused += loaded["answer"]["rejected_by_reason"].get("DUPLICATE-KEY", 0)
    assert loads.begun == HISTORIES
    assert refused > HISTORIES


async def test_rows_past_those_that_are_remembered_are_staged(
    hub: RunningHub, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.publish.duplicates.MAX_HASHED_ROWS", 2 * PIECE_ROWS)
    out = io.BytesIO()
    codes = [str(number) for number in range(30)] + ["1", "29"]
    pa_parquet.write_table(pa.table({"code": codes, "day": ["20240101"] * len(codes)}), out)
    told = await outcome(hub, "many", out.getvalue(), "upsert")
    assert loads.begun == 1
    assert [told["answer"][name] for name in ("received", "inserted", "rejected")] == [32, 30, 2]
    assert [(each["row"], each["reasons"][0]["detail"]) for each in told["rejects"]] == [
        (31, "the key code, day came before, earlier in the file, which was taken"),
        (32, "the key code, day came before, in row 30, which was taken"),
    ]


async def test_two_first_loads_at_once_queue_and_lose_nothing(hub: RunningHub, loads: Loads) -> None:
    await register(hub, "both", ITEMS)
    files = []
    for name in ("甲", "乙"):
        out = io.BytesIO()
        rows = {"code": [str(n) for n in range(100)], "day": ["20240101"] * 100, "name": [name] * 100}
        pa_parquet.write_table(pa.table(rows), out)
        files.append(out.getvalue())
    sent = [publish(hub, f, str(n), resource="both", content_type=PARQUET) for n, f in enumerate(files)]
    answers = sorted([answer.json() for answer in await asyncio.gather(*sent)], key=lambda a: a["version"])
    assert [(a["version"], a["inserted"], a["updated"]) for a in answers] == [(1, 100, 0), (2, 0, 100)]
    assert loads.begun == 1
    assert len(await rows_of(hub, "both")) == 100


async def test_first_load_of_a_file_that_breaks_off_leaves_nothing(hub: RunningHub, loads: Loads) -> None:
    await register(hub, "broken", ITEMS)
    out = io.BytesIO()
    codes = [str(number) for number in range(5000)]
    table = pa.table({"code": codes, "day": ["20240101"] * len(codes)})
    pa_parquet.write_table(table, out, row_group_size=1000, compression="gzip")
    whole = out.getvalue()
    middle = len(whole) * 3 // 5
    broken = whole[:middle] + bytes(500) + whole[middle + 500 :]
    refused = await publish(hub, broken, "1", resource="broken", content_type=PARQUET)
    assert (refused.status_code, loads.begun) == (400, 1), refused.text
    assert await rows_of(hub, "broken") == []
    taken = await publish(hub, whole, "2", resource="broken", content_type=PARQUET)
    assert (taken.json()["version"], taken.json()["inserted"], loads.begun) == (1, 5000, 2)


async def test_first_load_closes_the_tickets_of_its_keys(hub: RunningHub, loads: Loads) -> None:
    await register(hub, "mended", ITEMS)
    bad = await publish(hub, "code,day,name\n1,20240101,长长长长长长\n", "1", resource="mended")
    assert bad.json()["rejected"] == 1
    out = io.BytesIO()
    pa_parquet.write_table(pa.table({"code": ["1", "2"], "day": ["20240101"] * 2, "name": ["甲", "乙"]}), out)
    good = await publish(hub, out.getvalue(), "2", resource="mended", content_type=PARQUET)
    assert (good.json()["inserted"], good.json()["tickets_closed"]) == (2, 1)
    assert loads.begun == 1


async def count_unique_indexes(hub: RunningHub, code: str) -> int:
    async with hub.services.database.acquire() as connection:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_index WHERE indisunique AND indrelid = $1::text::regclass",
            f'data."{code}"',
        )
    return int(found)


@pytest.mark.parametrize("least_rows", [1, 1000])
@pytest.mark.parametrize("has_primary_key", [False, True])
async def test_first_load_leaves_one_index_of_the_keys(
    hub: RunningHub, loads: Loads, monkeypatch: pytest.MonkeyPatch, least_rows: int, has_primary_key: bool
) -> None:
    monkeypatch.setattr(stage, "MANY_ROWS", least_rows)
    await register(hub, "indexed", ITEMS)
    if has_primary_key:  # as hubs made the table before
        async with hub.services.database.transaction() as connection:
            await connection.execute('ALTER TABLE data.indexed ADD PRIMARY KEY ("code", "day")')
    content = write_file(Random(1))
    for turn, mode in enumerate(["upsert", "upsert", "delete", "snapshot"]):
        sent = await publish(hub, content, str(turn), resource="indexed", content_type=PARQUET, mode=mode)
        assert sent.status_code == 200, sent.text
        assert await count_unique_indexes(hub, "indexed") == 1
    assert loads.begun == (2 if least_rows == 1 else 0)
