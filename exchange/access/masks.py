"""Masks (脱敏): how an item is shown, by grant and purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.caller import OrganisationCode
from core.errors import FieldError
from exchange.access.addresses import parse_address
from exchange.access.model import ANY_SERVICE_ITEM, MasksJson, Terms
from exchange.access.values import render_value
from exchange.catalogue.model import Resource
from signing import sm3

MAXKEPT_CHARACTERS = 100
STAR: Final = "*"


class MaskKind(StrEnum):
    """The masks that have a name; others keep given numbers of characters."""

    NONE = "none"
    NAME = "name"
    ID_NUMBER = "id_number"
    PHONE = "phone"
    ADDRESS = "address"
    FULL = "full"
    HASH = "hash"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """One mask. `keep_first` and `keep_last` count characters, for KEEP only."""

    kind: MaskKind
    keep_first: int = 0
    keep_last: int = 0


KEPT = {MaskKind.ID_NUMBER: (3, 4), MaskKind.PHONE: (3, 4)}


def assess_masks(resource: Resource, masks: Mapping[str, object], *, pointer: str) -> list[FieldError]:
    """Check masks: item → service item → mask; return every error with its pointer."""
    errors = []
    for name, by_service in masks.items():
        place = f"{pointer}/{name[:60].replace('~', '~0').replace('/', '~1')}"
        if resource.item(name) is None:
            detail = "the resource has no item of this name"
            errors.append(FieldError(pointer=place, code="UNKNOWN-ITEM", detail=detail))
        if not isinstance(by_service, Mapping) or not by_service:
            detail = 'an object of service items (or "*") and their masks'
            errors.append(FieldError(pointer=place, code="FORM", detail=detail))
            continue
        if any(not key or len(key) > 128 or not key.isprintable() for key in by_service):
            detail = "a service item has 1 to 128 printable characters"
            errors.append(FieldError(pointer=place, code="SERVICE-ITEM", detail=detail))
        if any(parse_mask(mask) is None for mask in by_service.values()):
            known = ", ".join(sorted(set(MaskKind) - {MaskKind.KEEP}))
            detail = f"a mask is one of {known}, or an object with keep_first and keep_last"
            errors.append(FieldError(pointer=place, code="MASK", detail=detail))
    return errors


def parse_mask(written: object) -> Mask | None:
    """Read a mask; None for what is none."""
    if isinstance(written, str) and written in set(MaskKind) - {MaskKind.KEEP}:
        return Mask(kind=MaskKind(written))
    if not isinstance(written, Mapping) or not written or set(written) - {"keep_first", "keep_last"}:
        return None
    first, last = written.get("keep_first", 0), written.get("keep_last", 0)
    if any(type(n) is not int or not 0 <= n <= MAXKEPT_CHARACTERS for n in (first, last)):
        return None
    return Mask(kind=MaskKind.KEEP, keep_first=first, keep_last=last)


def choose_masks(terms: Terms, rules: MasksJson, *, service_item: str) -> dict[str, Mask]:
    """Return the mask of each item that is masked under these terms for this service item.

    The grant's own mask of an item comes first, then the resource's rule; in each the service item's own
    mask, then that for all others.
    """
    if not terms.masks and not rules:
        return {}
    chosen = {}
    for item in {*terms.masks, *rules}:
        written = [
            masks[key]
            for masks in (terms.masks.get(item, {}), rules.get(item, {}))
            for key in (service_item, ANY_SERVICE_ITEM)
            if key in masks
        ]
        mask = parse_mask(written[0]) if written else None
        if mask is not None and mask.kind is not MaskKind.NONE:
            chosen[item] = mask
    return chosen


class Masker:
    """Applies masks. `key` is the hub's; each consumer's hash key is derived from it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def choose(
        self, terms: Terms, rules: MasksJson, *, service_item: str, organisation_code: OrganisationCode
    ) -> dict[str, Callable[[object], str | None]]:
        """Return what to do with each masked item under these terms for this service item."""
        masks = choose_masks(terms, rules, service_item=service_item)
        return {item: self._bind(mask, item, organisation_code) for item, mask in masks.items()}

    def _bind(
        self, mask: Mask, item: str, organisation_code: OrganisationCode
    ) -> Callable[[object], str | None]:
        key = sm3.hmac(self._key, organisation_code.encode()) if mask.kind is MaskKind.HASH else b""

        def hide(value: object) -> str | None:
            rendered = render_value(value)
            if rendered is None:
                return None
            text = str(rendered)
            if mask.kind is MaskKind.HASH:
                return sm3.hmac(key, f"{item}\x00{text}".encode()).hex()
            return mask_text(mask, text)

        return hide


def mask_text(mask: Mask, text: str) -> str:
    """Hide the characters of `text` that a mask hides; the length stays, but for names and addresses."""
    if mask.kind is MaskKind.FULL:
        return STAR * 3
    if mask.kind is MaskKind.NAME:
        return text[:1] + STAR * max(1, min(len(text) - 1, 3))
    if mask.kind is MaskKind.ADDRESS:
        address = parse_address(text)
        return (
            "".join(level for level in (address.province, address.city, address.county) if level) + STAR * 4
        )
    first, last = KEPT.get(mask.kind, (mask.keep_first, mask.keep_last))
    hidden = len(text) - first - last
    if hidden < 1:
        return STAR * max(len(text), 1)
    return text[:first] + STAR * hidden + (text[-last:] if last else "")
