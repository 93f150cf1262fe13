"""The words of change: what differs between two descriptions of a resource, and how much that matters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChangeKind(StrEnum):
    """What differs. The kinds below `RESOURCE_CHANGED` break somebody; see `BREAKING`."""

    ITEM_ADDED = "item_added"
    FORMAT_WIDENED = "format_widened"
    CODES_WIDENED = "codes_widened"
    REQUIREMENT_DROPPED = "requirement_dropped"
    CHECK_DROPPED = "check_dropped"
    SHARING_CHANGED = "sharing_changed"
    ITEM_DESCRIBED = "item_described"
    ITEMS_REORDERED = "items_reordered"
    RESOURCE_CHANGED = "resource_changed"
    ITEM_REMOVED = "item_removed"
    FORMAT_NARROWED = "format_narrowed"
    FORMAT_CHANGED = "format_changed"
    CODES_CHANGED = "codes_changed"
    CHECK_CHANGED = "check_changed"
    REQUIREMENT_ADDED = "requirement_added"
    SHARING_CLOSED = "sharing_closed"
    KEY_CHANGED = "key_changed"


BREAKING = frozenset(
    {
        ChangeKind.ITEM_REMOVED,
        ChangeKind.FORMAT_NARROWED,
        ChangeKind.FORMAT_CHANGED,
        ChangeKind.CODES_CHANGED,
        ChangeKind.CHECK_CHANGED,
        ChangeKind.REQUIREMENT_ADDED,
        ChangeKind.SHARING_CLOSED,
        ChangeKind.KEY_CHANGED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `item` is None where the resource as a whole is meant."""

    kind: ChangeKind
    field: str
    before: object
    after: object
    item: str | None = None

    @property
    def is_breaking(self) -> bool:
        """Whether rows, grants or readers of the old description may break on it."""
        return self.kind in BREAKING

    def render(self) -> dict[str, object]:
        """Render the difference as JSON."""
        return {
            "kind": str(self.kind),
            "item": self.item,
            "field": self.field,
            "before": self.before,
            "after": self.after,
            "breaking": self.is_breaking,
        }
