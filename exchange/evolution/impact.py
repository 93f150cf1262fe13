"""Who breaks on a change: pure rules over grants, subscriptions and differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exchange.evolution.model import Broken, Follower, Reader
from exchange.revisions.model import Change, ChangeKind

# A reader breaks where an item is gone, closed, of another type, or coded by other codes. Narrower values and
# stricter rules trouble whoever publishes, not whoever reads.
BREAKS_READERS: Final = frozenset(
    {
        ChangeKind.ITEM_REMOVED,
        ChangeKind.FORMAT_CHANGED,
        ChangeKind.CODES_CHANGED,
        ChangeKind.SHARING_CLOSED,
    }
)


def find_broken(
    changes: Sequence[Change], readers: Sequence[Reader], followers: Sequence[Follower]
) -> list[Broken]:
    """List the grants that would break, each with what it breaks on, in the order of `readers`.

    Another key breaks everybody: rows are asked for, followed and verified by it.
    """
    found = []
    for reader in readers:
        hit = tuple(change for change in changes if _breaks(change, reader))
        if hit:
            following = tuple(f.id for f in followers if f.grant_id == reader.grant_id)
            found.append(Broken(reader=reader, changes=hit, subscriptions=following))
    return found


def _breaks(change: Change, reader: Reader) -> bool:
    if change.kind is ChangeKind.KEY_CHANGED:
        return True
    return change.kind in BREAKS_READERS and change.item in reader.items | reader.filter_items
