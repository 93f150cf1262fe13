"""Cursors: `version.sequence`, and in a snapshot or in a replayed version a sealed key after it.

The key of a snapshot row may be a personal number, and cursors travel in URLs that are written into access
logs; so it is sealed (SM4-GCM) and bound to the subscription.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from uuid import UUID

from core.errors import BadInput
from exchange.access.values import parse_value, render_value
from exchange.catalogue.model import Resource
from signing import sm4
from signing.errors import SigningError
from subscriptions.model import Cursor, Position

MAX_CURSOR_CHARACTERS = 8192
REPLAY = "replay"
_CURSOR = re.compile(r"(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})(?:~([A-Za-z0-9_-]+))?", re.ASCII)


class CursorSeal:
    """Writes and reads the cursors of one hub. `key` has 16 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, cursor: Cursor, *, subscription_id: UUID) -> str:
        """Write a cursor."""
        place = f"{cursor.position.version}.{cursor.position.sequence}"
        key = cursor.replay_key if cursor.snapshot_key is None else cursor.snapshot_key
        if key is None:
            return place
        values = [render_value(value) for value in key]
        plain = json.dumps(values if cursor.replay_key is None else {REPLAY: values}).encode()
        sealed = sm4.seal_gcm(self._key, plain, associated_data=_bind(subscription_id, place))
        return f"{place}~{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def parse(self, text: str, *, subscription_id: UUID, resource: Resource) -> Cursor:
        """Read a cursor. Raises BadInput for what this hub did not write for this subscription."""
        found = _CURSOR.fullmatch(text) if len(text) <= MAX_CURSOR_CHARACTERS else None
        if found is None:
            raise _not_a_cursor()
        position = Position(version=int(found[1]), sequence=int(found[2]))
        if found[3] is None:
            return Cursor(position=position)
        bound = _bind(subscription_id, f"{found[1]}.{found[2]}")
        try:
            sealed = base64.urlsafe_b64decode(found[3] + "=" * (-len(found[3]) % 4))
            plain = json.loads(sm4.open_gcm(self._key, sealed, associated_data=bound))
        except (SigningError, binascii.Error, ValueError) as wrong:
            raise _not_a_cursor() from wrong
        is_replay = isinstance(plain, dict)
        values = plain[REPLAY] if is_replay else plain
        key = tuple(parse_value(item, value) for item, value in zip(resource.key_items, values, strict=True))
        if is_replay:
            return Cursor(position=position, replay_key=key)
        return Cursor(position=position, snapshot_key=key)


def _bind(subscription_id: UUID, place: str) -> bytes:
    return f"shuzheng-cursor/1 {subscription_id} {place}".encode()


def _not_a_cursor() -> BadInput:
    return BadInput("this is not a cursor of this subscription; hand back Shuzheng-Next-Cursor as it was")
