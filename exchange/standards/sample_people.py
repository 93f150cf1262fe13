"""Samples of persons (rk_jbxx) and companies (fr_jbxx)."""

from __future__ import annotations

from datetime import date, timedelta

from core.codes import citizen, credit
from exchange.standards.sample_maker import GIVEN, STREETS, SURNAMES, TRADES, Dirt, Maker, Row


class PopulationMaker(Maker):
    """Rows of rk_jbxx."""

    items = (
        "GMSFHM",
        "XM",
        "CYM",
        "XB",
        "MZ",
        "CSRQ",
        "HJSZD",
        "MLXZ",
        "HYZK",
        "SWRQ",
        "ZXZT",
        "ZJXY",
    )
    key_items = ("GMSFHM",)

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a person; see `_citizen_number` for how many there can be."""
        rng = self._rng(index)
        county = self._county(index)
        number = self._citizen_number(index)
        name = self._name(rng)
        status = rng.choice(("10", "20", "21", "90"))
        house = rng.randrange(1, 400)
        return {
            "GMSFHM": number,
            "XM": name,
            "XB": citizen.read_sex(number),
            "MZ": rng.choice(("01", "01", "01", "01", "03", "08", "11")),
            "CSRQ": number[6:14],
            "HJSZD": county,
            "MLXZ": f"{rng.choice(STREETS)}{house + 1000 * revision}号",
            "HYZK": "40" if revision else status,
            "ZXZT": "0",
        }

    def soil(self, row: Row, dirt: Dirt) -> Row:
        """Make a person's row dirty."""
        number = row["GMSFHM"]
        if dirt is Dirt.WRONG_CHECK_DIGIT:
            wrong = "0" if number[-1] != "0" else "1"
            return row | {"GMSFHM": number[:-1] + wrong}
        if dirt is Dirt.IMPOSSIBLE_DATE:
            return row | {"CSRQ": row["CSRQ"][:4] + "0230"}
        if dirt is Dirt.TOO_LONG:
            return row | {"XM": row["XM"] * 30}
        return row | {"MZ": "66"}


class LegalPersonMaker(Maker):
    """Rows of fr_jbxx."""

    items = (
        "tyxydm",
        "frmc",
        "frfl",
        "fddbr",
        "frZjlx",
        "frZjhm",
        "zs",
        "djjg",
        "djrq",
        "cxzt",
        "ywfw",
        "zczb",
        "jyjzrq",
    )
    key_items = ("tyxydm",)

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a company. The organisation number differs for every index below ten million."""
        rng = self._rng(index)
        county = self._county(index)
        code = credit.build_code(f"91{county}", f"M{index:07d}")
        brand = "".join(rng.choices(GIVEN, k=2))
        trade = rng.choice(TRADES)
        registered_on = date(2000, 1, 1) + timedelta(days=rng.randrange(9000))
        head = rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=2))
        return {
            "tyxydm": code,
            "frmc": f"{brand}{trade}{index}号有限公司",
            "frfl": "11",
            "fddbr": rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=2)) if revision else head,
            "frZjlx": "10",
            "zs": f"{rng.choice(STREETS)}{rng.randrange(1, 400)}号",
            "djjg": "示例市市场监督管理局",
            "djrq": f"{registered_on:%Y%m%d}",
            "cxzt": "1",
            "ywfw": f"{trade}服务;{trade}产品销售",
            "zczb": f"{rng.randrange(10, 5000)}.{rng.randrange(100):02d}",
        }

    def soil(self, row: Row, dirt: Dirt) -> Row:
        """Make a company's row dirty."""
        code = row["tyxydm"]
        if dirt is Dirt.WRONG_CHECK_DIGIT:
            return row | {"tyxydm": code[:-1] + ("0" if code[-1] != "0" else "1")}
        if dirt is Dirt.IMPOSSIBLE_DATE:
            return row | {"djrq": row["djrq"][:4] + "1332"}
        if dirt is Dirt.TOO_LONG:
            return row | {"frmc": row["frmc"] * 20}
        return row | {"cxzt": "8"}
