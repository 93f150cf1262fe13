"""The clock of a time-stamp authority: jumps stop it, slewing does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from signing.timestamp.clock import DEFAULT_TOLERANCE, ClockGuard, ClockJumped

START = datetime(2026, 6, 1, tzinfo=UTC)


class Clocks:
    """A wall clock and a monotonic clock that move as a test says."""

    def __init__(self) -> None:
        self.wall = START
        self.ticks = 1000.0

    def pass_by(self, seconds: float, *, jump: float = 0.0) -> None:
        """Let time pass, and the wall clock jump besides."""
        self.ticks += seconds
        self.wall += timedelta(seconds=seconds + jump)

    def guard(self) -> ClockGuard:
        return ClockGuard(lambda: self.wall, lambda: self.ticks)


def test_clock_that_runs_steadily_is_stated() -> None:
    clocks = Clocks()
    guard = clocks.guard()
    for _ in range(100):
        clocks.pass_by(3600)
        assert guard.now() == clocks.wall
    assert guard.jumped_by is None


@pytest.mark.parametrize("jump", [0.6, -0.6, 3600, -3600, 86400 * 365])
def test_clock_that_jumps_stops_for_good(jump: float) -> None:
    clocks = Clocks()
    guard = clocks.guard()
    clocks.pass_by(5, jump=jump)
    with pytest.raises(ClockJumped, match=re.escape(f"{jump:+.3f}")):
        guard.now()
    clocks.pass_by(5, jump=-jump)  # set back: what lay between stays suspect
    with pytest.raises(ClockJumped):
        guard.now()
    assert guard.jumped_by == timedelta(seconds=jump)


def test_clock_that_runs_backwards_within_the_tolerance_stops() -> None:
    clocks = Clocks()
    guard = clocks.guard()
    clocks.pass_by(1)
    guard.now()
    clocks.pass_by(0.001, jump=-0.1)
    with pytest.raises(ClockJumped):
        guard.now()


def test_small_jumps_add_up() -> None:
    clocks = Clocks()
    guard = clocks.guard()
    for _ in range(5):
        clocks.pass_by(1, jump=0.1)
        guard.now()
    clocks.pass_by(1, jump=0.1)
    with pytest.raises(ClockJumped):
        guard.now()
    assert guard.jumped_by is not None
    assert guard.jumped_by > DEFAULT_TOLERANCE


@pytest.mark.parametrize("slew", [1e-4, -1e-4, 5e-4, -5e-4])
def test_clock_that_is_slewed_for_days_goes_on(slew: float) -> None:
    clocks = Clocks()
    guard = clocks.guard()
    for _ in range(4 * 24 * 30):
        clocks.pass_by(900, jump=900 * slew)
        assert guard.now() == clocks.wall


@pytest.mark.parametrize("slew", [2e-3, -2e-3])
def test_clock_that_runs_faster_than_any_slewing_stops(slew: float) -> None:
    clocks = Clocks()
    guard = clocks.guard()
    for _ in range(5):
        clocks.pass_by(60, jump=60 * slew)
        guard.now()
    clocks.pass_by(60, jump=60 * slew)
    with pytest.raises(ClockJumped):
        guard.now()


def test_machine_that_slept_stops_the_clock() -> None:
    """The monotonic clock stands still while the machine sleeps, the wall clock is set on waking."""
    clocks = Clocks()
    guard = clocks.guard()
    clocks.wall += timedelta(hours=8)
    with pytest.raises(ClockJumped):
        guard.now()


def test_clock_that_was_checked_is_stated_again() -> None:
    clocks = Clocks()
    guard = clocks.guard()
    clocks.pass_by(5, jump=-60)
    with pytest.raises(ClockJumped):
        guard.now()
    guard.reset()
    assert guard.jumped_by is None
    clocks.pass_by(5)
    assert guard.now() == clocks.wall
