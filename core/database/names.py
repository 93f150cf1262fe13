"""Names of tables and columns that come from users, quoted in one place."""

from __future__ import annotations

import re
from functools import lru_cache

from core.errors import BadInput

MAX_NAME_BYTES = 63
_RESOURCE_CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
_ITEM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})  # PostgreSQL 5.6


@lru_cache(maxsize=4096)
def quote_name(name: str) -> str:
    """Quote an SQL identifier so that any text stays a name (PostgreSQL 4.1.1).

    Raises BadInput for names that PostgreSQL cannot hold: empty, over 63 bytes of UTF-8, or with NUL.
    """
    if not name or "\x00" in name or len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        msg = "a name must have 1 to 63 bytes and no NUL"
        raise BadInput(msg)
    return '"' + name.replace('"', '""') + '"'


def check_resource_code(code: str) -> str:
    """Return `code` if it may name a resource: a small letter, then small letters, digits and `_`, 2–40."""
    if not _RESOURCE_CODE.fullmatch(code):
        msg = "a resource code has 2 to 40 characters: small letters, digits and _, beginning with a letter"
        raise BadInput(msg)
    return code


def check_item_name(name: str) -> str:
    """Return `name` if it may name an item: a letter, then letters, digits and `_`, at most 60."""
    if not _ITEM_NAME.fullmatch(name):
        msg = "an item name has 1 to 60 characters: letters, digits and _, beginning with a letter"
        raise BadInput(msg)
    if name in _SYSTEM_COLUMNS:
        msg = f"an item cannot be named {name}, as the database names a column of its own so"
        raise BadInput(msg)
    return name
