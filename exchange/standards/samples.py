"""Invented, check-valid, reproducible sample data, with a share of dirty rows of known kinds.

Every row is a function of (seed, index), so that a second batch can name exactly the rows that it
changes, and the same seed gives the same bytes on every machine. No person or firm in it exists.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Final

from core.errors import BadInput
from exchange.standards.sample_credit import (
    CommitmentMaker,
    DebtorMaker,
    LicenceMaker,
    ListMaker,
    PenaltyMaker,
)
from exchange.standards.sample_maker import Dirt as Dirt
from exchange.standards.sample_maker import Maker
from exchange.standards.sample_maker import Part as Part
from exchange.standards.sample_people import LegalPersonMaker, PopulationMaker
from exchange.standards.sample_spatial import AddressMaker, DivisionMaker


class SampleKind(StrEnum):
    """What to make samples of."""

    POPULATION = "population"
    LEGAL_PERSON = "legal-person"
    LICENCE = "licence"
    PENALTY = "penalty"
    DEBTOR = "debtor"
    LIST = "list"
    COMMITMENT = "commitment"
    ADDRESS = "address"
    DIVISION = "division"

    @property
    def schema(self) -> str:
        """The code of the ready schema that the sample is in."""
        return _SCHEMAS[self]


_SCHEMAS: Final = {
    SampleKind.POPULATION: "rk_jbxx",
    SampleKind.LEGAL_PERSON: "fr_jbxx",
    SampleKind.LICENCE: "xy_xzxk",
    SampleKind.PENALTY: "xy_xzcf",
    SampleKind.DEBTOR: "xy_sxbzxr",
    SampleKind.LIST: "xy_mdxx",
    SampleKind.COMMITMENT: "xy_cn",
    SampleKind.ADDRESS: "dz_bzdz",
    SampleKind.DIVISION: "xzqh",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSummary:
    """What was written: rows in all, and how many of each dirty kind."""

    rows: int
    dirty: dict[Dirt, int] = field(default_factory=dict)

    @property
    def dirty_rows(self) -> int:
        """Rows that a publish must refuse."""
        return sum(self.dirty.values())


def kinds_of_dirt(kind: SampleKind) -> tuple[Dirt, ...]:
    """Tell how rows of a kind can be dirty; not every schema has numbers with check digits, or days."""
    return _MAKERS[kind].kinds_of_dirt


def write_sample(
    kind: SampleKind, *, rows: int, seed: int, dirt: float, out: BinaryIO, part: Part = Part.INITIAL
) -> SampleSummary:
    """Write a CSV (UTF-8, header of item names) of `rows` rows, or of what a later part changes of them.

    `dirt` is the share of dirty rows in the first batch, 0 to 1. The later parts hold no dirt, and touch only
    rows that were clean in the first.
    """
    maker = _MAKERS[kind](seed=seed, dirt=dirt)
    if maker.max_rows is not None and rows > maker.max_rows:
        msg = f"there are at most {maker.max_rows} rows of this kind"
        raise BadInput(msg)
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)
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


_MAKERS: Final[dict[SampleKind, type[Maker]]] = {
    SampleKind.POPULATION: PopulationMaker,
    SampleKind.LEGAL_PERSON: LegalPersonMaker,
    SampleKind.LICENCE: LicenceMaker,
    SampleKind.PENALTY: PenaltyMaker,
    SampleKind.DEBTOR: DebtorMaker,
    SampleKind.LIST: ListMaker,
    SampleKind.COMMITMENT: CommitmentMaker,
    SampleKind.ADDRESS: AddressMaker,
    SampleKind.DIVISION: DivisionMaker,
}
