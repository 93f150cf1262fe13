"""The kinds of file that a batch comes in, and the columns that the hub itself adds to a download."""

from __future__ import annotations

from typing import Final

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS: Final = "application/vnd.ms-excel"
PARQUET: Final = "application/vnd.apache.parquet"
ARROW: Final = "application/vnd.apache.arrow.stream"
MEDIA_TYPES: Final = (CSV, NDJSON, XLSX, XLS, PARQUET, ARROW)
EXTENSIONS: Final = {
    ".csv": CSV,
    ".ndjson": NDJSON,
    ".jsonl": NDJSON,
    ".xlsx": XLSX,
    ".xls": XLS,
    ".parquet": PARQUET,
    ".arrow": ARROW,
    ".arrows": ARROW,
}
COMPRESSED_EXTENSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
ROW_HEADER: Final = "_row"
LINE_HEADER: Final = "_line"
TICKET_HEADER: Final = "_ticket"
REASONS_HEADER: Final = "_reasons"
ADDED_HEADERS: Final = (ROW_HEADER, LINE_HEADER, TICKET_HEADER, REASONS_HEADER)
