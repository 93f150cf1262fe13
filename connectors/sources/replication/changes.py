"""What changes in the log mean for the rows of one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.errors import TerminalError
from connectors.sources.replication.pgoutput import Change, Relation, Truncate, Unchanged, Values
from connectors.sources.replication.store import Server, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row to merge, or the key of one to delete; values are text."""

    values: Mapping[str, str | None]
    is_delete: bool = False


class ChangeReader:
    """Turns changes of one table into rows."""

    def __init__(self, server: Server, table: Table, *, key: Sequence[str]) -> None:
        self._server = server
        self._table = table
        self._key = tuple(key)
        self._relation: Relation | None = None

    def learn(self, relation: Relation) -> None:
        """Learn what the table looks like from here on in the log."""
        if relation.oid == self._table.oid:
            self._relation = relation

    def read(self, message: Change | Truncate) -> Iterator[Row]:
        """Return the rows of a change; none where it is another table's. Raises TerminalError."""
        if isinstance(message, Truncate):
            self._require_not_emptied(message)
        elif message.relation == self._table.oid:
            yield from self._read(message, self._require_fit())

    def _read(self, change: Change, relation: Relation) -> Iterator[Row]:
        old = None if change.old is None else self._take_key(relation, change.old)
        if change.new is None:
            yield Row(values=old or {}, is_delete=True)
            return
        new = dict(zip((column.name for column in relation.columns), change.new, strict=True))
        key = self._take_key(relation, change.new)
        if old is not None and old != key:
            yield Row(values=old, is_delete=True)
        filled = self._fill(new, key, change, relation)
        if filled is not None:
            yield Row(values=filled)

    def _fill(
        self,
        new: Mapping[str, str | Unchanged | None],
        key: Mapping[str, str],
        change: Change,
        relation: Relation,
    ) -> Mapping[str, str | None] | None:
        """Find the values that the message leaves out; None where the row is gone, as its delete follows."""
        absent = [name for name, value in new.items() if isinstance(value, Unchanged)]
        found: dict[str, str | Unchanged | None] = {}
        if absent and change.is_old_whole and change.old is not None:
            found = dict(zip((column.name for column in relation.columns), change.old, strict=True))
        elif absent:
            row = self._server.fetch_row(absent, dict(key))
            if row is None:
                return None
            found = dict(zip(absent, row, strict=True))
        whole = {**new, **{name: found[name] for name in absent}}
        return {name: value for name, value in whole.items() if not isinstance(value, Unchanged)}

    def _take_key(self, relation: Relation, values: Values) -> dict[str, str]:
        named = dict(zip((column.name for column in relation.columns), values, strict=True))
        key: dict[str, str] = {}
        for name in self._key:
            value = named[name]
            if not isinstance(value, str):
                msg = f"a change has no value in {name}, which `key` names; is it in the replica identity?"
                raise TerminalError(msg)
            key[name] = value
        return key

    def _require_fit(self) -> Relation:
        """Raises TerminalError where the table was altered since the change was made."""
        relation = self._relation
        if relation is None:
            msg = "the log has a change before the description of its table"
            raise TerminalError(msg)
        if {(column.name, column.type_oid) for column in relation.columns} != set(self._table.columns):
            msg = (
                "columns of the table were changed after these changes were made, so that they cannot be "
                "told as rows of it; `connector reset` copies the table anew"
            )
            raise TerminalError(msg)
        identity = {column.name for column in relation.columns if column.is_key}
        if not set(self._key) <= identity:
            msg = f"`key` is not in the table's replica identity ({', '.join(sorted(identity)) or 'none'})"
            raise TerminalError(msg)
        return relation

    def _require_not_emptied(self, message: Truncate) -> None:
        if self._table.oid in message.relations:
            msg = (
                "the table was emptied by TRUNCATE, which tells no rows; `connector reset` copies what is "
                "there now, and what is gone has to be deleted at the sink"
            )
            raise TerminalError(msg)
