"""Samples of space: standard addresses and divisions."""

from __future__ import annotations

from datetime import date, timedelta

from core.codes.divisions import load_divisions
from exchange.standards.sample_maker import STREETS, Dirt, MarkedMaker, Row, names_of
from exchange.standards.spatial import ADDRESS, DIVISIONS

_WITHOUT_CHECK_DIGITS = tuple(kind for kind in Dirt if kind is not Dirt.WRONG_CHECK_DIGIT)


class AddressMaker(MarkedMaker):
    """Rows of dz_bzdz: flats with all levels above them. An address has no check digit."""

    items, key_items = names_of(ADDRESS)
    kinds_of_dirt = _WITHOUT_CHECK_DIGITS
    day_item, coded_item, long_item = "SXRQ", "DZCJ", "DZQC"

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a flat; a later revision is historical."""
        rng = self._rng(index)
        county = self._county(index)
        divisions = load_divisions()
        district = divisions[county]
        city = divisions[district.parent] if district.parent else district
        province = divisions[city.parent] if city.parent else city
        street, house = rng.choice(STREETS), rng.randrange(1, 400)
        building, unit = rng.randrange(1, 30), rng.randrange(1, 5)
        floor, room = rng.randrange(1, 30), rng.randrange(1, 5)
        town, community = "示范街道", f"第{rng.randrange(1, 20)}社区"
        whole = f"{province.name}{city.name}{district.name}{town}{community}{street}{house}号"
        began_on = date(2010, 1, 1) + timedelta(days=rng.randrange(4000))
        row = {
            "DZBM": f"DZ{county}{index:010d}",
            "DZQC": f"{whole}示例小区{building}幢{unit}单元{floor}{room:02d}室",
            "DZCJ": "15",
            "XZQHDM": f"{county}001{rng.randrange(1, 20):03d}",
            "SHENG": province.name,
            "SHI": city.name,
            "XIAN": district.name,
            "XZJD": town,
            "CSQ": community,
            "JLX": street,
            "MPH": f"{house}号",
            "XQ": "示例小区",
            "JZW": f"{building}幢",
            "DY": f"{unit}单元",
            "LC": f"{floor}层",
            "HS": f"{floor}{room:02d}室",
            "JD": f"{rng.randrange(75, 134)}.{rng.randrange(10**7):07d}",
            "WD": f"{rng.randrange(19, 52)}.{rng.randrange(10**7):07d}",
            "BDCDYH": f"{county}001001GB{index % 100_000:05d}F{index % 100_000_000:08d}",
            "ZFBZ": "1",
            "ZT": "2" if revision else "1",
            "SXRQ": f"{began_on:%Y%m%d}",
            "SJLY": "地名地址普查",
            "GXSJ": f"{began_on:%Y%m%d}120000",
            "PPF": f"{rng.randrange(60, 100)}.{rng.randrange(100):02d}",
        }
        return row | ({"SFXRQ": f"{began_on + timedelta(days=1000):%Y%m%d}"} if revision else {})


class DivisionMaker(MarkedMaker):
    """Rows of xzqh: the shipped table, and after it invented counties of an invented province 99."""

    items, key_items = names_of(DIVISIONS)
    kinds_of_dirt = (Dirt.UNKNOWN_CODE, Dirt.TOO_LONG, Dirt.DUPLICATE_KEY)
    coded_item, long_item = "qhjb", "qhmc"

    def __init__(self, *, seed: int, dirt: float) -> None:
        super().__init__(seed=seed, dirt=dirt)
        self._table = list(load_divisions().values())
        self.max_rows = len(self._table) + 9000

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a division; a later revision is renamed."""
        suffix = "(更名)" if revision else ""
        if index < len(self._table):
            known = self._table[index]
            return {
                "qhdm": known.code,
                "qhmc": known.name + suffix,
                "qhjb": str(known.level),
                "sjdm": known.parent or "",
            }
        number = index - len(self._table)
        return {"qhdm": f"99{number:04d}", "qhmc": f"示例{number}区{suffix}", "qhjb": "3", "sjdm": "990000"}
