"""Mapping: formats, conversions, codes, counts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import ConfigurationError, TerminalError
from connectors.mapping.apply import Mapper, load_mapper
from connectors.mapping.convert import convert, to_text
from connectors.mapping.formats import fits, parse_format
from connectors.model import Batch, Operation
from exchange.catalogue import formats as of_the_hub


def make(**document: Any) -> Mapper:
    found = load_mapper({"version": 1} | document)
    assert found is not None
    return found


def batch(**columns: Any) -> Batch:
    return Batch(rows=pa.RecordBatch.from_pydict(columns), cursor={"at": 1})


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("C3", ["abc", "示例市"], ["ab", "abcd"]),
        ("C..3", ["", "示例市"], ["abcd"]),
        ("n2", ["00"], ["1", "1x", "１２"]),
        ("n..3", ["1", "123"], ["", "1234", "-1"]),
        ("N..5,2", ["1", "-123.45", "0.5", ".5", "000123.450"], ["1234", "1.234", "", ".", "1e2", "一"]),
        ("N..3", ["999", "1.0"], ["1000", "1.5"]),
        ("YYYYMMDD", ["20240229", "99991231"], ["20230229", "2024-02-29", "20240631", "2024022"]),
        ("YYYYMMDDhhmmss", ["20240229235959"], ["20240229240000", "20240229"]),
        ("B", ["true", "false"], ["1", "maybe"]),
    ],
)
def test_format_takes_what_fits_and_nothing_else(form: str, good: list[str], bad: list[str]) -> None:
    parsed = parse_format(form)
    assert fits(pa.array([*good, None], pa.string()), parsed).to_pylist() == [True] * (len(good) + 1)
    assert fits(pa.array(bad, pa.string()), parsed).to_pylist() == [False] * len(bad)


@pytest.mark.parametrize("form", ["", "C", "C0", "N..39", "N..5,6", "n..", "yyyymmdd", "C..5,2", "X"])
def test_text_that_is_no_format_is_refused_here_as_at_the_hub(form: str) -> None:
    with pytest.raises(ConfigurationError, match="is no format; write one as"):
        parse_format(form)
    with pytest.raises(Exception, match="a format is one of"):
        of_the_hub.parse_format(form)


@given(
    st.from_regex(
        r"(C|n)(\.\.)?[1-9][0-9]{0,2}|N\.\.[1-9][0-9]?(,[0-9])?|YYYYMMDD(hhmmss)?|B", fullmatch=True
    )
)
def test_formats_are_read_as_the_hub_reads_them(text: str) -> None:
    try:
        theirs = of_the_hub.parse_format(text)
    except Exception:
        with pytest.raises(ConfigurationError):
            parse_format(text)
        return
    ours = parse_format(text)
    for name in ("kind", "min_characters", "max_characters", "precision", "scale"):
        assert getattr(ours, name) == getattr(theirs, name)


@given(st.dates(min_value=date(1900, 1, 1)))
def test_days_of_every_writing_become_one(day: date) -> None:
    form = parse_format("YYYYMMDD")
    written = [
        f"{day:%Y%m%d}",
        f"{day:%Y-%m-%d}",
        f"{day:%Y/%m/%d}",
        f"{day.year}.{day.month}.{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%Y-%m-%d} 00:00:00",
    ]
    assert set(convert(pa.array(written), form).to_pylist()) == {f"{day:%Y%m%d}"}
    assert to_text(pa.array([day]), form, name="d").to_pylist() == [f"{day:%Y%m%d}"]


def test_times_become_beijing_seconds_and_what_is_none_stays() -> None:
    form = parse_format("YYYYMMDDhhmmss")
    moment = pa.array([datetime(2026, 1, 2, 20, 0, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert to_text(moment, form, name="t").to_pylist() == ["20260103040000"]
    texts = pa.array(["2026-01-02 03:04:05", "2026-01-02T03:04", "2026/1/2", "soon", "2026-01-02 00:00:01"])
    assert convert(texts, form).to_pylist() == [
        "20260102030405",
        "20260102030400",
        "20260102000000",
        "soon",
        "20260102000001",
    ]


def test_time_of_day_is_not_cut_off_where_a_day_is_wanted() -> None:
    texts = pa.array(["2026-01-02 03:04:05"])
    assert convert(texts, parse_format("YYYYMMDD")).to_pylist() == ["2026-01-02 03:04:05"]


def test_mapping_renames_translates_fills_and_counts() -> None:
    mapper = make(
        column=[
            {"from": "xm", "to": "XM", "format": "C..4"},
            {"from": "sex", "to": "XB", "codes": "sex", "format": "C1"},
            {"to": "SJLY", "constant": "公安"},
            {"from": "note", "to": "BZ", "default": "无"},
        ],
        codes={"sex": {"男": "1", "女": "2"}},
    )
    rows = batch(
        xm=[" 王某 ", "名字太长了吧", ""], sex=["男", "未知", None], note=["", "x", None], other=[1, 2, 3]
    )
    mapped = mapper.apply(rows)
    assert mapped.cursor == rows.cursor
    assert mapped.rows.to_pydict() == {
        "XM": ["王某", "名字太长了吧", None],
        "XB": ["1", "未知", None],
        "SJLY": ["公安"] * 3,
        "BZ": ["无", "x", "无"],
    }
    assert (mapper.counts["XM"].hit_rate, mapper.counts["XB"].hit_rate) == (0.5, 0.5)
    assert mapper.counts["XB"].unknown_codes == {"未知": 1}
    assert mapper.rename(["xm"]) == ("XM",)
    with pytest.raises(TerminalError, match="leaves out other"):
        mapper.rename(["other"])


def test_deletes_are_mapped_by_the_columns_that_they_have() -> None:
    mapper = make(column=[{"from": "id", "to": "ID"}, {"from": "n", "to": "N"}, {"to": "C", "constant": "c"}])
    gone = Batch(rows=pa.RecordBatch.from_pydict({"id": [1]}), operation=Operation.DELETE)
    assert mapper.apply(gone).rows.to_pydict() == {"ID": ["1"]}
    with pytest.raises(TerminalError, match="wants column n"):
        mapper.apply(batch(id=[1]))


def test_typed_mapping_gives_types_and_stops_at_what_does_not_fit() -> None:
    columns = [
        {"from": "d", "to": "d", "format": "YYYYMMDD"},
        {"from": "n", "to": "n", "format": "N..6,2"},
        {"from": "t", "to": "t", "format": "YYYYMMDDhhmmss"},
        {"from": "b", "to": "b", "format": "B"},
    ]
    mapper = make(format="typed", column=columns)
    row = mapper.apply(
        batch(d=["2026-01-02"], n=["1.5"], t=["2026-01-02 08:00:00"], b=["是"])
    ).rows.to_pylist()[0]
    assert (row["d"], row["n"], row["b"]) == (date(2026, 1, 2), Decimal("1.50"), True)
    assert row["t"].astimezone(UTC) == datetime(2026, 1, 2, tzinfo=UTC)
    with pytest.raises(TerminalError, match="1 values of d do not fit YYYYMMDD"):
        mapper.apply(batch(d=["秘密"], n=["1"], t=[None], b=[None]))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"column": []}, "mapping.column"),
        ({"column": [{"to": "A"}]}, "give from, or constant"),
        ({"column": [{"to": "A", "from": "a"}, {"to": "A", "from": "b"}]}, "two columns become A"),
        ({"column": [{"to": "A", "from": "a", "codes": "x"}]}, "no code list x"),
        ({"column": [{"to": "A", "from": "a", "format": "Q"}]}, "is no format"),
        ({"column": [{"to": "A", "form": "a"}]}, "form"),
    ],
)
def test_mapping_with_a_mistake_is_refused_by_name(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make(**document)


def test_column_that_nobody_mapped_stops_where_the_mapping_says_so() -> None:
    with pytest.raises(TerminalError, match="names nothing for fresh"):
        make(unmapped="stop", column=[{"from": "a", "to": "A"}]).apply(batch(a=["1"], fresh=["2"]))
    kept = make(unmapped="keep", column=[{"from": "a", "to": "A"}]).apply(batch(a=["1"], fresh=[2]))
    assert kept.rows.to_pydict() == {"A": ["1"], "fresh": [2]}


@given(st.lists(st.datetimes() | st.none()))
def test_times_of_any_age_are_written_as_the_calendar_has_them(times: list[datetime | None]) -> None:
    wanted = [None if time is None else f"{time.year:04}{time:%m%d%H%M%S}" for time in times]
    column = pa.array(times, pa.timestamp("us"))
    assert to_text(column, None, name="x").to_pylist() == wanted
    days = [text and text[:8] for text in wanted]
    assert to_text(column, parse_format("YYYYMMDD"), name="x").to_pylist() == days
    dates = pa.array([time and time.date() for time in times], pa.date32())
    assert to_text(dates, None, name="x").to_pylist() == days
