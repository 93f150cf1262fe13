"""PostgreSQL through ADBC: the driver, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa

from connectors.errors import TerminalError, TransientError
from connectors.optional import load_optional

EXTRA: Final = "postgresql"
_PASSING: Final = ("08", "40", "53", "55P03", "55006", "57")
# What these classes say holds names of objects, and no values of rows.
_QUOTABLE: Final = ("28", "3D", "3F", "42", "55")


def load_driver() -> Any:
    """Load the driver. Raises ConfigurationError that says what to install."""
    return load_optional("adbc_driver_postgresql.dbapi", extra=EXTRA)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn the driver's errors into ours; values of rows never become part of a sentence."""
    try:
        yield
    except load_driver().Error as trouble:
        state = str(getattr(trouble, "sqlstate", None) or "")
        if not state:
            msg = "PostgreSQL does not answer, or the connection broke"
            raise TransientError(msg) from None
        said = str(trouble).partition("ERROR:")[2].partition("\n")[0].strip()
        quoted = f": {said}" if said and state.startswith(_QUOTABLE) else ""
        kind = TransientError if state.startswith(_PASSING) else TerminalError
        msg = f"PostgreSQL says {state}{quoted}"
        raise kind(msg) from None
    except (OSError, pa.ArrowException):
        msg = "the connection to PostgreSQL broke while rows came"
        raise TransientError(msg) from None
