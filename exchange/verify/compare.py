"""Comparison that knows how departments write the same thing differently, and in what way values differ."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final

from exchange.access.addresses import differs_in_level, is_same_address, parse_address
from exchange.access.values import narrow_to_half
from exchange.catalogue.model import Item, Resource
from exchange.verify.model import Difference

# Signs that stand for the dot in names of minorities and foreigners; U+00B7 is the one of GB 13000.
_NAME_DOTS: Final = str.maketrans(dict.fromkeys("•‧∙⋅・･·●．", "·"))
_POINT_BETWEEN_HAN: Final = re.compile(
    r"(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[.](?=[\u3400-\u9fff\U00020000-\U0003ffff])"
)
_BLANK_AT_HAN: Final = re.compile(
    r"(?<=[\u3400-\u9fff\U00020000-\U0003ffff·])\s+(?=[\u3400-\u9fff\U00020000-\U0003ffff·])"
)
_ADDRESS_TITLE: Final = re.compile(r"地址|住址|住所|详址|居住地$|经营场所|生产场所")
_NAME_TITLE: Final = re.compile(r"姓名$|名称|^法人名称")
_FORMER_TITLE: Final = re.compile(r"曾用名|原名称|曾用名称|曾名")
_SEVERAL_NAMES: Final = re.compile(r"[、,;；，/|]")


def standardise_text(text: str) -> str:
    """Bring text to the form in which it is compared.

    Full width to half width, canonical composition (NFC), no surrounding blanks, one blank for several, none
    between Han characters, every dot of a name to `·`, no distinction of case. Nothing else: `²` is not `2`.
    """
    text = narrow_to_half(unicodedata.normalize("NFC", text).translate(_NAME_DOTS)).strip()
    text = _POINT_BETWEEN_HAN.sub("·", text)
    text = _BLANK_AT_HAN.sub("", text)
    return " ".join(text.split()).casefold()


def is_same(stored: object, asserted: object) -> bool:
    """Tell whether a column's value and an asserted value of its kind are the same fact."""
    if isinstance(stored, str) and isinstance(asserted, str):
        return stored == asserted or standardise_text(stored) == standardise_text(asserted)
    return stored == asserted


def is_match(item: Item, stored: object, asserted: object) -> bool:
    """Tell whether an asserted value is the fact stored under `item`; addresses are compared by level."""
    if is_same(stored, asserted):
        return True
    if isinstance(stored, str) and isinstance(asserted, str) and is_address(item):
        return is_same_address(
            parse_address(standardise_text(stored)), parse_address(standardise_text(asserted))
        )
    return False


def is_address(item: Item) -> bool:
    """Tell whether an item holds addresses in words, by its title."""
    return item.code_list is None and _ADDRESS_TITLE.search(item.title) is not None


def find_former_item(resource: Resource, item: Item) -> Item | None:
    """Return the item that holds the former names of what `item` names; None where the resource has none."""
    if not _NAME_TITLE.search(item.title) or _FORMER_TITLE.search(item.title):
        return None
    return next((each for each in resource.items if _FORMER_TITLE.search(each.title)), None)


def find_difference(
    item: Item, stored: object, asserted: object, *, former: object, today: date
) -> Difference:
    """Say which kind of difference two values show that do not match. Never says the value.

    `former` is what the item of former names holds, where the grant covers it, else None.
    """
    if isinstance(stored, date) and isinstance(asserted, date):
        if stored < today <= asserted:
            return Difference.EXPIRED
        stored, asserted = stored.strftime("%Y%m%d"), asserted.strftime("%Y%m%d")
    if not isinstance(stored, str) or not isinstance(asserted, str):
        return Difference.OTHER
    return _find_text_difference(item, standardise_text(stored), standardise_text(asserted), former)


def _find_text_difference(item: Item, stored: str, asserted: str, former: object) -> Difference:
    if isinstance(former, str) and asserted in map(standardise_text, _SEVERAL_NAMES.split(former)):
        return Difference.FORMER_NAME
    if _is_transposed(stored, asserted):
        return Difference.TRANSPOSED_DIGITS
    if is_address(item) and differs_in_level(parse_address(stored), parse_address(asserted)):
        return Difference.ADDRESS_LEVEL
    return Difference.OTHER


def _is_transposed(left: str, right: str) -> bool:
    """Tell whether two codes differ by one swap of neighbouring digits or letters."""
    if len(left) != len(right) or len(left) < 4:
        return False
    places = [n for n, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
    if len(places) != 2 or places[1] != places[0] + 1:
        return False
    first, second = places
    swapped = left[first] == right[second] and left[second] == right[first]
    return swapped and all(c.isascii() and c.isalnum() for c in left[first : second + 1])
