"""What differs between two versions of an item's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evidence.rules.document import dump_item
from evidence.rules.model import Difference, ServiceItem
from evidence.rules.values import escape


def diff_items(before: ServiceItem, after: ServiceItem) -> list[Difference]:
    """List the places that differ. Parts with a code or a name are compared by it, not by their place.

    A pointer names such a part so: `/facts/lease/ways/0/resource`. Nothing is listed for a mere change of
    order among such parts.
    """
    return list(_diff(dump_item(before), dump_item(after), ""))


def _diff(before: object, after: object, pointer: str) -> Iterator[Difference]:
    old, new = _members(before), _members(after)
    if old is None or new is None:
        if before != after:
            yield Difference(pointer=pointer, before=before, after=after)
        return
    for name in (*old, *(name for name in new if name not in old)):
        yield from _diff(old.get(name), new.get(name), f"{pointer}/{escape(name)}")


def _members(node: object) -> Mapping[str, object] | None:
    if isinstance(node, dict):
        return node
    if isinstance(node, list) and all(isinstance(each, dict) for each in node):
        named = {str(each.get("code") or each.get("name") or n): each for n, each in enumerate(node)}
        return named if len(named) == len(node) else None
    return None
