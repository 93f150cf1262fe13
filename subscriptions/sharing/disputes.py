"""Marks on values under objection, in the description that comes with every answer of a share.

The files of a share are made once and hold rows alone; so the mark goes beside them, anew with each answer.
"""

from __future__ import annotations

from core.database import Connection
from exchange.access.model import Grant
from exchange.access.values import render_value
from exchange.catalogue.model import Resource
from exchange.objections.store_open import load_disputed_within
from subscriptions.sharing.view import View

Marks = tuple[dict[str, object], ...]


async def find_marks(connection: Connection, *, resource: Resource, grant: Grant, view: View) -> Marks:
    """List what is under objection in the present rows of a view: keys as the files show them, and items."""
    found = await load_disputed_within(
        connection, resource=resource, items=grant.open_items(resource), row_filter=view.row_filter
    )
    show = {name: view.masks.get(name, render_value) for name in view.keys}
    return tuple(
        {
            "key": {name: show[name](value) for name, value in zip(view.keys, key, strict=True)},
            "items": list(items),
        }
        for key, items in found.items()
    )
