"""Comparison that knows how departments write the same thing differently."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from exchange.access.values import narrow_to_half

# Signs that stand for the dot in names of minorities and foreigners; U+00B7 is the one of GB 13000.
_NAME_DOTS: Final = str.maketrans(dict.fromkeys("•‧∙⋅・･·●．", "·"))
_POINT_BETWEEN_HAN: Final = re.compile(
    r"(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[.](?=[\u3400-\u9fff\U00020000-\U0003ffff])"
)
_BLANK_AT_HAN: Final = re.compile(
    r"(?<=[\u3400-\u9fff\U00020000-\U0003ffff·])\s+(?=[\u3400-\u9fff\U00020000-\U0003ffff·])"
)


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
        return standardise_text(stored) == standardise_text(asserted)
    return stored == asserted
