"""Comparing addresses level by level: province, city, county, town, and the rest.

Two addresses are the same where every level that both name is the same, the rest is the same, and the county
is named by both (or by neither, and the city by both): upper levels are often left out, and the town too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PROVINCE: Final = re.compile(r"^(\w{2,8}?(?:省|自治区|特别行政区))")
_CITY: Final = re.compile(r"^(\w{2,10}?(?:自治州|地区|盟|市))")
_COUNTY: Final = re.compile(r"^(\w{1,10}?(?:区|县|旗|市))")
_TOWN: Final = re.compile(r"^(\w{1,12}?(?:街道|镇|乡|苏木))")
_DROPPED: Final = re.compile(r"[\s,，.。、;；()（）\-—_#]+")
_NUMBERED: Final = re.compile(r"([零〇一二三四五六七八九十百]+)(?=号|幢|栋|座|单元|室|层|楼|弄|组)")
_BUILDING: Final = re.compile(r"(?<=\d)(?:号楼|栋|座)")
_DIGITS: Final = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address in its levels; None where a level is not named."""

    province: str | None
    city: str | None
    county: str | None
    town: str | None
    rest: str

    @property
    def levels(self) -> tuple[str | None, ...]:
        """The levels above the rest, from the top."""
        return (self.province, self.city, self.county, self.town)


def parse_address(text: str) -> Address:
    """Take an address (already in half width) apart. Never fails: what is no level is the rest."""
    left = _DROPPED.sub("", text)
    found: list[str | None] = []
    for level in (_PROVINCE, _CITY, _COUNTY, _TOWN):
        match = level.match(left)
        found.append(match[1] if match else None)
        left = left[match.end() :] if match else left
    province, city, county, town = found
    rest = _BUILDING.sub("幢", _NUMBERED.sub(lambda each: str(_read_number(each[1])), left))
    return Address(province=province, city=city, county=county, town=town, rest=rest)


def is_same_address(stored: Address, asserted: Address) -> bool:
    """Tell whether two addresses are the same place."""
    if _conflicts(stored, asserted) or stored.rest != asserted.rest:
        return False
    if stored.county is not None or asserted.county is not None:
        return stored.county == asserted.county
    return stored.city == asserted.city


def differs_in_level(stored: Address, asserted: Address) -> bool:
    """Tell whether one address merely says less than the other."""
    if _conflicts(stored, asserted):
        return False
    return stored.rest.startswith(asserted.rest) or asserted.rest.startswith(stored.rest)


def _conflicts(left: Address, right: Address) -> bool:
    return any(
        a is not None and b is not None and a != b for a, b in zip(left.levels, right.levels, strict=True)
    )


def _read_number(text: str) -> int:
    """Read a Chinese number below a thousand, or a string of its digits."""
    if not set(text) & {"十", "百"}:
        return int("".join(str(_DIGITS[c]) for c in text))
    hundreds, _, below = text.rpartition("百")
    tens, ten, ones = below.rpartition("十")
    total = (_DIGITS.get(hundreds[-1:], 1) if "百" in text else 0) * 100
    total += (_DIGITS.get(tens[-1:], 1) if ten else 0) * 10
    return total + _DIGITS.get(ones[-1:], 0)
