"""Work that runs as long as the hub: started again where it fails, ended for certain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import Final, TypeVar

from core.errors import Unavailable

PATIENCE_S: Final = 1.0
PAUSE_S: Final = 5.0

T = TypeVar("T")

logger = logging.getLogger("shuzheng.duties")


async def keep_going(name: str, run: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a duty, and start it again after a pause where it ends with an error that it did not foresee."""
    while True:
        try:
            await run()
        except Exception as error:
            logger.error("the duty %s failed and starts again: %s", name, type(error).__name__)
            await asyncio.sleep(PAUSE_S)
        else:
            return


async def take_turns(
    work_once: Callable[[], Awaitable[int]], *, every_s: float, waits: str, full: int | None = None
) -> None:
    """Work until cancelled, every `every_s` seconds, and again at once after a turn of `full` pieces.

    A database that is down is waited for; `waits` names what waits in the log.
    """
    while True:
        try:
            while await work_once() == full:
                pass
        except Unavailable:
            logger.warning("the database does not answer; %s waits", waits)
        await asyncio.sleep(every_s)


async def do_each(pieces: Iterable[T], work: Callable[[T], Awaitable[None]], *, failed: str) -> None:
    """Do pieces of work, of which one that fails takes none of the others with it. Raises Unavailable."""
    for piece in pieces:
        try:
            await work(piece)
        except Unavailable:
            raise
        except Exception as error:
            logger.error("%s: %s", failed, type(error).__name__)


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
