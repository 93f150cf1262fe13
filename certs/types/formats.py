"""Formats of items: what a value must look like, in the mini-language of the catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

_FORMAT: Final = re.compile(
    r"(?P<kind>[CnN])(?P<upto>\.\.)?(?P<length>[1-9][0-9]{0,3})(?:,(?P<scale>[0-9]{1,2}))?"
)
DAY: Final = "YYYYMMDD"
MOMENT: Final = "YYYYMMDDhhmmss"
PHOTO: Final = "PHOTO"
MAX_PHOTO_CHARACTERS: Final = 540_000
"""Base64 of a photograph of some 400,000 octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFormat:
    """A format, parsed: C text, n digits, N a decimal number; of exactly or up to `length`."""

    kind: str
    length: int
    is_exact: bool
    scale: int = 0


def parse_format(text: str) -> ItemFormat:
    """Parse a format. ValueError where it is none."""
    if text in {DAY, MOMENT}:
        return ItemFormat(kind=text, length=len(text), is_exact=True)
    if text == PHOTO:
        return ItemFormat(kind=text, length=MAX_PHOTO_CHARACTERS, is_exact=False)
    match = _FORMAT.fullmatch(text)
    if match is None or (match["scale"] is not None) != (match["kind"] == "N"):
        msg = "a format is one of C18, C..50, n2, n..12, N..24,6, YYYYMMDD, YYYYMMDDhhmmss, PHOTO"
        raise ValueError(msg)
    scale = int(match["scale"] or 0)
    if match["kind"] == "N" and scale >= int(match["length"]):
        msg = "a number needs more digits than it has decimals"
        raise ValueError(msg)
    return ItemFormat(
        kind=match["kind"], length=int(match["length"]), is_exact=match["upto"] is None, scale=scale
    )


def explain_misfit(text: str, value: str) -> str | None:
    """Say what is wrong with `value` under the format `text`; None where nothing is."""
    form = parse_format(text)
    match form.kind:
        case "C":
            return _misfit_length(form, value, "characters")
        case "n":
            if not (value.isascii() and value.isdigit()):
                return "must consist of digits"
            return _misfit_length(form, value, "digits")
        case "N":
            return _misfit_number(form, value)
        case "PHOTO":
            return _misfit_photo(form, value)
        case _:
            return _misfit_time(form.kind, value)


def _misfit_length(form: ItemFormat, value: str, unit: str) -> str | None:
    if form.is_exact and len(value) != form.length:
        return f"must have exactly {form.length} {unit}, has {len(value)}"
    if len(value) > form.length:
        return f"must have at most {form.length} {unit}, has {len(value)}"
    return None


def _misfit_number(form: ItemFormat, value: str) -> str | None:
    match = re.fullmatch(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?", value)
    if match is None or not value.isascii():
        return "must be a decimal number such as 1200.50"
    whole, decimals = match[1], match[2] or ""
    if len(decimals) > form.scale or len(whole) > form.length - form.scale:
        return f"must have at most {form.length - form.scale} digits before and {form.scale} after the point"
    return None


def _misfit_photo(form: ItemFormat, value: str) -> str | None:
    if len(value) > form.length or re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", value) is None:
        return f"must be base64 of a JPEG or PNG, of at most {form.length} characters"
    return None


def _misfit_time(kind: str, value: str) -> str | None:
    if not (value.isascii() and value.isdigit() and len(value) == len(kind)):
        return f"must be written {kind}"
    try:
        if kind == DAY:
            date(int(value[:4]), int(value[4:6]), int(value[6:]))
        else:
            datetime.strptime(value, "%Y%m%d%H%M%S")  # noqa: DTZ007 - a face carries local wall-clock time
    except ValueError:
        return "is not a day or time of the calendar"
    return None
