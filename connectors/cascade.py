"""Cascade of catalogues: an entry of one hub registered at another, up or down, before its data follow.

The data follow by a connector with `kind = "hub"` on both sides; the entry is registered under the
organisation whose system calls, and stays a draft there where that is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.client import HubClient
from connectors.errors import Refused, TerminalError

DESCRIPTION: Final = (
    "code",
    "title",
    "summary",
    "theme",
    "update_cycle",
    "items",
    "metadata",
    "external_codes",
)
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What became of an entry: made now, or there before; `differing` names what the two say otherwise."""

    code: str
    is_new: bool
    differing: tuple[str, ...] = ()


def copy_entry(
    source: HubClient,
    target: HubClient,
    resource: str,
    *,
    code: str | None = None,
    items: Sequence[str] = (),
    draft: bool = False,
) -> Copied:
    """Register a resource's entry at another hub, as it stands at the first, and whose code it notes.

    `code` is another code for it there, `items` those that are granted (all, where none is named). An entry
    that is there already is compared, never changed: a catalogue is changed by its provider's own steps.
    Raises Refused, ConnectionFailed, and TerminalError for items that are not there.
    """
    entry = source.get(f"/v1/resources/{resource}")
    described = {name: entry[name] for name in DESCRIPTION} | {"code": code or entry["code"]}
    described["items"] = _choose_items(entry["items"], items)
    described["external_codes"] = {**entry["external_codes"], "upstream": entry["code"]}
    try:
        there = target.get(f"/v1/resources/{described['code']}")
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise
        target.post("/v1/resources", described | {"draft": draft})
        return Copied(code=described["code"], is_new=True)
    differing = tuple(name for name in DESCRIPTION if there[name] != described[name])
    return Copied(code=described["code"], is_new=False, differing=differing)


def _choose_items(items: list[dict[str, Any]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    if not wanted:
        return items
    if missing := sorted(set(wanted) - {item["name"] for item in items}):
        msg = f"the entry has no item {', '.join(missing)}"
        raise TerminalError(msg)
    return [item for item in items if item["name"] in set(wanted)]
