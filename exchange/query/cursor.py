"""The cursor of a page: the key of its last row, which the caller has been given anyway."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from core.errors import BadInput
from exchange.access.values import parse_value, render_value
from exchange.catalogue.model import Resource

MAX_CURSOR_CHARACTERS = 8192


def build_cursor(resource: Resource, row: Mapping[str, object]) -> str:
    """Write the key of `row`."""
    values = [render_value(row[item.name]) for item in resource.key_items]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def parse_cursor(resource: Resource, cursor: str) -> list[object]:
    """Read the key that a cursor stands for. Raises BadInput for anything else."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if len(cursor) <= MAX_CURSOR_CHARACTERS and isinstance(values, list):
            return [parse_value(item, value) for item, value in zip(resource.key_items, values, strict=True)]
    except (ValueError, binascii.Error, BadInput, RecursionError):
        pass
    msg = "after is not a cursor of this resource; hand back `next` of the page before as it was"
    raise BadInput(msg)
