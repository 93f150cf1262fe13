"""MySQL and MariaDB for connectors: the options of a connection, and what the errors mean."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr

from connectors.errors import TerminalError, TransientError
from connectors.optional import load_optional
from connectors.options import Options

EXTRA: Final = "mysql"
TIMEOUT_S: Final = 60
# Too many connections, shutdown, lock waits, deadlocks, read-only while a replica takes over.
_PASSING: Final = {1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927}
# What these say holds names of objects, and no values of rows.
_QUOTABLE: Final = {1044, 1046, 1049, 1054, 1064, 1066, 1103, 1142, 1143, 1146, 1370}


class Tls(StrEnum):
    """How the line is kept."""

    VERIFY = "verify"  # encrypted, the server's certificate checked
    REQUIRE = "require"  # encrypted, whoever answers
    DISABLE = "disable"  # in the clear: for loopback and networks of one's own


class ServerOptions(Options):
    """Where a server is, and who asks."""

    host: str = "127.0.0.1"
    port: int = Field(default=3306, ge=1, le=65535)
    database: str
    user: str
    password: SecretStr
    tls: Tls = Field(default=Tls.VERIFY, description="verify, require or disable")
    ca_file: Path | None = Field(default=None, description="certificates to check the server by")


def connect(options: ServerOptions, **more: Any) -> Any:
    """Connect, in utf8mb4 and strict mode. Raises TransientError, TerminalError, ConfigurationError."""
    pymysql = load_optional("pymysql", extra=EXTRA)
    with told_plainly():
        return pymysql.connect(
            host=options.host,
            port=options.port,
            user=options.user,
            password=options.password.get_secret_value(),
            database=options.database,
            charset="utf8mb4",
            sql_mode="STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO",
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S * 10,
            write_timeout=TIMEOUT_S * 10,
            ssl=_build_context(options),
            **more,
        )


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    errors = load_optional("pymysql.err", extra=EXTRA)
    try:
        yield
    except errors.MySQLError as trouble:
        number = trouble.args[0] if trouble.args and isinstance(trouble.args[0], int) else 0
        said = f": {trouble.args[1]}" if number in _QUOTABLE and len(trouble.args) > 1 else ""
        is_passing = number in _PASSING or number == 0 or 2000 <= number < 3000
        kind = TransientError if is_passing else TerminalError
        msg = f"the server says {number}{said}" if number else "the connection to the server broke"
        raise kind(msg) from None


def quote(name: str) -> str:
    """Quote an identifier in backticks, those within doubled."""
    if "\x00" in name:
        msg = "a name cannot hold a NUL character"
        raise TerminalError(msg)
    return "`" + name.replace("`", "``") + "`"


def _build_context(options: ServerOptions) -> ssl.SSLContext | None:
    if options.tls is Tls.DISABLE:
        return None
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except OSError as trouble:
        msg = f"ca_file: {options.ca_file} holds no certificates that can be read"
        raise TerminalError(msg) from trouble
    if options.tls is Tls.REQUIRE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
