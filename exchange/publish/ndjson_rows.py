"""NDJSON (one JSON object a line, UTF-8) as Arrow batches of text.

Numbers keep the digits that they were written with. A line that is not a flat object is refused by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from core.errors import BadInput, UnsupportedContent
from exchange.publish.decoded import BATCH_ROWS, DecodedBatch, refuse_row
from exchange.publish.model import Reject

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
MAX_COLUMNS: Final = 2_000
BATCH_BYTES: Final = 8 * 1024 * 1024
_JsonRow = list[tuple[str, Any]]


def read_names(path: Path) -> list[str]:
    """Read the names in all lines, in the order of their first appearance. Raises UnsupportedContent."""
    names: dict[str, None] = {}
    any_object = False
    for line in _read_lines(path):
        row = _parse(line)
        if row is not None:
            any_object = True
            names.update(dict.fromkeys(name for name, _ in row))
        if len(names) > MAX_COLUMNS:
            msg = f"the lines name more than {MAX_COLUMNS} different columns"
            raise BadInput(msg)
    if not any_object:
        msg = "the body is not NDJSON: no line holds a JSON object in UTF-8"
        raise UnsupportedContent(msg)
    return list(names)


def read_rows(path: Path, names: Sequence[str]) -> Iterator[DecodedBatch]:
    """Read the rows; a name that a line lacks is null there."""
    numbers: list[int] = []
    rows: list[dict[str, str | None]] = []
    malformed: list[Reject] = []
    size = 0
    for number, line in enumerate(_read_lines(path), start=1):
        found = read_row(number, line)
        if isinstance(found, Reject):
            malformed.append(found)
        else:
            numbers.append(number)
            rows.append(found)
        size += len(line)
        if number % BATCH_ROWS == 0 or size >= BATCH_BYTES:
            yield _batch(names, numbers, rows, malformed)
            numbers, rows, malformed, size = [], [], [], 0
    if numbers or malformed:
        yield _batch(names, numbers, rows, malformed)


def _batch(
    names: Sequence[str], numbers: list[int], rows: list[dict[str, str | None]], malformed: list[Reject]
) -> DecodedBatch:
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names} if rows else {}
    return DecodedBatch(numbers=numbers, columns=columns, malformed=tuple(malformed))


def _read_lines(path: Path) -> Iterator[bytes]:
    """Read the lines that are not blank."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                msg = f"a line is longer than {MAX_LINE_BYTES} bytes; each row is one line"
                raise BadInput(msg)
            if line.strip(b" \t\r\n\xef\xbb\xbf"):
                yield line


def _parse(line: bytes) -> _JsonRow | None:
    try:
        value = json.loads(
            line.removeprefix(b"\xef\xbb\xbf").decode(),
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            object_pairs_hook=_Pairs,
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, _Pairs) else None


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that a name that comes twice is seen."""


def read_row(number: int, line: bytes) -> dict[str, str | None] | Reject:
    row = _parse(line)
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    if row is None:
        return refuse_row(number, text, "JSON", "the line is not a JSON object")
    found: dict[str, str | None] = {}
    for name, value in row:
        if name in found:
            return refuse_row(number, text, "DUPLICATE-COLUMN", f"{name[:40]!r} is in the line twice")
        if isinstance(value, list):
            return refuse_row(number, text, "NESTED-VALUE", f"{name[:40]!r} is not a plain value")
        found[name] = _to_text(value)
    if "\\ud" in text.lower() and not all(map(_is_text, found.values())):
        return refuse_row(number, text, "ENCODING", "a value holds half a character (a lone surrogate)")
    return found


def _to_text(value: str | bool | None) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value or None


def _is_text(value: str | None) -> bool:
    return value is None or not any("\ud800" <= character <= "\udfff" for character in value)
