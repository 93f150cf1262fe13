"""Cursors: `version.sequence`, `@epoch` where the grant's filter has changed, and a sealed key after it.

The key is that of a row in a snapshot, in a replayed version or in an announcement. It may be a personal
number, and cursors travel in URLs that are written into access logs; so it is sealed (SM4-GCM) and bound to
the subscription.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

from core.errors import BadInput
from exchange.access.values import parse_value, render_value
from exchange.catalogue.model import Resource
from signing import sm4
from signing.errors import SigningError
from subscriptions.model import EPOCH_SEQUENCES, Announcing, Cursor, Key, Piece, Position

MAX_CURSOR_CHARACTERS = 8192
REPLAY = "replay"
ANNOUNCE = "announce"
_CURSOR = re.compile(
    r"((?:0|[1-9]\d{0,17})\.(?:0|[1-9]\d{0,17})(?:@[1-9]\d{0,8})?)(?:~([A-Za-z0-9_-]+))?", re.ASCII
)


class CursorSeal:
    """Writes and reads the cursors of one hub. `key` has 16 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, cursor: Cursor, *, subscription_id: UUID) -> str:
        """Write a cursor."""
        place = str(cursor.position) + (f"@{cursor.epoch}" if cursor.epoch else "")
        hidden = _hide(cursor)
        if hidden is None:
            return place
        plain = json.dumps(hidden).encode()
        sealed = sm4.seal_gcm(self._key, plain, associated_data=_bind(subscription_id, place))
        return f"{place}~{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def parse(self, text: str, *, subscription_id: UUID, resource: Resource) -> Cursor:
        """Read a cursor. Raises BadInput for what this hub did not write for this subscription."""
        found = _CURSOR.fullmatch(text) if len(text) <= MAX_CURSOR_CHARACTERS else None
        if found is None:
            raise _not_a_cursor()
        place, _, epoch = found[1].partition("@")
        cursor = Cursor(position=_read_position(place), epoch=int(epoch or 0))
        if found[2] is None:
            if cursor.position.sequence >= EPOCH_SEQUENCES:
                raise _not_a_cursor()
            return cursor
        try:
            sealed = base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
            bound = _bind(subscription_id, found[1])
            plain = json.loads(sm4.open_gcm(self._key, sealed, associated_data=bound))
        except (SigningError, binascii.Error, ValueError) as wrong:
            raise _not_a_cursor() from wrong
        return _show(cursor, plain, resource)


def _hide(cursor: Cursor) -> object:
    """Return what of a cursor is sealed; None where nothing is."""
    if cursor.announcing is not None:
        told = cursor.announcing
        pieces = [[piece.epoch, _write_key(piece.upto)] for piece in told.pieces]
        parts = [str(told.place), pieces, _write_key(told.replay_key), _write_key(told.reached)]
        return {ANNOUNCE: parts}
    if cursor.replay_key is not None:
        return {REPLAY: _write_key(cursor.replay_key)}
    return _write_key(cursor.snapshot_key)


def _show(cursor: Cursor, plain: Any, resource: Resource) -> Cursor:
    """Return a cursor with what was sealed of it."""
    if not isinstance(plain, dict):
        return replace(cursor, snapshot_key=_read_key(plain, resource))
    if REPLAY in plain:
        return replace(cursor, replay_key=_read_key(plain[REPLAY], resource))
    place, pieces, replay_key, reached = plain[ANNOUNCE]
    announcing = Announcing(
        place=_read_position(place),
        pieces=tuple(Piece(epoch=epoch, upto=_read_key(upto, resource)) for epoch, upto in pieces),
        replay_key=_read_key(replay_key, resource),
        reached=_read_key(reached, resource),
    )
    return replace(cursor, announcing=announcing)


def _read_position(text: str) -> Position:
    version, _, sequence = text.partition(".")
    return Position(version=int(version), sequence=int(sequence))


def _write_key(key: Key | None) -> list[object] | None:
    return None if key is None else [render_value(value) for value in key]


def _read_key(written: list[Any] | None, resource: Resource) -> Key | None:
    if written is None:
        return None
    return tuple(parse_value(item, value) for item, value in zip(resource.key_items, written, strict=True))


def _bind(subscription_id: UUID, place: str) -> bytes:
    return f"shuzheng-cursor/1 {subscription_id} {place}".encode()


def _not_a_cursor() -> BadInput:
    return BadInput("this is not a cursor of this subscription; hand back Shuzheng-Next-Cursor as it was")
