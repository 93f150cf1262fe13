"""Any database with an ADBC driver: rows come as Arrow, and stay so."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

import pyarrow as pa
from pydantic import Field, SecretStr

from connectors.errors import ConfigurationError, ConnectorError, TerminalError, TransientError
from connectors.model import Batch, Cursor, SourceCapabilities
from connectors.optional import load_optional
from connectors.protocols import BaseSource
from connectors.sources.tables import (
    Dialect,
    TableOptions,
    build_select,
    build_unmarked_count,
    cursor_after,
    quote_standard,
    require_columns,
    require_marked,
)

_PASSING: Final = ("08", "40", "53", "57")
_STYLES: Final = {"qmark": lambda _: "?", "numeric": lambda number: f"${number}"}


class AdbcOptions(TableOptions):
    """The options of `kind = "adbc"`. `driver` is a package of Python that follows ADBC's DB-API."""

    driver: str = Field(
        pattern=r"^[A-Za-z0-9_]+$", description="as in adbc_driver_postgresql, adbc_driver_sqlite"
    )
    url: SecretStr = Field(description="as the driver wants it")
    parameters: str = Field(default="qmark", pattern="^(qmark|numeric)$", description="`?` or `$1`")


class AdbcSource(BaseSource):
    """Reads by a driver that is named. The newest rows of transactions still open can be missed by a
    watermark: give the query a bound that leaves them for later."""

    options_model = AdbcOptions

    def __init__(self, options: AdbcOptions) -> None:
        if find_spec(options.driver) is None:
            msg = f"source.driver: install the package of {options.driver}"
            raise ConfigurationError(msg)
        self._options = options
        self._dialect = Dialect(quote=quote_standard, parameter=_STYLES[options.parameters])
        self._driver = load_optional(f"{options.driver}.dbapi", extra="adbc")
        self._open: Any = None

    @property
    def capabilities(self) -> SourceCapabilities:
        """As the options say."""
        return self._options.capabilities

    def fetch_schema(self) -> pa.Schema:
        """Ask for the columns."""
        statement, _ = build_select(self._options, self._dialect, None)
        text = f"SELECT * FROM ({statement}) described WHERE 1 = 0"  # noqa: S608
        try:
            with self._connect().cursor() as found:
                found.execute(text)
                schema = found.fetch_record_batch().schema.remove_metadata()
        except self._driver.Error as trouble:
            raise _translate(trouble) from None
        require_columns(self._options, schema.names)
        return pa.schema([pa.field(field.name, _to_plain_type(field.type)) for field in schema])

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read on after the cursor, or everything."""
        options, schema = self._options, self.fetch_schema()
        statement, values = build_select(options, self._dialect, cursor)
        try:
            if options.watermark is not None:
                require_marked(self._count_unmarked(), options)
            with self._connect().cursor() as found:
                found.execute(statement, values or None)
                for whole in found.fetch_record_batch():
                    columns = [getattr(column, "storage", column) for column in whole.columns]
                    rows = pa.RecordBatch.from_arrays(columns, schema=schema)
                    for start in range(0, rows.num_rows, options.batch_rows):
                        part = rows.slice(start, options.batch_rows)
                        yield Batch(rows=part, cursor=cursor_after(options, part))
        except self._driver.Error as trouble:
            raise _translate(trouble) from None
        except (OSError, pa.ArrowException):
            msg = "the driver broke off while rows came"
            raise TransientError(msg) from None

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connect(self) -> Any:
        if self._open is None:
            self._open = self._driver.connect(self._options.url.get_secret_value())
        return self._open

    def _count_unmarked(self) -> int:
        with self._connect().cursor() as found:
            found.execute(build_unmarked_count(self._options, self._dialect))
            return int(found.fetchone()[0])


def _to_plain_type(kind: pa.DataType) -> pa.DataType:
    """Take a type that Arrow does not have for the one that it comes in: numeric comes as text."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _translate(trouble: Any) -> ConnectorError:
    """Tell what passes from what stays, by the SQLSTATE where there is one; values are not repeated."""
    state = str(getattr(trouble, "sqlstate", None) or "")
    code = getattr(getattr(trouble, "status_code", None), "name", type(trouble).__name__)
    if state.startswith(_PASSING) or (not state and code in {"IO", "TIMEOUT", "CANCELLED"}):
        return TransientError(f"the database does not answer, or is busy ({state or code})")
    return TerminalError(f"the database refuses the statement ({state or code}); check table, query and key")
