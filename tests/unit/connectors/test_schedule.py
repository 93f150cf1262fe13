"""Schedules: five fields as cron has them, by the clocks of a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import ConfigurationError
from connectors.config import load_config
from connectors.runner.schedule import Calendar, Interval, parse_schedule

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 3, 4, 10, 17, 30, tzinfo=SHANGHAI)  # a Wednesday


def times(text: str, count: int, *, zone: str = "Asia/Shanghai", after: datetime = START) -> list[str]:
    made, found = parse_schedule(text, zone), []
    for _ in range(count):
        after = made.find_next(after)
        found.append(f"{after.astimezone(made.zone):%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("* * * * *", ["03-04 10:18", "03-04 10:19"]),
        ("*/20 9-11 * * *", ["03-04 10:20", "03-04 10:40"]),
        ("5/30 * * * *", ["03-04 10:35", "03-04 11:05"]),
        ("30 2 * * 1-5", ["03-05 02:30", "03-06 02:30", "03-09 02:30"]),
        ("0 0 * * 0", ["03-08 00:00", "03-15 00:00"]),
        ("0 0 * * 7", ["03-08 00:00", "03-15 00:00"]),
        ("0 8,20 1 * *", ["04-01 08:00", "04-01 20:00"]),
        ("0 0 13 * 5", ["03-06 00:00", "03-13 00:00", "03-20 00:00"]),  # either day will do
        ("0 0 13 * */1", ["03-13 00:00", "04-13 00:00"]),
        ("0 0 29 2 *", ["02-29 00:00"]),
    ],
)
def test_times_are_those_of_cron(text: str, wanted: list[str]) -> None:
    assert times(text, len(wanted)) == wanted


def test_time_that_the_clocks_leave_out_is_left_out_and_one_shown_twice_comes_once() -> None:
    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert times("30 2 * * *", 2, zone="Europe/Berlin", after=spring) == ["03-30 02:30", "03-31 02:30"]
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times("30 2 * * *", 2, zone="Europe/Berlin", after=autumn) == ["10-25 02:30", "10-26 02:30"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("* * * *", "five fields"),
        ("60 * * * *", "is no minute: numbers from 0 to 59"),
        ("* 5-3 * * *", "is no hour"),
        ("* * 0 * *", "is no day of the month"),
        ("* * * x *", "is no month"),
        ("* * * * 8", "is no day of the week"),
        ("*/0 * * * *", "is no minute"),
        ("1,,2 * * * *", "is no minute"),
        ("0 0 30 2 *", "no day is ever such a day"),
    ],
)
def test_fields_with_a_mistake_are_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_schedule(text, "Asia/Shanghai")


def test_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"run\.zone: there is no zone Mars/Base"):
        parse_schedule("* * * * *", "Mars/Base")


@given(st.integers(0, 59), st.integers(0, 23), st.integers(946_684_800, 4_000_000_000))
def test_next_time_of_a_day_is_within_a_day_and_after(minute: int, hour: int, after_s: int) -> None:
    after = datetime.fromtimestamp(after_s, UTC)
    found = parse_schedule(f"{minute} {hour} * * *", "Asia/Shanghai").find_next(after)
    assert timedelta(0) < found - after <= timedelta(days=1)
    assert (found.astimezone(SHANGHAI).minute, found.astimezone(SHANGHAI).hour) == (minute, hour)


def test_calendar_waits_for_its_time_by_the_clock_on_the_wall() -> None:
    now = [START.astimezone(UTC)]
    made = parse_schedule("20 * * * *", "Asia/Shanghai")
    clocked = Calendar(
        **{name: getattr(made, name) for name in Calendar.__slots__ if name != "now"}, now=lambda: now[0]
    )
    assert not clocked.starts_at_once
    tell_left_s = clocked.await_next(started_s=0)
    assert tell_left_s() == 150
    now[0] += timedelta(minutes=2, seconds=29)
    assert tell_left_s() == 1
    now[0] += timedelta(seconds=1)
    assert tell_left_s() == 0


def test_configuration_gives_one_kind_of_schedule(tmp_path: Path) -> None:
    def load(run: str) -> object:
        path = tmp_path / "c.toml"
        parts = '[source]\nkind = "sqlite"\nfile = "a"\ntable = "t"\n[sink]\nkind = "folder"\nfolder = "o"\n'
        path.write_text(f'name = "c"\n{parts}[run]\n{run}\n', encoding="utf-8")
        return load_config(path).run.schedule

    assert load("") is None
    assert isinstance(load("every_s = 5"), Interval)
    assert isinstance(load('at = "30 2 * * *"'), Calendar)
    with pytest.raises(ConfigurationError, match="give every_s, or at"):
        load('at = "30 2 * * *"\nevery_s = 5')
    with pytest.raises(ConfigurationError, match=r"run\.at"):
        load('at = "nightly"')
