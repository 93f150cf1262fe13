"""What a hub process does once it has started, so that no call waits for its memory or its threads."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from hub.serve import SWITCH_INTERVAL_S, PlainStart


@pytest.fixture
def restored() -> Iterator[None]:
    interval_s = sys.getswitchinterval()
    yield
    gc.unfreeze()
    sys.setswitchinterval(interval_s)


@pytest.mark.parametrize("is_failed", [False, True])
@pytest.mark.usefixtures("restored")
async def test_process_settles_once_it_has_started_and_not_where_it_fails(*, is_failed: bool) -> None:
    kind = "lifespan.startup.failed" if is_failed else "lifespan.startup.complete"
    sent: list[str] = []
    before = gc.get_freeze_count()

    async def start(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": kind})

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def note(message: Any) -> None:
        sent.append(message["type"])

    await PlainStart(start)({"type": "lifespan"}, receive, note)
    assert sent == [kind]
    assert (gc.get_freeze_count() > before) is not is_failed
    assert (sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)) is not is_failed
