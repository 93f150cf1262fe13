"""Announcing what a change of a grant's row filter took back or added, from where each reader is.

A row that left the filter because the grant changed is told as a delete, one that entered it as an insert:
once, by key, after what the reader was shown and before all that follows. The cursor says under which filters
rows were shown up to there, so that a filter that changes again in the middle of it is announced as rightly.
"""

from __future__ import annotations

from dataclasses import replace

from core.errors import Conflict
from subscriptions.ground import Ground
from subscriptions.model import EPOCH_SEQUENCES, Announcing, Cursor, Piece, Position


def begin_announcing(ground: Ground, cursor: Cursor) -> Cursor | None:
    """Return the cursor at which announcing begins or goes on; None where nothing is to be announced."""
    epoch = find_epoch(ground, cursor)
    if epoch == ground.epoch:
        return cursor if cursor.announcing is not None else None
    begun = _find_shown(ground, cursor, epoch)
    if begun is None:
        return None
    position = cursor.position
    if not _in_snapshot(ground, begun):
        version = begun.place.version - (begun.place.sequence == 0)
        position = Position(version=version, sequence=ground.epoch * EPOCH_SEQUENCES)
    return Cursor(position=position, epoch=ground.epoch, announcing=begun)


def find_epoch(ground: Ground, cursor: Cursor) -> int:
    """Return under which filter a reader was shown what lies before its cursor.

    What is not sealed may be made up; so no version counts as shown under a filter that ended before it.
    """
    epoch = cursor.epoch
    if cursor.snapshot_key is not None or cursor.replay_key is not None or cursor.announcing is not None:
        return epoch
    newest = cursor.position.version - (cursor.position.sequence == 0)
    while epoch < ground.epoch and newest > ground.past_filters[epoch].until_version:
        epoch += 1
    return epoch


def _find_shown(ground: Ground, cursor: Cursor, epoch: int) -> Announcing | None:
    was = cursor.announcing
    if was is not None:
        told = () if was.reached is None else (Piece(epoch=epoch, upto=was.reached),)
        return replace(was, pieces=(*told, *was.pieces), reached=None)
    if cursor.snapshot_key is None and cursor.position.version == ground.consumer.snapshot_version:
        return None
    pieces = (Piece(epoch=epoch, upto=cursor.snapshot_key),)
    return Announcing(place=cursor.position, pieces=pieces, replay_key=cursor.replay_key)


def end_announcing(ground: Ground, cursor: Cursor, last: Position) -> Cursor:
    """Return the cursor after an announcement whose last row, if any, is at `last`."""
    told = cursor.announcing
    assert told is not None
    if _in_snapshot(ground, told):
        return Cursor(position=last, snapshot_key=told.pieces[-1].upto, epoch=ground.epoch)
    after = Position(version=told.place.version + (told.place.sequence > 0), sequence=0)
    return Cursor(position=after, epoch=ground.epoch)


def verify_told(ground: Ground, told: Announcing) -> None:
    """Let an announcement pass whose rows the change log can still tell. Raises Conflict.

    Consumers in force hold the change log back, so that only who reads old versions out of the lake while the
    grant changes is refused.
    """
    oldest, needed = ground.oldest_kept, told.place.version
    if _in_snapshot(ground, told):
        needed += 1
    is_kept = needed > ground.resource.current_version or (oldest is not None and oldest <= needed)
    if is_kept and told.replay_key is None:
        return
    msg = (
        "the grant's row filter changed, and the change log no longer keeps what it takes to tell from here"
        " what left it; rewind the consumer to `start`"
    )
    raise Conflict(msg)


def _in_snapshot(ground: Ground, told: Announcing) -> bool:
    return told.pieces[-1].upto is not None and told.place.version == ground.consumer.snapshot_version
