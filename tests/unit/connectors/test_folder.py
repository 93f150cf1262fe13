"""Files of a folder as a source, and as a sink."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from connectors import TerminalError, TransientError
from connectors.config import load_config
from connectors.model import Batch, Cursor, Operation, Reading
from connectors.runner.runner import Runner
from connectors.sinks.folder import FolderSink, FolderSinkOptions
from connectors.sources.folder import FolderOptions, FolderPlace, FolderSource
from tests.parcels import build_parcel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def source(folder: Path, **options: Any) -> FolderSource:
    return FolderSource(FolderOptions.model_validate({"folder": folder, "settle_s": 0} | options))


def put(folder: Path, name: str, first: int, count: int) -> None:
    lines = [f"{n},第{n}行" for n in range(first, first + count)]
    (folder / name).write_text("\n".join(["id,name", *lines, ""]), encoding="utf-8")


def ids(batches: list[Batch]) -> list[int]:
    return [int(value) for batch in batches for value in batch.rows.column("id").to_pylist()]


def read(source: FolderSource, cursor: Cursor | None = None) -> tuple[list[int], Cursor | None]:
    batches = list(source.read(cursor))
    return ids(batches), batches[-1].cursor if batches else cursor


def test_every_cursor_takes_the_reading_up_again_without_loss_or_repeat(folder: Path) -> None:
    for number in range(3):
        put(folder, f"{number}.csv", number * 25, 25)
    batches = list(source(folder, batch_rows=7).read(None))
    for place, batch in enumerate(batches, start=1):
        cursor = json.loads(json.dumps(batch.cursor))
        assert ids(list(source(folder, batch_rows=7).read(cursor))) == ids(batches[place:])
    assert ids(batches) == list(range(75))


def test_new_and_changed_files_are_read_and_nothing_else(folder: Path) -> None:
    put(folder, "b.csv", 0, 3)
    _, cursor = read(source(folder))
    assert read(source(folder), cursor)[0] == []
    put(folder, "a.csv", 10, 2)
    put(folder, "b.csv", 0, 4)
    assert read(source(folder), cursor)[0] == [10, 11, 0, 1, 2, 3]


def test_unfinished_files_wait(folder: Path) -> None:
    for name in ("a.csv.tmp", "a.csv.filepart", ".a.csv", "c.csv"):
        put(folder, name, 0, 1)
    put(folder, "b.csv", 5, 1)
    (folder / "b.csv.done").touch()
    assert read(source(folder, done_suffix=".done"))[0] == [5]
    assert read(source(folder, settle_s=3600))[0] == []


def test_clock_that_went_back_does_not_hold_a_file_for_ever(folder: Path) -> None:
    put(folder, "a.csv", 0, 1)
    place = FolderPlace(FolderOptions(folder=folder, settle_s=60), now=lambda: 0.0)
    assert place.is_settled(place.list_files()[0])


def test_copy_that_keeps_an_old_time_is_not_taken_for_settled(folder: Path) -> None:
    put(folder, "a.csv", 0, 1)
    os.utime(folder / "a.csv", (1, 1))
    assert read(source(folder, settle_s=3600))[0] == []


def test_files_are_moved_when_they_are_acknowledged_and_not_before(folder: Path, tmp_path: Path) -> None:
    options = {"move_to": tmp_path / "done", "done_suffix": ".ok", "batch_rows": 1}
    for name in ("a.csv", "b.csv"):
        put(folder, name, 0, 2)
        (folder / f"{name}.ok").touch()
    reader = source(folder, **options)
    assert reader.capabilities.acknowledges
    cursors = [batch.cursor for batch in reader.read(None)]
    reader.acknowledge(cursors[1] or {})
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "a.csv.ok", "b.csv", "b.csv.ok"]
    reader.acknowledge(cursors[2] or {})
    reader.acknowledge(cursors[2] or {})
    assert sorted(path.name for path in folder.iterdir()) == ["b.csv", "b.csv.ok"]
    put(folder, "a.csv", 7, 1)
    (folder / "a.csv.ok").touch()
    again, cursor = read(source(folder, **options), cursors[-1])
    assert again == [7]
    reader.acknowledge(cursor or {})
    assert not list(folder.iterdir())
    assert len(list((tmp_path / "done").iterdir())) == 6


def test_run_moves_a_file_without_rows_too(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        f"""
name = "c"
[source]
kind = "folder"
folder = "{folder}"
move_to = "{tmp_path / "done"}"
settle_s = 0
[sink]
kind = "sqlite"
file = "{tmp_path / "o.db"}"
table = "o"
key = ["id"]
""",
        encoding="utf-8",
    )
    for name, rows in (("a.csv", 0), ("b.csv", 2), ("c.csv", 0)):
        put(folder, name, 0, rows)
        Runner(load_config(config), report=lambda _event, _fields: None).run_once()
        assert not list(folder.iterdir()), name
    assert len(list((tmp_path / "done").iterdir())) == 3


def test_newest_file_is_everything_and_none_is_not_taken_for_empty(folder: Path) -> None:
    reader = source(folder, take="newest")
    assert reader.capabilities.reading is Reading.FULL
    with pytest.raises(TerminalError, match="no file that counts"):
        list(reader.read(None))
    put(folder, "1.csv", 0, 5)
    put(folder, "2.csv", 3, 2)
    assert ids(list(source(folder, take="newest").read(None))) == [3, 4]


def test_file_that_changes_while_it_is_read_is_read_anew(folder: Path) -> None:
    put(folder, "a.csv", 0, 20)
    reading = source(folder, batch_rows=5).read(None)
    cursor = next(reading).cursor
    put(folder, "a.csv", 0, 30)
    with pytest.raises(TransientError, match=r"a\.csv was changed"):
        list(reading)
    assert read(source(folder), cursor)[0] == list(range(30))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "header"),
        (b"id,id\n1,2\n", "one name"),
        (b"id,name\n1,\xd6\xd0\n", "gb18030"),
        (b"id,name\n1,x,secret\n", "row 2 has 3 columns, the header has 2"),
        (b'id,name\n1,"secret\n', "quotation|damaged"),
        (b"id,other\n1,secret\n", "missing .*name.* new .*other"),
    ],
)
def test_damaged_csv_is_named_without_its_content(folder: Path, content: bytes, said: str) -> None:
    put(folder, "0.csv", 0, 1)
    (folder / "1.csv").write_bytes(content)
    with pytest.raises(TerminalError, match=said) as wrong:
        list(source(folder).read(None))
    assert "1.csv" in str(wrong.value)
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet"])
def test_file_that_was_cut_off_or_damaged_on_its_way_is_named(folder: Path, name: str) -> None:
    if name.endswith(".gz"):
        rows = b"id,name\n" + b"".join(f"{n},{n * 7919}\n".encode() for n in range(50_000))
        (folder / name).write_bytes(gzip.compress(rows)[:-9000])
    else:
        table = pa.table({"id": [str(n * 7919) for n in range(50_000)]})
        pa_parquet.write_table(table, folder / name, use_dictionary=False, compression="gzip")
        content = bytearray((folder / name).read_bytes())
        content[2000:2600] = bytes(600)
        (folder / name).write_bytes(content)
    with pytest.raises(TerminalError, match=f"{name}.*damaged"):
        read(source(folder))


def test_csv_of_any_encoding_and_compression_reads_alike(folder: Path) -> None:
    text = 'id,"na""me"\r\n1,"张\n三"\r\n2,\r\n3,""\r\n'
    (folder / "1.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (folder / "2.csv.gz").write_bytes(gzip.compress(text.encode()))
    batches = list(source(folder).read(None))
    (folder / "1.csv").write_bytes(text.encode("gb18030"))
    batches += source(folder, encoding="gb18030", pattern="1.csv").read(None)
    tables = [batch.rows.to_pydict() for batch in batches if batch.rows.num_rows]
    assert tables == [{"id": ["1", "2", "3"], 'na"me': ["张\n三", None, ""]}] * 3


def test_excel_cells_are_text_as_they_were_meant(folder: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "数据"
    sheet.append(["说明", None, None])
    sheet.append(["id", "on", "flag"])
    sheet.append([7, date(2026, 1, 2), True])
    sheet.append([None, None, None])
    sheet.append(["007", datetime.fromisoformat("2026-01-02 03:04:05"), 1.5])
    book.save(folder / "a.xlsx")
    (rows,) = (
        b.rows.to_pydict() for b in source(folder, header_row=2, sheet="数据").read(None) if b.rows.num_rows
    )
    assert rows == {"id": ["7", "007"], "on": ["2026-01-02", "2026-01-02 03:04:05"], "flag": ["true", "1.5"]}
    with pytest.raises(TerminalError, match="there are 数据"):
        list(source(folder, sheet="other").read(None))
    sheet.append([12345678901234567, None, None])
    book.save(folder / "a.xlsx")
    with pytest.raises(TerminalError, match="row 6: Excel has rounded"):
        list(source(folder, header_row=2).read(None))


def test_parquet_keeps_its_types_and_columns_are_chosen(folder: Path) -> None:
    table = pa.table({"id": [1, 2], "n": [Decimal("1.5"), None], "more": ["x", "y"]})
    pa_parquet.write_table(table, folder / "a.parquet")
    pa_parquet.write_table(table.select(["n", "id"]), folder / "b.parquet")
    reader = source(folder, columns=["id", "n"])
    assert reader.fetch_schema() == table.select(["id", "n"]).schema
    assert ids(list(reader.read(None))) == [1, 2, 1, 2]


def test_cursor_of_another_source_and_absent_folder_end_in_a_sentence(folder: Path) -> None:
    put(folder, "a.csv", 0, 1)
    for cursor in ({}, {"done": []}, {"done": {}, "in": ["a.csv"]}, {"after": 3}):
        with pytest.raises(TerminalError, match="none of this source"):
            list(source(folder).read(cursor))
    with pytest.raises(TerminalError, match="there is no folder"):
        list(source(folder / "no").read(None))


ROW = {
    "id": 1,
    "n": Decimal("1.50"),
    "d": date(2026, 1, 2),
    "t": datetime(2026, 1, 2, tzinfo=UTC),
    "x": "逗,号",
}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_sink_writes_a_file_and_its_manifest_once(tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    sink = FolderSink(FolderSinkOptions.model_validate({"folder": out, "format": form}))
    parcel = build_parcel(tmp_path, 1, [ROW, ROW | {"id": 2, "x": None}, ROW | {"id": 3, "x": ""}])
    first = sink.write(parcel)
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert sink.write(parcel) == first
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    manifest = json.loads((out / f"{first.reference}.json").read_text())
    assert manifest["sha256"] == hashlib.sha256((out / manifest["file"]).read_bytes()).hexdigest()
    assert (manifest["rows"], manifest["operation"]) == (3, "upsert")
    (batch,) = (
        b.rows for b in source(out, pattern=f"*.{form}", done_suffix=".json").read(None) if b.rows.num_rows
    )
    assert batch.column("x").to_pylist() == ["逗,号", None, ""]


def test_sink_that_was_killed_before_the_manifest_writes_again(tmp_path: Path) -> None:
    sink = FolderSink(FolderSinkOptions(folder=tmp_path / "out"))
    parcel = build_parcel(tmp_path, 1, [ROW], Operation.SNAPSHOT)
    reference = sink.write(parcel).reference
    (tmp_path / "out" / f"{reference}.json").unlink()
    (tmp_path / "out" / reference).write_bytes(b"half")
    sink.write(parcel)
    assert pa_parquet.read_table(tmp_path / "out" / reference).num_rows == 1
