"""Recording what rows look like: keyed tags of every column, in the leaf that follows the act's own.

A statement that changes a row of a recorded table notes its key until the transaction ends (triggers of
migrations 0030 and 0031). The next leaf of the transaction takes the notes, and a second leaf records each
row as it is then: table, key, a number that grows from record to record, and for each column a tag, the first
eight octets of HMAC-SM3 under the hub's key. Who alters a row in the database, with the triggers or without
them, cannot make the tags, which need a key that the database does not hold; the self-check names row and
column.

So an act writes its leaf after its last change. Columns that change without an act (cursors, counts of use)
are left out of the comparison by name, and an update of these alone notes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from signing import sm3

TAG_BYTES: Final = 8
MAX_ROWS_IN_LEAF: Final = 40
MAX_RECORD_CHARACTERS: Final = 24_000
_FRAME: Final = len('{"table": , "key": , "number": }')
_TAGS_FRAME: Final = len(', "tags": {}')
_TAG_FRAME: Final = len(': "", ') + 2 * TAG_BYTES
_quote: Final = json.encoder.encode_basestring


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTable:
    """A table whose rows leaves record.

    `key` are the columns of its primary key; `passing` are columns that are not compared.
    """

    name: str
    key: tuple[str, ...]
    passing: frozenset[str] = frozenset()

    @property
    def columns(self) -> str:
        """The key's columns as the triggers and functions of migration 0030 take them."""
        return ",".join(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedRow:
    """A row as it is: text by column, None for NULL; `content` is None for a row that is gone."""

    table: str
    key: str
    number: int
    content: Mapping[str, str | None] | None


class RowTagger:
    """Makes tags; `key` is a secret of the hub that the database does not hold."""

    def __init__(self, key: bytes) -> None:
        self._hmac = sm3.keyed_hmac(key)

    def tag(self, table: str, key: str, content: Mapping[str, str | None]) -> dict[str, str]:
        """Tag each column of a row, in hex: each over the JSON array of table, key, column and value."""
        compute, begin = self._hmac, f"[{_quote(table)}, {_quote(key)}, "
        tags = {}
        for column, value in sorted(content.items()):
            text = f"{begin}{_quote(column)}, {'null' if value is None else _quote(value)}]"
            tags[column] = compute(text.encode())[:TAG_BYTES].hex()
        return tags

    def record(self, row: TouchedRow) -> dict[str, object]:
        """Record a row as a leaf holds it; one that is gone has no tags."""
        record: dict[str, object] = {"table": row.table, "key": row.key, "number": row.number}
        if row.content is not None:
            record["tags"] = self.tag(row.table, row.key, row.content)
        return record


def split_records(records: Sequence[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    """Split records into what one leaf holds."""
    piece: list[dict[str, object]] = []
    size = 0
    for record in records:
        length = _measure(record)
        if piece and (len(piece) == MAX_ROWS_IN_LEAF or size + length > MAX_RECORD_CHARACTERS):
            yield piece
            piece, size = [], 0
        piece.append(record)
        size += length
    if piece:
        yield piece


def _measure(record: Mapping[str, object]) -> int:
    """Count the characters of a record's JSON without writing it; at most two too many."""
    table, key, tags = str(record["table"]), str(record["key"]), record.get("tags")
    length = _FRAME + len(_quote(table)) + len(_quote(key)) + len(str(record["number"]))
    if isinstance(tags, dict):
        length += _TAGS_FRAME + sum([len(_quote(name)) for name in tags]) + len(tags) * _TAG_FRAME
    return length
