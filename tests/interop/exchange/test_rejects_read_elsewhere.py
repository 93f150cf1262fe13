"""Downloads of refused rows, in every format, as openpyxl, pandas, polars and DuckDB read them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from exchange.publish.media import ARROW, CSV, EXTENSIONS, NDJSON, PARQUET, XLSX
from exchange.publish.reject_files import open_reject_file
from tests.interop.harness import python_venv, run

pytestmark = pytest.mark.interop
COLUMNS = ["code", "名称", "note"]
REJECTS: list[dict[str, Any]] = [
    {
        "row": 2,
        "original": {"code": "007", "名称": '引"号,逗号', "note": "第一行\n第二行"},
        "ticket": "0b9f5e7a-0000-4000-8000-000000000001:2",
        "reasons": [
            {"item": "code", "code": "LENGTH", "detail": "编号 breaks the length of C5"},
            {"item": "note", "code": "DATE", "detail": "备注 is not a day that exists"},
        ],
    },
    {
        "row": 3,
        "original": {"code": "=1+2", "名称": None, "note": "𠮷野家 𝄞"},
        "ticket": "0b9f5e7a-0000-4000-8000-000000000001:3",
        "reasons": [{"item": "名称", "code": "REQUIRED", "detail": "名称 is empty and must not be"}],
    },
    {
        "row": 9,
        "original": {"": "1,2,3,4"},
        "ticket": "0b9f5e7a-0000-4000-8000-000000000001:9",
        "reasons": [{"item": None, "code": "CELL-COUNT", "detail": "the row has 4 cells"}],
    },
]
READERS = """
import json, sys, warnings
warnings.simplefilter("ignore")
reader, path, encoding = sys.argv[1:]
kind = path.rsplit(".", 1)[1]
def plain(value):
    return None if value is None or value != value or value == "" else str(value)
if reader == "openpyxl":
    from openpyxl import load_workbook
    head, *rows = load_workbook(path).active.iter_rows(values_only=True)
    assert all(cell.data_type != "f" for line in load_workbook(path).active for cell in line)
elif reader == "pandas":
    import pandas
    read = {"csv": lambda: pandas.read_csv(path, dtype=str, encoding=encoding, keep_default_na=False),
            "xlsx": lambda: pandas.read_excel(path, dtype=str, engine="openpyxl", keep_default_na=False),
            "parquet": lambda: pandas.read_parquet(path),
            "ndjson": lambda: pandas.read_json(path, lines=True, dtype=False, convert_dates=False)}
    frame = read[kind]()
    head, rows = list(frame.columns), frame.astype(object).values.tolist()
elif reader == "polars":
    import polars
    read = {"csv": lambda: polars.read_csv(path, infer_schema=False),
            "parquet": lambda: polars.read_parquet(path),
            "arrow": lambda: polars.read_ipc_stream(path), "ndjson": lambda: polars.read_ndjson(path)}
    frame = read[kind]()
    head, rows = frame.columns, frame.rows()
else:
    import duckdb
    read = {"csv": f"read_csv('{path}', all_varchar=true, header=true)", "parquet": f"'{path}'",
            "ndjson": f"read_json('{path}', format='newline_delimited')"}
    found = duckdb.sql(f"SELECT * FROM {read[kind]}")
    head, rows = found.columns, found.fetchall()
print(json.dumps([{name: plain(cell) for name, cell in zip(head, row) if plain(cell)} for row in rows]))
"""
PAIRS = [
    *(("openpyxl", XLSX), ("pandas", XLSX), ("pandas", CSV), ("pandas", PARQUET), ("pandas", NDJSON)),
    *(("polars", CSV), ("polars", PARQUET), ("polars", ARROW), ("polars", NDJSON)),
    *(("duckdb", CSV), ("duckdb", PARQUET), ("duckdb", NDJSON)),
]


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python with the readers, none of which this project uses to write."""
    return python_venv("readers", ["openpyxl", "pandas", "polars", "duckdb", "pyarrow"])


def expected(*, is_csv: bool) -> list[dict[str, str]]:
    """What a reader must find: every cell as it was sent, every reason; a formula made harmless in CSV."""
    rows = []
    for reject in REJECTS:
        cells = {name: cell for name, cell in reject["original"].items() if name and cell is not None}
        if is_csv and "code" in cells:
            cells["code"] = cells["code"].replace("=1+2", "'=1+2")
        rows.append(
            {
                "_row": str(reject["row"]),
                **cells,
                **({"_line": reject["original"][""]} if "" in reject["original"] else {}),
                "_ticket": reject["ticket"],
                "_reasons": "; ".join(f"{r['code']}: {r['detail']}" for r in reject["reasons"]),
            }
        )
    return rows


@pytest.mark.parametrize(("reader", "kind"), PAIRS)
def test_refused_rows_are_whole_for_another_reader(
    python: Path, tmp_path: Path, reader: str, kind: str
) -> None:
    ending = next(ending for ending, media_type in EXTENSIONS.items() if media_type == kind)
    path = tmp_path / f"rejects{ending}"
    writer = open_reject_file(path, kind, COLUMNS, None)
    writer.write(REJECTS[:1])
    writer.write(REJECTS[1:])
    writer.close()
    out = run([str(python), "-c", READERS, reader, str(path), "utf-8"])
    assert json.loads(out) == expected(is_csv=kind == CSV)


def test_refused_rows_in_gb18030_are_whole_for_pandas(python: Path, tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    writer = open_reject_file(path, CSV, COLUMNS, "gb18030")
    writer.write(REJECTS)
    writer.close()
    out = run([str(python), "-c", READERS, "pandas", str(path), "gb18030"])
    assert json.loads(out) == expected(is_csv=True)


def test_workbook_of_pandas_is_read_back_by_the_hub(python: Path, tmp_path: Path) -> None:
    from exchange.publish.excel_rows import open_sheet, read_rows

    path = tmp_path / "mended.xlsx"
    frame = "pandas.DataFrame({'code': ['007'], '名称': ['乙']})"
    made = f"import pandas, sys; {frame}.to_excel(sys.argv[1], index=False)"
    run([str(python), "-c", made, str(path)])
    header, sheet = open_sheet(path)
    (batch,) = read_rows(sheet, header, second_columns=frozenset())
    assert {name: column.to_pylist() for name, column in batch.columns.items()} == {
        "code": ["007"],
        "名称": ["乙"],
    }
    assert io.BytesIO(path.read_bytes()).read(2) == b"PK"
