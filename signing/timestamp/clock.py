"""A clock that stops when the time jumps.

A time-stamp authority that runs on after its clock was set, or after its machine slept, states times
that are wrong. The guard compares how far the wall clock and the monotonic clock have moved since it was
set; once they part by more than the tolerance it refuses, until someone who has checked the time says so.

What a time service corrects by slewing is no jump: the two may drift apart as slowly as a kernel slews at
most (Linux slews both alike, macOS the wall clock alone), for as long as the guard is read every quarter of
an hour.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from signing.errors import SigningError

DEFAULT_TOLERANCE: Final = timedelta(milliseconds=500)
MAX_SLEW: Final = 500e-6  # seconds a second: the fastest that adjtime and NTP correct a clock


class ClockJumped(SigningError):
    """The wall clock moved apart from the monotonic clock; no time can be stated."""

    code = "SIGNING-CLOCK-JUMPED"
    title = "Clock not trustworthy"


class ClockGuard:
    """States the time as long as two clocks agree on how much of it has passed.

    `wall` returns aware UTC, `monotonic` seconds. Safe for several threads.
    """

    def __init__(
        self,
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
        *,
        tolerance: timedelta = DEFAULT_TOLERANCE,
    ) -> None:
        self._wall: Final = wall
        self._monotonic: Final = monotonic
        self._tolerance: Final = tolerance
        self._lock: Final = threading.Lock()
        self._true, self._ticks = wall(), monotonic()
        self._latest = self._true
        self._jumped_by: timedelta | None = None

    @property
    def jumped_by(self) -> timedelta | None:
        """How far the wall clock was off when the guard stopped, None while it runs."""
        return self._jumped_by

    def now(self) -> datetime:
        """Return the time; raise ClockJumped for good once the clocks have parted or time ran backwards."""
        with self._lock:
            moment, ticks = self._wall(), self._monotonic()
            apart = moment - self._expected(ticks)
            if self._jumped_by is None and (abs(apart) > self._tolerance or moment < self._latest):
                self._jumped_by = apart
            if self._jumped_by is not None:
                seconds = self._jumped_by.total_seconds()
                message = f"the clock jumped by {seconds:+.3f} s; check it, then set the guard anew"
                raise ClockJumped(message)
            slewed = timedelta(seconds=MAX_SLEW * (ticks - self._ticks))
            self._true = self._expected(ticks) + min(max(apart, -slewed), slewed)
            self._ticks, self._latest = ticks, moment
            return moment

    def reset(self) -> None:
        """Trust the clock again, from this moment on: someone has checked it."""
        with self._lock:
            self._true, self._ticks = self._wall(), self._monotonic()
            self._latest = self._true
            self._jumped_by = None

    def _expected(self, ticks: float) -> datetime:
        """The time that the monotonic clock tells, counted on from the last reading."""
        return self._true + timedelta(seconds=ticks - self._ticks)
