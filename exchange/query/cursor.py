"""The cursor of a page: the key of its last row, sealed (SM4-GCM) and bound to the grant of the page.

The key may be a personal number, and may be masked in the page itself.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from uuid import UUID

from core.errors import BadInput
from exchange.access.values import parse_value, render_value
from exchange.catalogue.model import Resource
from signing import sm4
from signing.errors import SigningError

MAX_CURSOR_CHARACTERS = 8192


class CursorSeal:
    """Writes and reads the cursors of one hub. `key` has at least 16 bytes, of which 16 are used."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:16]

    def build(self, resource: Resource, row: Mapping[str, object], *, grant_id: UUID) -> str:
        """Write the key of `row`."""
        values = [render_value(row[item.name]) for item in resource.key_items]
        sealed = sm4.seal_gcm(
            self._key, json.dumps(values).encode(), associated_data=_bind(resource.code, grant_id)
        )
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def parse(self, resource: Resource, cursor: str, *, grant_id: UUID) -> list[object]:
        """Read the key that a cursor stands for. Raises BadInput for what this hub did not write for it."""
        try:
            if len(cursor) <= MAX_CURSOR_CHARACTERS:
                sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
                values = json.loads(
                    sm4.open_gcm(self._key, sealed, associated_data=_bind(resource.code, grant_id))
                )
                return [
                    parse_value(item, value) for item, value in zip(resource.key_items, values, strict=True)
                ]
        except (SigningError, ValueError, binascii.Error, BadInput):
            pass
        msg = "after is not a cursor of this query; hand back `next` of the page before as it was"
        raise BadInput(msg)


def _bind(resource_code: str, grant_id: UUID) -> bytes:
    return f"shuzheng-query-cursor/1 {resource_code} {grant_id}".encode()
