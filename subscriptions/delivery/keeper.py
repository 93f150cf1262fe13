"""Pruning deliveries whose time is over, a piece at a time, and dead letters that were taken at last.

What goes stays accounted for: the leaf of each reading names its delivery with the SM3 of the manifest, and a
leaf of each piece counts what went, and digests manifests and countersignatures.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from core.database import Database
from core.errors import ShuzhengError
from core.log.model import Event
from core.log.writer import LogWriter
from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json
from subscriptions.delivery import store
from subscriptions.delivery.model import Delivery

INTERVAL_S: Final = 3600.0
PIECE_ROWS: Final = 500
logger = logging.getLogger("shuzheng.subscriptions")


class DeliveryKeeper:
    """Prunes hourly in every process; pieces are locked, so that each is taken by one of them."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        keep_days: int,
        now: Callable[[], datetime],
        piece_rows: int = PIECE_ROWS,
    ) -> None:
        self._database = database
        self._log = log
        self._keep_days = keep_days
        self._now = now
        self._piece_rows = piece_rows

    async def run(self) -> None:
        """Prune until cancelled."""
        while True:
            try:
                await self.prune()
            except ShuzhengError as trouble:
                logger.warning("deliveries are not pruned: %s", type(trouble).__name__)
            await asyncio.sleep(INTERVAL_S)

    async def prune(self) -> int:
        """Prune everything once; return how many deliveries went."""
        gone = 0
        while True:
            taken = await self._prune_piece()
            gone += taken
            if taken < self._piece_rows:
                return gone

    async def _prune_piece(self) -> int:
        before = self._now() - timedelta(days=self._keep_days)
        async with self._database.transaction() as connection:
            taken = await store.take_old_deliveries(connection, before=before, limit=self._piece_rows)
            letters = await store.delete_old_letters(connection, before=before, limit=self._piece_rows)
            if taken or letters:
                await self._log.append(
                    connection,
                    event=Event.DELIVERIES_PRUNED,
                    caller=None,
                    details={
                        "before": before.isoformat(),
                        "deliveries": len(taken),
                        "rows": sum(each.rows for each in taken),
                        "letters": letters,
                        "digest": digest_deliveries(taken),
                    },
                )
        return max(len(taken), letters)


def digest_deliveries(deliveries: Sequence[Delivery]) -> str:
    """Return SM3, in hex, of canonical JSON: [id, SM3 of the manifest, of the countersignature], by id."""
    lines: list[JsonValue] = [
        [
            str(each.id),
            sm3.digest(each.manifest).hex(),
            None if each.countersignature is None else sm3.digest(each.countersignature).hex(),
        ]
        for each in sorted(deliveries, key=lambda each: each.id)
    ]
    return sm3.digest(build_canonical_json(lines)).hex()
