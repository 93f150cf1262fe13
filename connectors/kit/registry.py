"""Where checks are entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.kit.model import Check

SOURCE_CHECKS: dict[str, Check] = {}
SINK_CHECKS: dict[str, Check] = {}


def source_check(name: str, *, mend: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Enter a check of sources; its function takes a SourceTrial."""
    return _enter(SOURCE_CHECKS, name, mend)


def sink_check(name: str, *, mend: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Enter a check of sinks; its function takes a SinkTrial."""
    return _enter(SINK_CHECKS, name, mend)


def _enter(
    checks: dict[str, Check], name: str, mend: str
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def enter(run: Callable[[Any], None]) -> Callable[[Any], None]:
        if name in checks:
            msg = f"two checks are called {name}"
            raise ValueError(msg)
        checks[name] = Check(name=name, mend=mend, run=run)
        return run

    return enter
