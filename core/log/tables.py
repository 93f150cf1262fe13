"""Views as CSV that a spreadsheet can open without running anything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

BYTE_ORDER_MARK: Final = "\ufeff"  # so that Excel reads UTF-8
_STARTERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def defuse(value: object) -> str:
    """Write a cell; what a spreadsheet would take for a formula gets an apostrophe in front (OWASP)."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return f"'{text}" if text.lstrip(" \u3000").startswith(_STARTERS) else text


def build_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, with_head: bool = True) -> str:
    """Build RFC 4180 lines, with a byte order mark and the column names in front where `with_head`."""
    buffer = io.StringIO()
    if with_head:
        buffer.write(BYTE_ORDER_MARK)
    writer = csv.writer(buffer, lineterminator="\r\n")
    if with_head:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([defuse(row.get(name)) for name in columns])
    return buffer.getvalue()
