"""Waking those who wait for the next version of a resource.

A connection of its own, outside the pool, listens for what publishing tells (`NOTIFY shuzheng_versions`). It
is the quick way only: whoever waits also looks every now and then, more often while nobody listens.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncpg

from core.database.pool import CONNECTION_TROUBLES

CHANNEL: Final = "shuzheng_versions"
POLL_S: Final = 0.2
POLL_LISTENING_S: Final = 2.0
CHECK_S: Final = 15.0
RECONNECT_S: Final = 1.0
logger = logging.getLogger("shuzheng.subscriptions")


class Waker:
    """Tells waiting readers of a process about new versions. `url` None: nobody listens, they poll."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._newest: dict[str, int] = {}
        self._heard = 0
        self._arrived = asyncio.Condition()
        self._is_listening = False
        self._tellers: set[asyncio.Task[None]] = set()

    @property
    def is_listening(self) -> bool:
        """Tell whether new versions are heard of at once."""
        return self._is_listening

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made anew."""
        if self._url is None:
            return
        while True:
            try:
                await self._listen(self._url)
            except (*CONNECTION_TROUBLES, asyncpg.PostgresError) as trouble:
                logger.warning("nobody listens for new versions (%s); polling", type(trouble).__name__)
            self._is_listening = False
            await asyncio.sleep(RECONNECT_S)

    async def wait(self, resource_code: str, *, beyond_version: int, timeout_s: float) -> None:
        """Return when a version beyond `beyond_version` was told of, or when it is time to look again."""
        limit_s = min(timeout_s, POLL_LISTENING_S if self._is_listening else POLL_S)
        try:
            async with asyncio.timeout(limit_s), self._arrived:
                await self._arrived.wait_for(lambda: self._newest.get(resource_code, -1) > beyond_version)
        except TimeoutError:
            return

    async def wait_any(self, *, heard: int, timeout_s: float) -> int:
        """Return how many versions were told of, once that is more than `heard` or the time is up."""
        try:
            async with asyncio.timeout(timeout_s), self._arrived:
                await self._arrived.wait_for(lambda: self._heard > heard)
        except TimeoutError:
            pass
        return self._heard

    async def _listen(self, url: str) -> None:
        connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": "shuzheng"})
        try:
            await connection.add_listener(CHANNEL, self._on_notice)
            self._is_listening = True
            while True:
                await asyncio.sleep(CHECK_S)
                await connection.execute("SELECT 1", timeout=CHECK_S)
        finally:
            self._is_listening = False
            connection.terminate()

    def _on_notice(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        code, _, version = str(payload).rpartition(" ")
        if version.isdecimal():
            self._heard += 1
            self._newest[code] = max(int(version), self._newest.get(code, -1))
            telling = asyncio.get_running_loop().create_task(self._tell())
            self._tellers.add(telling)
            telling.add_done_callback(self._tellers.discard)

    async def _tell(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()
