"""Invented, check-valid, reproducible sample data, with a share of dirty rows of known kinds.

Every row is a function of (seed, index), so that a second batch can name exactly the rows that it
changes, and the same seed gives the same bytes on every machine. No person or firm in it exists.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from typing import BinaryIO, Final

from core.codes import citizen, credit
from core.codes.divisions import load_divisions

FIRST_BIRTH_ON: Final = date(1945, 1, 1)
BIRTH_DAYS: Final = 25_000
UPDATED_SHARE: Final = 20  # one row in twenty is updated by the second batch,
INSERTED_SHARE: Final = 50  # one in fifty is new in it,
DELETED_SHARE: Final = 100  # and one in a hundred is deleted after it.

SURNAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜"
GIVEN: Final = "安宁思远清和明德文博雅静子涵欣怡宇轩若溪嘉树知行云舒景行望舒怀瑾"
STREETS: Final = ("和平路", "建设街", "解放路", "人民路", "育才巷", "滨河大道", "新华路", "文化街")
TRADES: Final = ("餐饮", "贸易", "科技", "物流", "建材", "文化传媒", "农业", "医药")


class SampleKind(StrEnum):
    """What to make samples of."""

    POPULATION = "population"
    LEGAL_PERSON = "legal-person"


class Part(StrEnum):
    """Which batch of a story: the first, the changes after it, or the deletions after those."""

    INITIAL = "initial"
    CHANGES = "changes"
    DELETIONS = "deletions"


class Dirt(StrEnum):
    """The kinds of dirty rows."""

    WRONG_CHECK_DIGIT = "wrong_check_digit"
    IMPOSSIBLE_DATE = "impossible_date"
    UNKNOWN_CODE = "unknown_code"
    TOO_LONG = "too_long"
    DUPLICATE_KEY = "duplicate_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSummary:
    """What was written: rows in all, and how many of each dirty kind."""

    rows: int
    dirty: dict[Dirt, int] = field(default_factory=dict)

    @property
    def dirty_rows(self) -> int:
        """Rows that a publish must refuse."""
        return sum(self.dirty.values())


Row = dict[str, str]


def write_sample(
    kind: SampleKind, *, rows: int, seed: int, dirt: float, out: BinaryIO, part: Part = Part.INITIAL
) -> SampleSummary:
    """Write a CSV (UTF-8, header of item names) of `rows` rows, or of what a later part changes of them.

    `dirt` is the share of dirty rows in the first batch, 0 to 1. The later parts hold no dirt, and touch only
    rows that were clean in the first.
    """
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)
    maker = _MAKERS[kind](seed=seed, dirt=dirt)
    key_only = part is Part.DELETIONS
    writer = csv.DictWriter(
        text,
        fieldnames=maker.key_items if key_only else maker.items,
        lineterminator="\n",
        extrasaction="ignore",
    )
    writer.writeheader()
    counted: Counter[Dirt] = Counter()
    written = 0
    for row, kind_of_dirt in maker.rows_of(part, rows):
        writer.writerow(row)
        written += 1
        if kind_of_dirt is not None:
            counted[kind_of_dirt] += 1
    text.flush()
    text.detach()
    return SampleSummary(rows=written, dirty=dict(counted))


class Maker:
    """Makes the rows of one kind of sample."""

    items: tuple[str, ...]
    key_items: tuple[str, ...]

    def __init__(self, *, seed: int, dirt: float) -> None:
        self._seed = seed
        self._dirt = dirt
        self._counties = [code for code, division in load_divisions().items() if division.level == 3]

    def rows_of(self, part: Part, count: int) -> Iterator[tuple[Row, Dirt | None]]:
        """Yield the rows of a part of a story whose first batch has `count` rows."""
        if part is Part.INITIAL:
            yield from self._initial(count)
            return
        for index in range(count):
            if self.dirt_of(index) is not None:
                continue
            if part is Part.CHANGES and index % UPDATED_SHARE == 0:
                yield self.clean(index, revision=1), None
            if part is Part.DELETIONS and index % DELETED_SHARE == 1:
                yield self.clean(index, revision=0), None
        if part is Part.CHANGES:
            for index in range(count, count + count // INSERTED_SHARE):
                yield self.clean(index, revision=0), None

    def dirt_of(self, index: int) -> Dirt | None:
        """Tell how row `index` of the first batch is dirty; None for a clean row."""
        rng = Random(f"{self._seed}:dirt:{index}")  # noqa: S311 - samples, not secrets
        if rng.random() >= self._dirt:
            return None
        return rng.choice(list(Dirt)) if index else Dirt.UNKNOWN_CODE

    def clean(self, index: int, *, revision: int) -> Row:
        """Make row `index` as a later revision has it."""
        raise NotImplementedError

    def soil(self, row: Row, dirt: Dirt) -> Row:
        """Make a clean row dirty in the way told."""
        raise NotImplementedError

    def _initial(self, count: int) -> Iterator[tuple[Row, Dirt | None]]:
        last_clean = None
        for index in range(count):
            row = self.clean(index, revision=0)
            dirt = self.dirt_of(index)
            if dirt is Dirt.DUPLICATE_KEY and last_clean is None:
                dirt = Dirt.UNKNOWN_CODE
            if dirt is None:
                last_clean = row
                yield row, None
            elif dirt is Dirt.DUPLICATE_KEY and last_clean is not None:
                yield last_clean, dirt
            else:
                yield self.soil(row, dirt), dirt

    def _rng(self, index: int) -> Random:
        return Random(f"{self._seed}:{index}")  # noqa: S311 - samples, not secrets

    def _county(self, index: int) -> str:
        return self._counties[index * 31 % len(self._counties)]


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
        """Make a person. Day and sequence of birth differ for every index below 25 million."""
        rng = self._rng(index)
        born_on = FIRST_BIRTH_ON + timedelta(days=index * 7919 % BIRTH_DAYS)
        county = self._county(index)
        body = f"{county}{born_on:%Y%m%d}{index // BIRTH_DAYS % 1000:03d}"
        number = body + citizen.compute_check_character(body)
        name = rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2, 2))))
        status = rng.choice(("10", "20", "21", "90"))
        house = rng.randrange(1, 400)
        return {
            "GMSFHM": number,
            "XM": name,
            "XB": citizen.read_sex(number),
            "MZ": rng.choice(("01", "01", "01", "01", "03", "08", "11")),
            "CSRQ": f"{born_on:%Y%m%d}",
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


_MAKERS: Final[dict[SampleKind, type[Maker]]] = {
    SampleKind.POPULATION: PopulationMaker,
    SampleKind.LEGAL_PERSON: LegalPersonMaker,
}
