"""Ending the work that runs as long as the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

PATIENCE_S = 1.0


async def stop_duties(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended.

    Once is not always enough: a driver that is just losing its connection, or `asyncio.wait_for` whose time
    is up in that moment, turns a cancellation into another error, and the duty goes on as after any failure.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=PATIENCE_S)
    await asyncio.gather(*tasks, return_exceptions=True)
