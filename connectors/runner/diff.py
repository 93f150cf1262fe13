"""What changed since the last time, of a source that can only tell everything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa

from connectors.errors import TerminalError
from connectors.model import Batch, Operation
from connectors.runner import store
from connectors.runner.cutter import Digests
from connectors.runner.keys import digest_rows, plain_spelling, read_keys, require_key, write_keys

FEW: Final = 100
DELETED_ROWS: Final = 20_000


@dataclass(slots=True)
class Differ:
    """Compares a scan with the digests that are kept of each row under its key.

    A scan that is broken off begins anew; rows that were spooled meanwhile no longer differ.

    A hub reads full-width digits and outer blanks of a key away, so a row whose key was only spelt otherwise
    is to it the row that is gone: deleted, it has to be sent again (`respelt`, `take_again`).
    """

    connection: sqlite3.Connection
    key: tuple[str, ...]
    max_deleted_share: float
    respelt: set[str] = field(default_factory=set)
    _schema: pa.Schema | None = None

    def begin(self) -> None:
        """Begin a scan."""
        store.begin_scan(self.connection)

    def compare(self, batch: Batch) -> tuple[Batch, Digests]:
        """Keep the rows that are new or changed. Raises TerminalError where a key comes twice."""
        require_key(batch.rows.schema, self.key)
        self._schema = batch.rows.schema
        keys = write_keys(batch.rows, self.key)
        if store.note_seen(self.connection, keys) < len(keys):
            msg = f"several rows have one key; {', '.join(self.key)} does not tell them apart"
            raise TerminalError(msg)
        store.note_spellings(self.connection, [(plain_spelling(key), key) for key in keys])
        digests = digest_rows(batch.rows)
        known = store.load_digests(self.connection, keys)
        changed = [
            place
            for place, (key, digest) in enumerate(zip(keys, digests, strict=True))
            if known.get(key) != digest
        ]
        rows = batch.rows if len(changed) == len(keys) else batch.rows.take(pa.array(changed, pa.int64()))
        return replace(batch, rows=rows), [(keys[place], digests[place]) for place in changed]

    def find_deleted(self, schema: pa.Schema) -> Iterator[tuple[Batch, Digests]]:
        """Yield the rows that are gone. Raises TerminalError where they are more than the share allowed."""
        known, missing = store.count_missing(self.connection)
        if missing > FEW and missing > known * self.max_deleted_share:
            msg = (
                f"{missing} of {known} rows are gone, more than the share that run.max_deleted_share allows "
                f"({self.max_deleted_share}); nothing was deleted. Raise it for one run where that is meant"
            )
            raise TerminalError(msg)
        found = self._schema or schema
        keyed = pa.schema([found.field(name) for name in self.key])
        for keys in store.load_missing(self.connection, size=DELETED_ROWS):
            again = store.load_spellings(self.connection, [plain_spelling(key) for key in keys])
            self.respelt |= again
            yield (
                Batch(rows=read_keys(keys, keyed), operation=Operation.DELETE),
                [(key, None) for key in (*keys, *again)],
            )

    def take_again(self, batch: Batch) -> tuple[Batch, Digests]:
        """Keep the rows whose key spells that of a deleted one."""
        keys = write_keys(batch.rows, self.key)
        places = [place for place, key in enumerate(keys) if key in self.respelt]
        rows = batch.rows.take(pa.array(places, pa.int64()))
        digests = digest_rows(rows)
        return replace(batch, rows=rows), list(zip([keys[place] for place in places], digests, strict=True))
