"""Any database that SQLAlchemy reaches: an engine, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import Field, SecretStr

from connectors.errors import ConfigurationError, TerminalError, TransientError
from connectors.optional import load_optional
from connectors.options import Options

EXTRA: Final = "sqlalchemy"


class EngineOptions(Options):
    """Where a database is: dialect+driver://user:password@host/database. The driver is installed apart."""

    url: SecretStr = Field(description="as SQLAlchemy wants it: oracle+oracledb://…, mssql+pymssql://…")


def open_engine(options: EngineOptions) -> Any:
    """Make an engine that keeps no connections. It connects to nothing yet. Raises ConfigurationError."""
    sqlalchemy = load_optional("sqlalchemy", extra=EXTRA)
    errors = load_optional("sqlalchemy.exc", extra=EXTRA)
    pool = load_optional("sqlalchemy.pool", extra=EXTRA).NullPool
    try:
        return sqlalchemy.create_engine(
            options.url.get_secret_value(), poolclass=pool, hide_parameters=True, future=True
        )
    except (errors.ArgumentError, errors.NoSuchModuleError, ImportError, ValueError) as wrong:
        msg = "url: SQLAlchemy knows no such dialect, or its driver is not installed"
        raise ConfigurationError(msg) from wrong


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn errors of SQLAlchemy and of drivers into ours, whose sentences hold no values."""
    errors = load_optional("sqlalchemy.exc", extra=EXTRA)
    try:
        yield
    except errors.NoSuchTableError as trouble:
        msg = f"there is no table {trouble}"
        raise TerminalError(msg) from None
    except errors.DBAPIError as trouble:
        kind = type(trouble.orig).__name__
        is_passing = trouble.connection_invalidated or isinstance(
            trouble, (errors.OperationalError, errors.InterfaceError)
        )
        if is_passing and not _is_about_names(str(trouble.orig)):
            msg = f"the database does not answer, or is busy ({kind})"
            raise TransientError(msg) from None
        msg = f"the database refuses the statement ({kind}); check table, columns, query and rights"
        raise TerminalError(msg) from None
    except errors.SQLAlchemyError as trouble:
        msg = f"SQLAlchemy cannot do this ({type(trouble).__name__})"
        raise TerminalError(msg) from None


def _is_about_names(said: str) -> bool:
    """Tell a wrong statement, which some drivers call operational, from a database that is away."""
    lowered = said.lower()
    return any(
        words in lowered
        for words in ("no such", "syntax error", "access denied", "authentication failed", "incomplete input")
    )
