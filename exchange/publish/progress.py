"""Telling others how far a batch is, while its own transaction shows nothing yet."""

from __future__ import annotations

import time
from contextlib import suppress
from enum import StrEnum
from uuid import UUID

from core.database import Database
from core.errors import Unavailable
from exchange.publish import store

INTERVAL_S = 0.5


class Phase(StrEnum):
    """What is being done to a batch."""

    READING = "reading"
    JUDGING = "judging"
    MERGING = "merging"


class Progress:
    """Notes phase and rows of one batch, at most twice a second, over connections of its own.

    A hub that has no connection to spare goes on without telling.
    """

    def __init__(self, database: Database, batch_id: UUID | None) -> None:
        self._database = database
        self._batch_id = batch_id
        self._phase: Phase | None = None
        self._told_at_s = time.monotonic()

    async def report(self, phase: Phase, rows: int) -> None:
        """Note that `rows` rows have come as far as `phase`. The first half second passes in silence."""
        is_due = time.monotonic() - self._told_at_s >= INTERVAL_S
        if self._batch_id is None or not (is_due or (self._phase is not None and phase is not self._phase)):
            return
        self._phase, self._told_at_s = phase, time.monotonic()
        with suppress(Unavailable):
            async with self._database.acquire() as connection:
                await store.save_progress(connection, batch_id=self._batch_id, phase=phase, rows=rows)

    async def finish(self) -> None:
        """Forget the progress of a batch that has its answer."""
        if self._batch_id is not None and self._phase is not None:
            with suppress(Unavailable):
                async with self._database.acquire() as connection:
                    await store.delete_progress(connection, batch_id=self._batch_id)
