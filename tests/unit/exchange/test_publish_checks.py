"""Vectorised checks against their one-by-one counterparts, and reading files without losing a row."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.identifiers.identifier import build_identifier, parse_identifier
from core.caller import OrganisationCode
from core.china_time import CHINA_TIME
from core.codes import citizen, credit
from core.errors import BadInput, UnsupportedContent
from exchange.publish import check_digits, csv_rows, days, decode, encodings
from exchange.publish.columns import TextColumn
from exchange.publish.duplicates import KeyWatch
from exchange.publish.reject_files import render_cells, render_line
from exchange.standards.schemas import POPULATION
from tests.hubs import organisation_code

BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = st.text("0123456789", min_size=17, max_size=17)


def column(values: list[str | None]) -> TextColumn:
    return TextColumn(pa.array(values, pa.string()))


@given(st.lists(st.tuples(DIGITS, st.sampled_from("0123456789X")), min_size=1, max_size=20))
def test_citizen_number_check_equals_the_scalar_one(parts: list[tuple[str, str]]) -> None:
    numbers = [first + last for first, last in parts]
    numbers += [first + citizen.compute_check_character(first) for first, _ in parts]
    numbers += ["", "1" * 17, "甲" * 6, "甲" * 18]
    expected = [not (citizen.is_check_valid(n) and citizen.read_birth_on(n) is not None) for n in numbers]
    assert check_digits.breaks_citizen_number(column([*numbers, None])).tolist() == [*expected, False]


@given(st.lists(st.text(credit.ALPHABET, min_size=17, max_size=18), min_size=1, max_size=20))
def test_credit_code_check_equals_the_scalar_one(codes: list[str]) -> None:
    codes += [code[:17] + credit.compute_check_character(code[:17]) for code in codes]
    codes += ["9" * 17 + "I", "I" + "9" * 17]
    expected = [not credit.is_check_valid(code) for code in codes]
    assert check_digits.breaks_credit_code(column([None, *codes])).tolist() == [False, *expected]


@given(st.text(BASE_36, min_size=8, max_size=8), st.sampled_from("0123456789XZ"))
def test_organisation_code_check_equals_the_scalar_one(first: str, last: str) -> None:
    right = credit.compute_organisation_check(first)
    codes = [first + right, f"{first}-{right}", first + last, f"{first}-{last}", f"{first}x{right}", first]
    expected = [False, False, last != right, last != right, True, True]
    assert check_digits.breaks_organisation_code(column([*codes])).tolist() == expected
    inner = column([f"91990000{first}{right}0", f"91990000{first}{last}0", "short", None])
    assert check_digits.breaks_inner_code(inner).tolist()[0] is False
    assert check_digits.breaks_inner_code(inner).tolist()[1] is (last != right)


SERIALS = st.text(BASE_36, min_size=1, max_size=64)


@given(serials=st.lists(SERIALS, min_size=1, max_size=8), flip=st.integers(0, 200))
def test_certificate_identifier_check_equals_the_scalar_one(serials: list[str], flip: int) -> None:
    code = credit.build_code("11990000", "MA000001")
    made = [
        str(build_identifier(type_code=f"{code}001", issuer_code=code, serial=serial, version=1))
        for serial in serials
    ]
    spoiled = [text[: flip % len(text)] + "7" + text[flip % len(text) + 1 :] for text in made]
    expected = [not is_identifier(text) for text in [*made, *spoiled]]
    assert check_digits.breaks_certificate_identifier(column([*made, *spoiled])).tolist() == expected


def is_identifier(text: str) -> bool:
    try:
        parse_identifier(text)
    except BadInput:
        return False
    return True


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32)), min_size=1))
def test_day_check_equals_the_calendar(told: list[tuple[int, int, int]]) -> None:
    def read(year: int, month: int, day: int) -> date | None:
        try:
            found = date(year, month, day)
        except ValueError:
            return None
        return date(9999, 12, 31) if found == date(9999, 9, 9) else found

    forms = ("{:04d}{:02d}{:02d}", "{:04d}-{:02d}-{:02d}", "{:04d}年{}月{}日", "{:04d}/{}/{}")
    texts = [form.format(*day) for day in told for form in forms]
    found, bad = days.standardise_days(pa.array(texts))
    expected = [read(*day) for day in told for _ in forms]
    assert found.to_pylist() == expected
    assert bad.tolist() == [day is None for day in expected]


def test_days_that_mean_without_end_and_cells_that_are_no_day() -> None:
    texts = ["长期", "99990909", "9999-9-9", None, "2024020", "甲乙丙", "2024-02x09", "20240a09"]
    found, bad = days.standardise_days(pa.array(texts))
    assert found.to_pylist() == [date(9999, 12, 31)] * 3 + [None] * 5
    assert bad.tolist() == [False] * 4 + [True] * 4


@given(st.lists(st.datetimes(timezones=st.just(CHINA_TIME)), min_size=1))
def test_seconds_are_beijing_time(times: list[datetime]) -> None:
    whole = [
        time.replace(microsecond=0, year=1900 + time.year % 200)
        for time in times
        if (time.month, time.day) != (2, 29)
    ]
    texts = [f"{time:%Y%m%d%H%M%S}" for time in whole] + [f"{time:%Y-%m-%d %H:%M:%S}" for time in whole]
    found, bad = days.standardise_seconds(pa.array([*texts, "20240101250000", "2024", None]))
    assert found.to_pylist() == whole * 2 + [None] * 3
    assert bad.tolist() == [False] * len(texts) + [True, True, False]


KEYS = st.lists(st.text("ab甲", max_size=3), max_size=60)


@given(pieces=st.lists(KEYS, max_size=4))
def test_rows_that_share_a_key_are_always_suspected(pieces: list[list[str]]) -> None:
    watch = KeyWatch(["k"])
    rows: dict[str, list[int]] = {}
    number = 0
    for keys in pieces:
        numbers = list(range(number, number + len(keys)))
        number += len(keys)
        for row, key in zip(numbers, keys, strict=True):
            rows.setdefault(key, []).append(row)
        watch.add(pa.table({"_row": pa.array(numbers, pa.int64()), "k": pa.array(keys, pa.string())}))
    shared = {row for same in rows.values() if len(same) > 1 for row in same}
    assert shared <= set(watch.suspects() or [])


def test_cells_of_a_slice_and_of_nulls_are_its_own() -> None:
    sliced = TextColumn(pa.array(["aa", "bbb", None, "ccc", "d"]).slice(1, 3))
    assert sliced.lengths.tolist() == [3, 0, 3]
    assert sliced.fixed(3).cells.T.tobytes() == b"bbbccc"
    gathered = TextColumn(pa.array(["aa", "bbb", "ccc", "d"]))
    assert gathered.fixed(3).cells.T.tobytes() == b"bbbccc"


LINES = st.lists(st.sampled_from(["", "x", "1,2,3", "4,v", '5,"q\nz"']), max_size=40)


@given(lines=LINES, line_end=st.sampled_from(["\n", "\r\n", "\r"]), last=st.booleans())
def test_csv_of_any_lines_numbers_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], line_end: str, last: bool
) -> None:
    path = tmp_path_factory.mktemp("csv") / "body"
    path.write_bytes((line_end.join(["a,b", *lines]) + line_end * last).encode())
    numbers: list[int] = []
    for batch in csv_rows.read_rows(path, csv_rows.read_header(path)):
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
    assert encodings.detect_encoding(path, declared) == expected


@pytest.mark.parametrize("content", ["café crème".encode("latin-1"), b"\xff\xfe\x00\x01", b"\x80\x81\xff"])
def test_encoding_that_is_neither_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "body"
    path.write_bytes(content)
    with pytest.raises(UnsupportedContent):
        encodings.detect_encoding(path, None)


def test_open_quote_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b'a,b\n1,"x\n2,y\n')
    with pytest.raises(BadInput):
        csv_rows.measure_rows(path)


def test_short_rows_are_read_in_pieces_of_four_megabytes(tmp_path: Path) -> None:
    path, row = tmp_path / "body", b"1234567,12345678901234567890123456789012345678901234\n"
    path.write_bytes(b"a,b\n" + row * 400_000)  # 21 MB
    longest = csv_rows.measure_rows(path)
    pieces = [len(piece.numbers) for piece in csv_rows.read_rows(path, ["a", "b"], longest_bytes=longest)]
    assert sum(pieces) == 400_000
    assert (max(pieces) - 1) * len(row) <= csv_rows.BLOCK_BYTES


def test_header_by_title_by_name_and_from_a_mended_download_is_matched() -> None:
    resource = POPULATION.build(provider_code=OrganisationCode(organisation_code(1)))
    header = ["_row", "公民身份号码", "XM", "_reasons"]
    assert decode.match_header(header[:2], resource, keys_only=True) == {"公民身份号码": "GMSFHM"}
    assert "_reasons" not in decode.match_header(header, resource, keys_only=True)


def test_reject_line_runs_no_formula_and_keeps_the_raw_line() -> None:
    reasons = [{"code": "CELL-COUNT", "detail": "the row has 1 cell"}]
    reject = {"row": 3, "original": {"": "=1+1"}, "ticket": "t:3", "reasons": reasons}
    line = render_line(render_cells(reject, ["a"]))
    assert line == "3,,'=1+1,t:3,CELL-COUNT: the row has 1 cell\r\n"


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u3000=", "＝", "＋", "－", "＠"]
)
def test_cell_that_a_spreadsheet_would_run_is_defused_in_reject_files(start: str) -> None:
    cells = next(csv.reader([render_line([f"{start}1+1", "plain"])]))
    assert cells == [f"'{start}1+1", "plain"]


@pytest.mark.parametrize(
    ("now", "late"),
    [("2026-11-30T15:59:59+00:00", [False, True, True]), ("2026-11-30T16:00:00+00:00", [False, False, True])],
)
def test_day_is_ahead_of_now_by_the_calendar_in_china(now: str, late: list[bool]) -> None:
    values = pa.array([date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 2)])
    assert days.is_after(values, datetime.fromisoformat(now)).tolist() == late
