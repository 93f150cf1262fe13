"""Samples: the same seed gives the same bytes, and dirt is counted."""

from __future__ import annotations

import csv
import io

import pytest

from core.codes import citizen, credit
from exchange.standards.samples import Part, SampleKind, SampleSummary, write_sample


def make(kind: SampleKind, **options: object) -> tuple[bytes, SampleSummary]:
    out = io.BytesIO()
    settings = {"rows": 300, "seed": 5, "dirt": 0.1} | options
    summary = write_sample(kind, out=out, **settings)  # type: ignore[arg-type]
    return out.getvalue(), summary


@pytest.mark.parametrize("kind", list(SampleKind))
@pytest.mark.parametrize("part", list(Part))
def test_sample_of_one_seed_is_the_same_bytes_again(kind: SampleKind, part: Part) -> None:
    assert make(kind, part=part)[0] == make(kind, part=part)[0]
    assert make(kind)[0] != make(kind, seed=6)[0]


@pytest.mark.parametrize("kind", list(SampleKind))
def test_clean_sample_has_valid_distinct_keys(kind: SampleKind) -> None:
    content, summary = make(kind, dirt=0)
    rows = list(csv.DictReader(content.decode().splitlines()))
    keys = [next(iter(row.values())) for row in rows]
    valid = citizen.is_check_valid if kind is SampleKind.POPULATION else credit.is_check_valid
    assert (summary.rows, summary.dirty_rows, len(set(keys))) == (300, 0, 300)
    assert all(valid(key) for key in keys)
