"""Disks that really refuse to write, and huge cells: one clear answer, nothing changed, nothing left."""

from __future__ import annotations

import io
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from exchange.publish import csv_rows, store_quarantine
from exchange.publish.media import CSV, NDJSON, PARQUET
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register, rows_of
from tests.integration.exchange.test_publish_faults import require_untouched

FILE_LIMIT_BYTES = 200_000
HUGE = "x" * 10_000_000


@contextmanager
def full_disk() -> Iterator[None]:
    """Let the operating system refuse this process every file beyond FILE_LIMIT_BYTES."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def content_of(rows: int) -> str:
    return "code,name\n" + "".join(f"{n},名称名称名称名称名称\n" for n in range(rows))


@pytest.mark.parametrize(
    ("rows", "encoding"), [(20_000, "utf-8"), (7_000, "gb18030")], ids=["body", "conversion"]
)
async def test_batch_that_the_disk_does_not_hold_gives_503_and_changes_nothing(
    hub: RunningHub, rows: int, encoding: str
) -> None:
    await register(hub)
    body = content_of(rows).encode(encoding)
    assert encoding == "utf-8" or len(body) < FILE_LIMIT_BYTES < len(content_of(rows).encode())
    with full_disk():
        answer = await publish(hub, body, "k")
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE-UNAVAILABLE"), answer.text
    assert "disk" in answer.json()["detail"]
    await require_untouched(hub)
    assert (await publish(hub, body, "k")).json()["accepted"] == rows


@pytest.mark.parametrize("kind", ["csv", "ndjson", "arrow"])
async def test_download_that_the_disk_does_not_hold_gives_503_and_leaves_nothing(
    hub: RunningHub, kind: str
) -> None:
    await register(hub)
    answer = (await publish(hub, content_of(9_000).replace(",名称名称名称名称名称", ","), "k")).json()
    assert answer["rejected"] == 9_000
    path = f"/v1/resources/things/batches/{answer['batch']}/rejects.{kind}"
    headers = hub.members["market"].headers
    with full_disk():
        refused = await hub.client.get(path, headers=headers)
    assert refused.status_code == 503, refused.text[:200]
    assert list(hub.services.settings.spool_dir.iterdir()) == []
    assert (await hub.client.get(path, headers=headers)).content.count(b"REQUIRED") == 9_000


async def test_database_whose_disk_is_full_gives_503_and_changes_nothing(hub: RunningHub) -> None:
    await register(hub)
    async with hub.services.database.acquire() as connection:
        await connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON data.things FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    answer = await publish(hub, "code,name\n1,甲\n", "k")
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE-UNAVAILABLE"), answer.text
    await require_untouched(hub)
    async with hub.services.database.acquire() as connection:
        await connection.execute("DROP TRIGGER refuse ON data.things")
    assert (await publish(hub, "code,name\n1,甲\n", "k")).json()["accepted"] == 1


def huge_file(kind: str) -> bytes:
    """Three rows, the second with a cell of 10 MB."""
    rows = [("1", "甲"), ("2", HUGE), ("3", "丙")]
    if kind == NDJSON:
        return "".join(json.dumps({"code": code, "name": name}) + "\n" for code, name in rows).encode()
    if kind == PARQUET:
        out = io.BytesIO()
        table = pa.table({"code": [row[0] for row in rows], "name": [row[1] for row in rows]})
        pa_parquet.write_table(table, out)
        return out.getvalue()
    return ("code,name\n" + "".join(f'{code},"{name}"\n' for code, name in rows)).encode()


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET])
async def test_cell_of_ten_megabytes_is_refused_with_its_row_alone_and_kept(
    hub: RunningHub, kind: str
) -> None:
    await register(hub)
    answer = (await publish(hub, huge_file(kind), "k", content_type=kind)).json()
    assert (answer["accepted"], answer["rejected_by_reason"]) == (2, {"LENGTH": 1})
    assert [row["code"] for row in await rows_of(hub)] == ["1", "3"]
    path = f"/v1/resources/things/batches/{answer['batch']}/rejects"
    found = (await hub.client.get(path, headers=hub.members["market"].headers)).json()["rejects"]
    assert [(reject["row"], reject["original"]["name"] == HUGE) for reject in found] == [(2, True)]


async def test_pages_of_refused_rows_are_bounded_in_bytes_and_lose_none(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_quarantine, "PAGE_BYTES", 1000)
    await register(hub)
    content = "code,name\n" + "".join(f"{n},{'长' * 21}\n" for n in range(50))
    answer = (await publish(hub, content, "k")).json()
    headers = hub.members["market"].headers
    path = f"/v1/resources/things/batches/{answer['batch']}/rejects"
    rows, pages, after = [], 0, 0
    while found := (await hub.client.get(path, params={"after": after}, headers=headers)).json()["rejects"]:
        rows += [reject["row"] for reject in found]
        pages, after = pages + 1, found[-1]["row"]
    assert rows == list(range(1, 51))
    assert pages > 5
    assert (await hub.client.get(f"{path}.csv", headers=headers)).text.count("LENGTH") == 50


async def test_row_over_the_limit_of_rows_is_refused_with_the_file(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "MAX_ROW_BYTES", 3_000_000)
    await register(hub)
    answer = await publish(hub, huge_file(CSV), "k")
    assert (answer.status_code, "longer than" in answer.text) == (400, True)
    await require_untouched(hub)
