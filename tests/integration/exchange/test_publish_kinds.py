"""Every kind of file gives the same table, and refuses what is not whole."""

from __future__ import annotations

import gzip
import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pa_parquet
import pytest
import xlsxwriter

from exchange.publish.media import ARROW, CSV, NDJSON, PARQUET, XLSX
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register, rows_of

NOON = datetime.fromisoformat("2024-01-01T12:00:00")  # a workbook knows no zone
MIDNIGHT = datetime.fromisoformat("2024-01-01T00:00:00")
LINES = [
    {"code": "1", "name": "甲", "amount": "1.50", "day": "20240229", "at": "20240101120000", "yes": "是"},
    {"code": "2", "name": "", "amount": "2", "day": None, "at": None, "yes": None},
    {"code": "3", "name": "丙", "amount": "3.25", "day": None, "at": "20240101000000", "yes": "false"},
]
CSV_TEXT = """\
code,name,amount,day,at,yes
1,甲,1.50,20240229,20240101120000,是
2,,2,,,
3,丙,3.25,,20240101000000,false
"""


def build_excel(rows: list[list[Any]]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet()
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    second = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if isinstance(cell, datetime):
                sheet.write_datetime(number, place, cell, second)
            elif isinstance(cell, date):
                sheet.write_datetime(number, place, cell, day)
            elif cell is not None:
                sheet.write(number, place, cell)
    book.close()
    return out.getvalue()


def as_bytes(kind: str) -> bytes:
    table = pa.Table.from_pylist(LINES)
    out = io.BytesIO()
    if kind == NDJSON:
        return "".join(json.dumps(line) + "\n" for line in LINES).encode()
    if kind == PARQUET:
        pa_parquet.write_table(table, out)
    elif kind == ARROW:
        with pa_ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    elif kind == XLSX:
        return build_excel(
            [
                ["code", "name", "amount", "day", "at", "yes"],
                [1, "甲", 1.5, date(2024, 2, 29), NOON, "是"],
                ["2", None, 2],
                ["3", "丙", "3.25", None, MIDNIGHT, False],
            ]
        )
    else:
        return CSV_TEXT.encode()
    return out.getvalue()


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET, ARROW, XLSX])
async def test_each_kind_of_file_gives_the_same_rows_digest_and_rejects(hub: RunningHub, kind: str) -> None:
    await register(hub)
    await register(hub, "model")
    expected = (await publish(hub, CSV_TEXT, "model", resource="model")).json()
    answer = (await publish(hub, as_bytes(kind), "k", content_type=kind)).json()
    assert (answer["accepted"], answer["rejected_by_reason"]) == (2, {"REQUIRED": 1})
    assert answer["accepted_digest"] == expected["accepted_digest"]
    assert await rows_of(hub) == await rows_of(hub, "model")


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET, ARROW, XLSX])
async def test_rejects_download_in_the_kind_that_came_mended_close_their_tickets(
    hub: RunningHub, kind: str
) -> None:
    await register(hub)
    first = (await publish(hub, as_bytes(kind), "k", content_type=kind)).json()
    path = f"/v1/resources/things/batches/{first['batch']}"
    headers = hub.members["market"].headers
    file = await hub.client.get(f"{path}/rejects.file", headers=headers)
    assert file.headers["content-type"].split(";")[0] == kind
    mended = mend(file.content, kind)
    again = (await publish(hub, mended, "again", content_type=kind)).json()
    assert (again["accepted"], again["rejected"], again["tickets_closed"]) == (1, 0, 1)
    (reject,) = (await hub.client.get(f"{path}/rejects", headers=headers)).json()["rejects"]
    assert (reject["state"], reject["closed_by"]) == ("closed", again["batch"])
    still_open = await hub.client.get(f"{path}/rejects", params={"open": "true"}, headers=headers)
    assert still_open.json()["rejects"] == []
    assert list(hub.services.settings.spool_dir.iterdir()) == []


def mend(content: bytes, kind: str) -> bytes:
    """Fill in the missing name, with a key that was changed too, so that only the ticket tells."""
    if kind == XLSX:
        from python_calamine import CalamineWorkbook

        rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
        place = rows[0].index("name")
        rows[1][place] = "乙"
        return build_excel([[cell or None for cell in row] for row in rows])
    if kind in {PARQUET, ARROW}:
        table = (
            pa_parquet.read_table(io.BytesIO(content))
            if kind == PARQUET
            else pa_ipc.open_stream(content).read_all()
        )
        table = table.set_column(table.column_names.index("name"), "name", pa.array(["乙"]))
        table = table.set_column(table.column_names.index("code"), "code", pa.array(["22"]))
        out = io.BytesIO()
        if kind == PARQUET:
            pa_parquet.write_table(table, out)
        else:
            with pa_ipc.new_stream(out, table.schema) as writer:
                writer.write_table(table)
        return out.getvalue()
    if kind == NDJSON:
        row = json.loads(content)
        return json.dumps(row | {"name": "乙", "code": "22"}).encode()
    return content.decode().replace(",2,,2,", ",22,乙,2,").encode()


async def test_row_mended_without_its_ticket_closes_it_by_its_key(hub: RunningHub) -> None:
    await register(hub)
    first = (await publish(hub, "code,name\n1,\n2,\n3,丙\n", "a")).json()
    again = (await publish(hub, "code,name\n1,甲\n", "b")).json()
    assert again["tickets_closed"] == 1
    found = await hub.client.get(
        f"/v1/resources/things/batches/{first['batch']}/rejects", headers=hub.members["market"].headers
    )
    assert [reject["state"] for reject in found.json()["rejects"]] == ["closed", "open"]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_compressed_csv_is_read_whether_declared_or_not(
    hub: RunningHub, coding: str, declared: bool
) -> None:
    await register(hub)
    packed = (
        gzip.compress(CSV_TEXT.encode("gb18030")) if coding == "gzip" else zstd(CSV_TEXT.encode("gb18030"))
    )
    headers = {"Content-Encoding": coding} if declared else {}
    answer = await hub.client.post(
        "/v1/resources/things/batches",
        content=packed,
        headers=hub.members["market"].headers | {"Idempotency-Key": "k", "Content-Type": CSV} | headers,
    )
    assert answer.json()["accepted"] == 2, answer.text


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b"code,name\n1,x\n", mtime=0)[:-6], 415),
        (b"\x1f\x8bnot gzip at all", 415),
        (gzip.compress(b"code,name\n" + b"1,x\n" * 500_000, mtime=0), 413),
    ],
)
async def test_broken_or_bomb_compression_is_refused_and_leaves_nothing(
    hub: RunningHub, body: bytes, status: int
) -> None:
    await register(hub)
    hub.services.settings.__dict__["max_batch_bytes"] = 1_000_000
    answer = await publish(hub, body, "k")
    assert answer.status_code == status, answer.text
    assert list(hub.services.settings.spool_dir.iterdir()) == []


async def test_ndjson_lines_that_are_no_flat_object_are_refused_one_by_one(hub: RunningHub) -> None:
    await register(hub)
    lines = [
        '{"code": "1", "name": "甲", "amount": 12345678901234567890}',
        '{"code": "2", "name": "乙", "amount": 100.10}',
        "[1, 2]",
        '{"code": "4", "name": {"first": "丁"}}',
        '{"code": "5", "code": "6", "name": "戊"}',
        '{"code": "7", "name": "\\ud800"}',
        "{not json",
        "",
        '{"code": "9", "name": "a\\u0000b"}',
    ]
    answer = (await publish(hub, "\r\n".join(lines), "k", content_type=NDJSON)).json()
    assert answer["rejected_by_reason"] == {
        "CONTROL-CHARACTER": 1,
        "DUPLICATE-COLUMN": 1,
        "ENCODING": 1,
        "JSON": 2,
        "NESTED-VALUE": 1,
        "NUMBER": 1,
    }
    (row,) = await rows_of(hub)
    assert str(row["amount"]) == "100.10"


async def test_number_that_excel_has_rounded_is_refused_and_not_taken_for_a_code(hub: RunningHub) -> None:
    await register(
        hub,
        items=[
            {"name": "code", "title": "编号", "format": "C..20", "is_key": True},
            {"name": "name", "title": "名称", "format": "C..20"},
        ],
    )
    body = build_excel([["code", "name"], [110101199001011237, "x"], ["110101199001011237", "y"]])
    answer = (await publish(hub, body, "k", content_type=XLSX)).json()
    assert (answer["accepted"], answer["rejected_by_reason"]) == (1, {"EXCEL-NUMBER": 1})
    assert (await rows_of(hub))[0]["name"] == "y"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (XLSX, b"PK\x03\x04 no workbook"),
        (XLSX, b"plain text"),
        (NDJSON, b"code,name\n1,x\n"),
        (NDJSON, b"\xff\xfe\x00"),
        (PARQUET, b"PAR1"),
        (ARROW, b"\x00" * 64),
    ],
)
async def test_bytes_that_are_not_of_their_kind_get_415(hub: RunningHub, kind: str, body: bytes) -> None:
    await register(hub)
    answer = await publish(hub, body, "k", content_type=kind)
    assert answer.status_code == 415, answer.text
    assert await rows_of(hub) == []


async def test_cells_made_harmless_in_a_download_come_back_as_what_they_were(hub: RunningHub) -> None:
    await register(hub)
    first = (await publish(hub, "code,name,amount\n=1,,-5.00\n'+2,,1\n", "k")).json()
    assert first["rejected_by_reason"] == {"REQUIRED": 2}
    file = await hub.client.get(
        f"/v1/resources/things/batches/{first['batch']}/rejects.file", headers=hub.members["market"].headers
    )
    assert "'=1,,'-5.00," in file.text
    assert "''+2,,1," in file.text
    mended = file.text.replace("'=1,,", "'=1,名,").replace("''+2,,", "''+2,名,")
    again = (await publish(hub, mended, "again")).json()
    assert (again["accepted"], again["tickets_closed"]) == (2, 2), again
    rows = {row["code"]: row["amount"] for row in await rows_of(hub)}
    assert rows == {"=1": Decimal("-5.00"), "'+2": Decimal("1.00")}
