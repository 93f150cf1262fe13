"""What differs between two descriptions of a resource. Items are the same where their names are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exchange.catalogue.formats import Format, Kind, parse_format
from exchange.catalogue.model import Item, Resource, ShareType
from exchange.catalogue.wire import describe, describe_item
from exchange.revisions.model import Change, ChangeKind

_JUDGED: Final = {"name", "format", "code_list", "check_rule", "is_required", "is_key", "share_type"}
_TEXTS: Final = {Kind.TEXT, Kind.DIGITS}


def compare(old: Resource, new: Resource) -> list[Change]:
    """List what differs, the resource first, then item by item in the old order, then what was added."""
    changes = list(_compare_whole(describe(old), describe(new)))
    for item in old.items:
        other = new.item(item.name)
        if other is None:
            changes.append(
                Change(
                    kind=ChangeKind.ITEM_REMOVED, field="items", item=item.name, before=item.title, after=None
                )
            )
        else:
            changes += compare_items(item, other)
    for item in new.items:
        if old.item(item.name) is None:
            kind = ChangeKind.KEY_CHANGED if item.is_key else ChangeKind.ITEM_ADDED
            if item.is_required and not item.is_key:
                kind = ChangeKind.REQUIREMENT_ADDED
            changes.append(Change(kind=kind, field="items", item=item.name, before=None, after=item.title))
    if _order(old, new) != _order(new, old):
        changes.append(
            Change(
                kind=ChangeKind.ITEMS_REORDERED,
                field="items",
                before=[item.name for item in old.items],
                after=[item.name for item in new.items],
            )
        )
    return changes


def _order(one: Resource, other: Resource) -> list[str]:
    return [item.name for item in one.items if other.item(item.name) is not None]


def _compare_whole(before: dict[str, object], after: dict[str, object]) -> Iterator[Change]:
    was, now = _flatten(before), _flatten(after)
    for field in sorted(was.keys() | now.keys()):
        if was.get(field) != now.get(field):
            yield Change(
                kind=ChangeKind.RESOURCE_CHANGED, field=field, before=was.get(field), after=now.get(field)
            )


def _flatten(description: dict[str, object]) -> dict[str, object]:
    """Lay metadata and external codes beside the other fields; items and the code are left out."""
    flat: dict[str, object] = {}
    for name, value in description.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": each for inner, each in value.items()}
        elif name not in {"items", "code"}:
            flat[name] = value
    return flat


def compare_items(old: Item, new: Item) -> list[Change]:
    """List what differs between two items of one name."""
    found: list[tuple[ChangeKind, str]] = []
    if old.format != new.format:
        found.append((judge_formats(parse_format(old.format), parse_format(new.format)), "format"))
    if old.code_list != new.code_list:
        found.append((_judge_codes(old, new), "code_list"))
    if old.check_rule != new.check_rule:
        kind = ChangeKind.CHECK_DROPPED if new.check_rule is None else ChangeKind.CHECK_CHANGED
        found.append((kind, "check_rule"))
    if old.is_required != new.is_required:
        kind = ChangeKind.REQUIREMENT_ADDED if new.is_required else ChangeKind.REQUIREMENT_DROPPED
        found.append((kind, "is_required"))
    if old.is_key != new.is_key:
        found.append((ChangeKind.KEY_CHANGED, "is_key"))
    if old.share_type is not new.share_type:
        closed = new.share_type is ShareType.NOT_SHARED
        found.append((ChangeKind.SHARING_CLOSED if closed else ChangeKind.SHARING_CHANGED, "share_type"))
    before, after = describe_item(old), describe_item(new)
    found += [
        (ChangeKind.ITEM_DESCRIBED, field)
        for field in before
        if field not in _JUDGED and before[field] != after[field]
    ]
    return [
        Change(kind=kind, field=field, item=old.name, before=before[field], after=after[field])
        for kind, field in found
    ]


def judge_formats(old: Format, new: Format) -> ChangeKind:
    """Judge a change of format: widened where every value of the old one is one of the new in the same bytes.

    A decimal with another scale is written otherwise, so it counts as changed.
    """
    if old.kind is not new.kind:
        widened = old.kind is Kind.DIGITS and new.kind is Kind.TEXT
        return _by_length(old, new) if widened else ChangeKind.FORMAT_CHANGED
    if old.kind in _TEXTS:
        return _by_length(old, new)
    if old.scale != new.scale:
        return ChangeKind.FORMAT_CHANGED
    return ChangeKind.FORMAT_WIDENED if old.precision <= new.precision else ChangeKind.FORMAT_NARROWED


def _by_length(old: Format, new: Format) -> ChangeKind:
    holds = new.min_characters <= old.min_characters and old.max_characters <= new.max_characters
    return ChangeKind.FORMAT_WIDENED if holds else ChangeKind.FORMAT_NARROWED


def _judge_codes(old: Item, new: Item) -> ChangeKind:
    if new.code_list is None:
        return ChangeKind.CODES_WIDENED
    before = {(each.code, each.title) for each in old.codes}
    if old.code_list is not None and before <= {(each.code, each.title) for each in new.codes}:
        return ChangeKind.CODES_WIDENED
    return ChangeKind.CODES_CHANGED
