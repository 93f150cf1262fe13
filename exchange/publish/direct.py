"""The first load of a resource: rows go straight into its table, which is empty, not into a staging table.

It holds the lock of the resource from its first piece on, which others take to merge. Rows whose key may have
come before in the file are staged as ever, and judged against those that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.database import Connection
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Resource, RuleKind
from exchange.publish import store
from exchange.publish import store_staging as staging

MANY_ROWS: Final = 10_000
"""So many rows in the first piece make a load that is worth it."""
_NEEDS_STAGING: Final = frozenset({RuleKind.UNIQUE, RuleKind.REFERENCE})


@dataclass(slots=True)
class DirectLoad:
    """Rows that went straight into the table: under which version, and how many."""

    version: int
    rows: int = 0


def may_load_directly(resource: Resource, item_names: Sequence[str]) -> bool:
    """Tell whether rows of these items can do without staging: no rule looks at all of them together.

    Decimals cannot: PostgreSQL reads them from staged text.
    """
    kinds = (parse_format(item.format).kind for item in resource.items if item.name in item_names)
    return Kind.DECIMAL not in kinds and not any(rule.kind in _NEEDS_STAGING for rule in resource.rules)


async def begin_direct_load(connection: Connection, *, resource: Resource) -> DirectLoad | None:
    """Lock a resource and begin its next version; None where rows came in before the lock."""
    version, _ = await store.lock_resource(connection, resource=resource)
    if not await staging.is_empty(connection, code=resource.code):
        return None
    return DirectLoad(version=version + 1)
