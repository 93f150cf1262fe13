"""Vectorised checks against their one-by-one counterparts, and reading files without losing a row."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caller import OrganisationCode
from core.codes import citizen, credit
from core.errors import BadInput, UnsupportedContent
from exchange.publish import checks, decode
from exchange.publish.api import render_reject
from exchange.standards.schemas import POPULATION
from tests.hubs import organisation_code

DIGITS = st.text("0123456789", min_size=17, max_size=17)


@given(st.lists(st.tuples(DIGITS, st.sampled_from("0123456789X")), min_size=1, max_size=20))
def test_citizen_number_check_equals_the_scalar_one(parts: list[tuple[str, str]]) -> None:
    numbers = [first + last for first, last in parts]
    numbers += [first + citizen.compute_check_character(first) for first, _ in parts]
    expected = [not (citizen.is_check_valid(n) and citizen.read_birth_on(n) is not None) for n in numbers]
    assert checks.breaks_citizen_number(pa.array(numbers)).to_pylist() == expected


@given(st.lists(st.text(credit.ALPHABET, min_size=17, max_size=18), min_size=1, max_size=20))
def test_credit_code_check_equals_the_scalar_one(codes: list[str]) -> None:
    codes += [code[:17] + credit.compute_check_character(code[:17]) for code in codes]
    expected = [not credit.is_check_valid(code) for code in codes]
    assert checks.breaks_credit_code(pa.array(codes)).to_pylist() == expected


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32)), min_size=1))
def test_day_check_equals_the_calendar(days: list[tuple[int, int, int]]) -> None:
    def exists(year: int, month: int, day: int) -> bool:
        try:
            date(year, month, day)
        except ValueError:
            return False
        return True

    column = pa.array([f"{year:04d}{month:02d}{day:02d}" for year, month, day in days])
    _, bad = checks.standardise_day(column)
    assert bad.to_pylist() == [not exists(*day) for day in days]


LINES = st.lists(st.sampled_from(["", "x", "1,2,3", "4,v", '5,"q\nz"']), max_size=40)


@given(lines=LINES, line_end=st.sampled_from(["\n", "\r\n", "\r"]), last=st.booleans())
def test_csv_of_any_lines_numbers_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], line_end: str, last: bool
) -> None:
    path = tmp_path_factory.mktemp("csv") / "body"
    path.write_bytes((line_end.join(["a,b", *lines]) + line_end * last).encode())
    numbers: list[int] = []
    for batch in decode._read_csv(path, decode._read_header(path)):
        numbers += [*batch.numbers, *(reject.row_number for reject in batch.malformed)]
    assert sorted(numbers) == sorted(set(numbers))
    assert len(numbers) == sum(bool(line) for line in lines)


@pytest.mark.parametrize(
    ("content", "declared", "expected"),
    [
        ("编号\n甲".encode(), None, "utf-8"),
        ("编号\n甲".encode("gb18030"), None, "gb18030"),
        (b"a\n1", None, "utf-8"),
        ("编号\n甲".encode("gbk"), "GBK", "gb18030"),
    ],
)
def test_encoding_is_told(tmp_path: Path, content: bytes, declared: str | None, expected: str) -> None:
    path = tmp_path / "body"
    path.write_bytes(content)
    assert decode.detect_encoding(path, declared) == expected


@pytest.mark.parametrize("content", ["café crème".encode("latin-1"), b"\xff\xfe\x00\x01", b"\x80\x81\xff"])
def test_encoding_that_is_neither_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "body"
    path.write_bytes(content)
    with pytest.raises(UnsupportedContent):
        decode.detect_encoding(path, None)


def test_open_quote_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b'a,b\n1,"x\n2,y\n')
    with pytest.raises(BadInput):
        decode._require_closed_quotes(path)


def test_header_by_title_by_name_and_from_a_mended_download_is_matched() -> None:
    resource = POPULATION.build(provider_code=OrganisationCode(organisation_code(1)))
    header = ["_row", "公民身份号码", "XM", "_reasons"]
    assert decode.match_header(header[:2], resource, keys_only=True) == {"公民身份号码": "GMSFHM"}
    assert "_reasons" not in decode.match_header(header, resource, keys_only=True)


def test_reject_line_runs_no_formula_and_keeps_the_raw_line() -> None:
    reasons = [{"code": "CELL-COUNT", "detail": "the row has 1 cell"}]
    line = render_reject({"row": 3, "original": {"": "=1+1"}, "reasons": reasons}, ["a"])
    assert line == "3,,'=1+1,CELL-COUNT: the row has 1 cell\r\n"
