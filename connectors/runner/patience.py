"""Waiting between tries: longer each time, a little by chance, until patience ends or somebody says stop."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Final

FIRST_WAIT_S: Final = 0.5


@dataclass(slots=True, kw_only=True)
class Patience:
    """How long a trouble that passes is waited for; without `total_s` for ever."""

    stop: threading.Event
    max_wait_s: float
    total_s: float | None = None
    _tries: int = 0
    _since: float = field(default=0.0)

    def begin_anew(self) -> None:
        """Something went well."""
        self._tries = 0

    def next_wait_s(self) -> float | None:
        """Return the seconds until the next try; None where patience has ended."""
        now = time.monotonic()
        if self._tries == 0:
            self._since = now
        self._tries += 1
        wait_s: float = min(FIRST_WAIT_S * 2 ** min(self._tries - 1, 16), self.max_wait_s)
        wait_s *= 0.75 + random.random() / 2  # noqa: S311 - spreads tries, guards nothing
        if self.total_s is None:
            return wait_s
        left_s = self.total_s - (now - self._since)
        return None if left_s <= 0 else min(wait_s, left_s)

    def wait(self, seconds: float) -> bool:
        """Wait; tell whether to go on."""
        return not self.stop.wait(seconds)
