"""A table, view or query of MySQL or MariaDB, streamed in full or by a watermark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pyarrow as pa
from pydantic import Field

from connectors.model import Batch, Cursor, SourceCapabilities
from connectors.mysql import EXTRA, ServerOptions, connect, quote, told_plainly
from connectors.optional import load_optional
from connectors.protocols import BaseSource
from connectors.sources.rows import build_batch
from connectors.sources.tables import (
    Dialect,
    TableOptions,
    build_select,
    build_unmarked_count,
    cursor_after,
    require_columns,
    require_marked,
)

BINARY_CHARSET: Final = 63
NOT_PERMITTED: Final = 1227
UNSIGNED_FLAG: Final = 32
MAX_SMALL_DECIMAL: Final = 38


class MysqlOptions(ServerOptions, TableOptions):
    """The options of `kind = "mysql"`.

    A transaction that is open while we read may commit rows with a watermark that we have passed: rows whose
    watermark, a time, is younger than `settle_s` by the server's clock are left for the next read, and so are
    those not older than the oldest transaction that has written. Only a role with the right PROCESS sees
    those of others: without it `settle_s` must be longer than the longest of them. A watermark of numbers has
    no such guard.
    """

    settle_s: int = Field(default=5, ge=0, description="0 leaves nothing for later")
    time_zone: str | None = Field(
        default=None, pattern=r"^[+-]\d\d:\d\d$", description="of the times, as in +08:00; else the server's"
    )


class MysqlSource(BaseSource):
    """Reads rows as they come over the line; nothing is held but a batch."""

    options_model = MysqlOptions

    def __init__(self, options: MysqlOptions) -> None:
        self._options = options
        self._open: Any = None

    @property
    def capabilities(self) -> SourceCapabilities:
        """As the options say."""
        return self._options.capabilities

    def fetch_schema(self) -> pa.Schema:
        """Ask for the columns. Times come as they stand there, without a zone."""
        statement, _ = build_select(self._options, DIALECT, None)
        with told_plainly(), self._connect().cursor() as found:
            found.execute(f"SELECT * FROM ({statement}) described LIMIT 0")  # noqa: S608
            fields = list(found._result.fields)
        require_columns(self._options, [field.name for field in fields])
        return pa.schema([(field.name, _arrow_type(field)) for field in fields])

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read on after the cursor, or everything, in one statement and so as of one moment."""
        options, schema = self._options, self.fetch_schema()
        streaming = load_optional("pymysql.cursors", extra=EXTRA).SSCursor
        with told_plainly():
            statement, values = build_select(options, DIALECT, cursor, bound=self._bound(schema))
            if options.watermark is not None:
                require_marked(self._count_unmarked(), options)
            found = self._connect().cursor(streaming)
            try:
                found.execute(statement.replace("%", "%%").replace(_HOLE, "%s"), values)
                while rows := found.fetchmany(options.batch_rows):
                    batch = build_batch(rows, schema)
                    yield Batch(rows=batch, cursor=cursor_after(options, batch))
            except BaseException:
                if found._result is not None:
                    found._result.unbuffered_active = False  # the rest of the rows is not wanted
                self.close()
                raise
            found.close()

    def close(self) -> None:
        """Close the connection, in the middle of rows too."""
        if self._open is not None:
            self._open._force_close()
            self._open = None

    def _connect(self) -> Any:
        if self._open is None:
            zone = self._options.time_zone
            command = f"SET SESSION time_zone = '{zone}'" if zone else None
            self._open = connect(self._options, autocommit=True, init_command=command)
        return self._open

    def _count_unmarked(self) -> int:
        with self._connect().cursor() as found:
            found.execute(build_unmarked_count(self._options, DIALECT))
            return int(found.fetchone()[0])

    def _bound(self, schema: pa.Schema) -> str:
        """Write the condition that leaves out what open transactions may still add to."""
        watermark, settle_s = self._options.watermark, self._options.settle_s
        if watermark is None or not settle_s or not pa.types.is_temporal(schema.field(watermark).type):
            return ""
        with self._connect().cursor() as found:
            found.execute("SELECT now(6)")
            (now,) = found.fetchone()
            age_s = self._find_oldest_writer(found)
        # The age is of whole seconds, and taken after the time: so it is never too small.
        settled = now - timedelta(seconds=max(settle_s, age_s + 1))
        return f"{quote(watermark)} < '{settled.isoformat(sep=' ')}'"

    def _find_oldest_writer(self, found: Any) -> int:
        """Return the age of the oldest transaction that has written, in seconds; 0 where we may not see it.

        The server tells its start by the clock of the system, whatever the zone of the session.
        """
        refused = load_optional("pymysql.err", extra=EXTRA).OperationalError
        try:
            found.execute(
                "SELECT coalesce(max(timestampdiff(SECOND, trx_started,"
                " convert_tz(now(), @@session.time_zone, 'SYSTEM'))), 0) FROM information_schema.innodb_trx"
                " WHERE trx_rows_modified > 0 AND trx_mysql_thread_id <> connection_id()"
            )
        except refused as trouble:
            if trouble.args[0] != NOT_PERMITTED:
                raise
            return 0
        return int(found.fetchone()[0])


# The driver reads `%` of a statement with parameters as its own, so those of names and queries are doubled.
_HOLE: Final = "\x00"
DIALECT: Final = Dialect(quote=quote, parameter=lambda _: _HOLE)


_PLAIN: Final = {
    **dict.fromkeys(("TINY", "SHORT", "INT24", "LONG", "LONGLONG", "YEAR"), pa.int64()),
    **dict.fromkeys(("FLOAT", "DOUBLE"), pa.float64()),
    **dict.fromkeys(("DATETIME", "TIMESTAMP"), pa.timestamp("us")),
    **dict.fromkeys(("DATE", "NEWDATE"), pa.date32()),
    **dict.fromkeys(("BIT", "GEOMETRY"), pa.binary()),
}
_TEXTS: Final = ("VARCHAR", "VAR_STRING", "STRING", "BLOB", "TINY_BLOB", "MEDIUM_BLOB", "LONG_BLOB")


def _arrow_type(field: Any) -> pa.DataType:
    kinds = load_optional("pymysql.constants.FIELD_TYPE", extra=EXTRA)
    if field.type_code in {kinds.DECIMAL, kinds.NEWDECIMAL}:
        wide = field.length - 2 > MAX_SMALL_DECIMAL
        return pa.decimal256(76, field.scale) if wide else pa.decimal128(MAX_SMALL_DECIMAL, field.scale)
    if field.type_code == kinds.LONGLONG and field.flags & UNSIGNED_FLAG:
        return pa.uint64()
    if field.charsetnr == BINARY_CHARSET and field.type_code in {getattr(kinds, name) for name in _TEXTS}:
        return pa.binary()
    found = (kind for name, kind in _PLAIN.items() if getattr(kinds, name) == field.type_code)
    return next(found, pa.string())
