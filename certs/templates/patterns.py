"""How values are written on the face: days in several forms, and several elements joined by a pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_DAY: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[0-9]{6})?")
_PLACE: Final = re.compile(r"\{([A-Z][A-Z0-9_]{0,59})(?:\|([a-z]+))?(?:\|([^{}|]{0,100}))?\}")
_HAN: Final = "〇一二三四五六七八九"


class Form(StrEnum):
    """How a value is written."""

    TEXT = "text"
    DATE = "date"
    DOTS = "dots"
    HAN = "han"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One element in a pattern, how it is written, and what stands in for it where it is absent."""

    element: str
    form: Form
    absent: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Texts and places in turn; texts are the even ones."""

    pieces: tuple[str | Place, ...]

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements shown, in order."""
        return tuple(piece.element for piece in self.pieces if isinstance(piece, Place))

    def fill(self, metadata: Mapping[str, str]) -> str:
        """Write the pattern with the values of a certificate."""
        return "".join(
            piece
            if isinstance(piece, str)
            else (
                write_value(metadata[piece.element], piece.form)
                if metadata.get(piece.element)
                else piece.absent
            )
            for piece in self.pieces
        )


def parse_pattern(text: str) -> Pattern:
    """Read `{ELEMENT}`, `{ELEMENT|date}` and `{ELEMENT|date|长期}` among plain text. Raises ValueError."""
    pieces: list[str | Place] = []
    end = 0
    for found in _PLACE.finditer(text):
        pieces.append(text[end : found.start()])
        if found[2] is not None and found[2] not in set(Form):
            msg = f"there is no form {found[2][:20]}; the forms are {', '.join(Form)}"
            raise ValueError(msg)
        pieces.append(Place(element=found[1], form=Form(found[2] or Form.TEXT), absent=found[3] or ""))
        end = found.end()
    pieces.append(text[end:])
    if any(isinstance(piece, str) and ("{" in piece or "}" in piece) for piece in pieces):
        msg = "a place in a pattern is written {ELEMENT}, {ELEMENT|form} or {ELEMENT|form|stand-in}"
        raise ValueError(msg)
    return Pattern(tuple(pieces))


def write_value(value: str, form: Form) -> str:
    """Write a value; what is no day of the calendar form stays as it is."""
    found = None if form is Form.TEXT else _DAY.fullmatch(value)
    if found is None:
        return value
    year, month, day = found[1], int(found[2]), int(found[3])
    match form:
        case Form.DOTS:
            return f"{year}.{month:02d}.{day:02d}"
        case Form.HAN:
            return f"{''.join(_HAN[int(digit)] for digit in year)}年{_count(month)}月{_count(day)}日"
        case _:
            return f"{year}年{month:02d}月{day:02d}日"


def _count(number: int) -> str:
    """Write 1 to 31 as it is spoken: 十, 十二, 二十三."""
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else ("" if tens == 1 else _HAN[tens]) + "十") + (_HAN[ones] if ones else "")
