"""Several writes in one statement: one round trip."""

from __future__ import annotations

from collections.abc import Sequence

from core.database.pool import Connection


class Writes:
    """Collects statements that write, and runs them as one.

    They are parts of one WITH: none sees what another writes but by its name, no two of them write the same
    row, and triggers and constraints come after all of them. Whoever writes a statement puts its values at
    the end of `parameters` and names them by their place there.
    """

    def __init__(self) -> None:
        self.parameters: list[object] = []
        self._statements: list[str] = []
        self._asked: list[str] = []

    def add(self, name: str, statement: str) -> None:
        """Add a statement under the name by which others may read what it returns."""
        self._statements.append(f"{name} AS ({statement})")

    def ask(self, expression: str) -> int:
        """Add an expression to what the whole returns; return its place in the answer."""
        self._asked.append(expression)
        return len(self._asked) - 1

    async def run(self, connection: Connection) -> Sequence[object]:
        """Run what was added, and return what was asked for."""
        row = await connection.fetchrow(
            f"WITH {', '.join(self._statements)} SELECT {', '.join(self._asked)}", *self.parameters
        )
        assert row is not None
        return tuple(row)
