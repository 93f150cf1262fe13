"""How rows of a sample are made: each is a function of (seed, index), clean or dirty in a known way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from core.codes import citizen
from core.codes.divisions import load_divisions
from exchange.standards.schema import StandardSchema

FIRST_BIRTH_ON: Final = date(1945, 1, 1)
BIRTH_DAYS: Final = 25_000
UPDATED_SHARE: Final = 20  # one row in twenty is updated by the second batch,
INSERTED_SHARE: Final = 50  # one in fifty is new in it,
DELETED_SHARE: Final = 100  # and one in a hundred is deleted after it.

SURNAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜"
GIVEN: Final = "安宁思远清和明德文博雅静子涵欣怡宇轩若溪嘉树知行云舒景行望舒怀瑾"
STREETS: Final = ("和平路", "建设街", "解放路", "人民路", "育才巷", "滨河大道", "新华路", "文化街")
TRADES: Final = ("餐饮", "贸易", "科技", "物流", "建材", "文化传媒", "农业", "医药")


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


Row = dict[str, str]


class Maker(ABC):
    """Makes the rows of one kind of sample."""

    items: tuple[str, ...]
    key_items: tuple[str, ...]
    kinds_of_dirt: tuple[Dirt, ...] = tuple(Dirt)
    max_rows: int | None = None

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
        return rng.choice(self.kinds_of_dirt) if index else Dirt.UNKNOWN_CODE

    @abstractmethod
    def clean(self, index: int, *, revision: int) -> Row:
        """Make row `index` as a later revision has it."""

    @abstractmethod
    def soil(self, row: Row, dirt: Dirt) -> Row:
        """Make a clean row dirty in the way told."""

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

    def _name(self, rng: Random) -> str:
        return rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2, 2))))

    def _citizen_number(self, index: int) -> str:
        """Make a number whose day and sequence of birth differ for every index below 25 million."""
        born_on = FIRST_BIRTH_ON + timedelta(days=index * 7919 % BIRTH_DAYS)
        body = f"{self._county(index)}{born_on:%Y%m%d}{index // BIRTH_DAYS % 1000:03d}"
        return body + citizen.compute_check_character(body)


def names_of(schema: StandardSchema) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the items of a schema, and its key items."""
    return tuple(item.name for item in schema.items), tuple(i.name for i in schema.items if i.is_key)


class MarkedMaker(Maker):
    """A maker whose dirt is told by naming the items that take it."""

    checked_item: str
    day_item: str
    coded_item: str
    long_item: str

    def soil(self, row: Row, dirt: Dirt) -> Row:
        """Make a row dirty in the item marked for that."""
        if dirt is Dirt.WRONG_CHECK_DIGIT:
            code = row[self.checked_item]
            return row | {self.checked_item: code[:-1] + ("0" if code[-1] != "0" else "1")}
        if dirt is Dirt.IMPOSSIBLE_DATE:
            return row | {self.day_item: row[self.day_item][:4] + "0230"}
        if dirt is Dirt.TOO_LONG:
            return row | {self.long_item: row[self.long_item] * 200}
        return row | {self.coded_item: "不存在"}
