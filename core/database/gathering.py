"""Several readings in one statement: one snapshot, one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from core.database.pool import Connection

Row = asyncpg.Record | tuple[Any, ...]


class Gathering:
    """Collects statements that select rows, and runs them as one.

    Whoever writes a statement puts its values at the end of `parameters` and names them by their place there.
    Rows come back as sequences, their columns in the statement's order.
    """

    def __init__(self) -> None:
        self.parameters: list[object] = []
        self._statements: list[str] = []

    def place(self, value: object) -> str:
        """Add a value and return the placeholder that stands for it."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def add(self, statement: str) -> int:
        """Add a statement whose placeholders are places in `parameters`; return its number in the answer."""
        self._statements.append(statement)
        return len(self._statements) - 1

    async def run(self, connection: Connection) -> list[Sequence[Row]]:
        """Run what was added, and return the rows of each statement."""
        if len(self._statements) <= 1:
            return [await connection.fetch(each, *self.parameters) for each in self._statements]
        # Rows of one union, not arrays of records: the type of those asyncpg has to look up in the catalogue.
        rows = await connection.fetch(
            " UNION ALL ".join(
                f"SELECT {n}, ROW(p.*) FROM ({statement}) p"  # noqa: S608
                for n, statement in enumerate(self._statements)
            ),
            *self.parameters,
        )
        found: list[list[Row]] = [[] for _ in self._statements]
        for number, row in rows:
            found[number].append(row)
        return list(found)
