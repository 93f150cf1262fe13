"""Comparing recorded tables with the leaves that record their rows: row by row, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.database import Connection
from core.log import store_rows
from core.log.findings import Findings
from core.log.recorded_rows import RecordedTable, RowTagger

# A row's tags by column with the number of the record that each is from; None for a row that is gone.
_Known = dict[str, tuple[int, bytes]]


async def check_recorded_tables(
    connection: Connection,
    tables: Sequence[RecordedTable],
    *,
    tagger: RowTagger,
    mask: Callable[[str], str],
    findings: Findings,
) -> None:
    """Compare all tables that a leaf has adopted; a hub that has adopted none yet has nothing to compare."""
    adopted = store_rows.read_adopted(await store_rows.load_adoptions(connection))
    for table in tables:
        if table.name in adopted:
            check = _TableCheck(table, adopted[table.name] - table.passing, tagger, mask, findings)
            await check.run(connection)


class _TableCheck:
    def __init__(
        self,
        table: RecordedTable,
        columns: set[str],
        tagger: RowTagger,
        mask: Callable[[str], str],
        findings: Findings,
    ) -> None:
        self._table = table
        self._columns = columns
        self._tagger = tagger
        self._mask = mask
        self._findings = findings
        self._tags: dict[str, _Known] = {}
        self._gone: dict[str, int] = {}

    async def run(self, connection: Connection) -> None:
        """Compare the table; what is left over at the end is missing."""
        async for key, number, tags in store_rows.read_records(connection, table=self._table.name):
            self._note(key, number, tags)
        async for key, content in store_rows.read_rows(connection, table=self._table):
            self._compare(key, content)
        for key, known in self._tags.items():
            if max(number for number, _ in known.values()) > self._gone.get(key, 0):
                self._add(key, "the row is missing")

    def _note(self, key: str, number: int, tags: Mapping[str, str] | None) -> None:
        if tags is None:
            self._gone[key] = max(number, self._gone.get(key, 0))
            return
        known = self._tags.setdefault(key, {})
        for column, tag in tags.items():
            if column in self._columns and number > known.get(column, (0, b""))[0]:
                known[column] = (number, bytes.fromhex(tag))

    def _compare(self, key: str, content: Mapping[str, Any]) -> None:
        masked = self._mask(key)
        known = self._tags.pop(masked, {})
        gone = self._gone.get(masked, 0)
        last = {column: tag for column, (number, tag) in known.items() if number > gone}
        if not last:
            self._add(key, "no leaf records this row")
            return
        kept = {column: value for column, value in content.items() if column in self._columns}
        made = self._tagger.tag(self._table.name, key, kept)
        wrong = [column for column, tag in made.items() if last.get(column) != bytes.fromhex(tag)]
        if wrong:
            self._add(key, f"{', '.join(wrong)} is not what the last leaf about the row records")

    def _add(self, key: str, problem: str) -> None:
        self._findings.add_row(self._table.name, f"{','.join(self._table.key)}={key}", problem)
