"""The duty that publishes breaches into the credit dataset, by the path that every batch takes."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from core.caller import Caller
from core.database import Database
from core.duties import do_each, take_turns
from core.errors import (
    BadInput,
    Closed,
    Conflict,
    Forbidden,
    IdempotencyConflict,
    NotFound,
    ShuzhengError,
)
from core.identity.acting import load_caller
from core.identity.store import load_organisation
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.commitments.closing import tell_office
from evidence.commitments.model import Placed
from evidence.commitments.store import load_placed
from evidence.credit import store
from evidence.credit.model import Entry, EntryState
from evidence.credit.rows import COLUMNS, RowBuilder
from exchange.publish.model import BatchState, Mode
from exchange.publish.publish import PublishService
from exchange.publish.receive import receive_upload

AT_ONCE: Final = 50
MAX_BYTES: Final = 1024 * 1024
MEDIA_TYPE: Final = "text/csv"


class BreachPublisher:
    """Enters what undertakings came to, and publishes each as a batch of one row.

    The batch bears a key of the undertaking and its state: tried again after a kill at any moment, it is the
    same batch. What the dataset's rules refuse stands in its quarantine, and is told to both sides.
    """

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        publisher: PublishService,
        rows: RowBuilder,
        spool_dir: Path,
        interval_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._publisher = publisher
        self._rows = rows
        self._spool_dir = spool_dir
        self._interval_s = interval_s
        self._now = now

    async def run(self) -> None:
        """Work until cancelled. A database that is down is waited for."""
        await take_turns(
            self.work_once, full=AT_ONCE, every_s=self._interval_s, waits="publishing of breaches"
        )

    async def work_once(self) -> int:
        """Publish the entries that are due; return how many were tried."""
        now = self._now()
        async with self._database.transaction() as connection:
            if await store.enter_due(connection, at=now):
                await self._log.append(connection, event=Event.CREDIT_ENTERED, caller=None)
            again_at = now + timedelta(seconds=self._interval_s)
            claimed = await store.claim_entries(connection, at=now, again_at=again_at, limit=AT_ONCE)
        await do_each(claimed, self._publish, failed="a breach could not be published")
        return len(claimed)

    async def _publish(self, entry: Entry) -> None:
        async with self._database.acquire() as connection:
            dataset = await store.load_dataset(connection)
            placed = await load_placed(connection, undertaking_id=entry.undertaking_id)
            caller = None
            if dataset is not None and dataset.resource_code == entry.resource_code:
                caller = await load_caller(connection, system_id=dataset.system_id)
            if caller is None or placed is None:
                return
            office = await load_organisation(connection, code=placed.organisation_code)
        row = self._rows.build(placed, office_name=office.name, told=entry.told_state)
        if row is None:
            await self._settle(entry, placed, EntryState.REFUSED, reason="nobody is named any more")
            return
        answer: Mapping[str, Any] | None
        try:
            answer = await self._send(entry, row, caller)
        except Closed:
            return  # it waits until the dataset is open again
        except (BadInput, Forbidden, IdempotencyConflict, NotFound) as refused:
            answer = await self._find_answer(entry, caller, refused)
            if answer is None:
                reason = f"{refused.code}: {refused.detail}"
                await self._settle(entry, placed, EntryState.REFUSED, reason=reason)
                return
        except Conflict:
            return  # another process is at this very batch; what came of it is found the next time
        if answer["accepted"]:
            await self._settle(entry, placed, EntryState.PUBLISHED, batch_id=UUID(answer["batch"]))
            return
        reasons = ", ".join(sorted(answer["rejected_by_reason"]))
        batch_id = UUID(answer["batch"])
        await self._settle(entry, placed, EntryState.REFUSED, batch_id=batch_id, reason=reasons)

    async def _find_answer(
        self, entry: Entry, caller: Caller, refused: ShuzhengError
    ) -> Mapping[str, Any] | None:
        """Return what an earlier try published, where only that the row would be another now is against it.

        Whoever published it died before it could be told; meanwhile the office, say, got another name.
        """
        if not isinstance(refused, IdempotencyConflict):
            return None
        resource = await self._publisher.require_own(entry.resource_code, caller=caller)
        batches = await self._publisher.load_batches(
            resource, caller=caller, idempotency_key=entry.idempotency_key
        )
        return next((each for each in batches if each["state"] == BatchState.PUBLISHED), None)

    async def _send(self, entry: Entry, row: Mapping[str, str], caller: Caller) -> dict[str, Any]:
        """Publish the row as any provider would. Raises as `PublishService.publish`."""
        resource = await self._publisher.require_own(entry.resource_code, caller=caller)
        async with receive_upload(
            _write_csv(row),
            spool_dir=self._spool_dir,
            max_bytes=MAX_BYTES,
            media_type=MEDIA_TYPE,
            charset="utf-8",
            label=f"{Mode.UPSERT} {MEDIA_TYPE}",
        ) as upload:
            published = await self._publisher.publish(
                resource,
                upload,
                caller=caller,
                mode=Mode.UPSERT,
                idempotency_key=entry.idempotency_key,
            )
        return published.answer

    async def _settle(
        self,
        entry: Entry,
        placed: Placed,
        state: EntryState,
        *,
        batch_id: UUID | None = None,
        reason: str | None = None,
    ) -> None:
        now = self._now()
        async with self._database.transaction() as connection:
            settled = await store.settle_entry(
                connection, entry=entry, state=state, batch_id=batch_id, reason=reason, at=now
            )
            if not settled:
                return
            told = f"{state} in the credit dataset as {entry.told_state}"
            await tell_office(connection, placed, state=told, reason=reason or "", at=now)
            await self._log.append(
                connection,
                event=Event.CREDIT_PUBLISHED,
                caller=None,
                resource_code=entry.resource_code,
                details={
                    "undertaking": str(entry.undertaking_id),
                    "told": entry.told_state,
                    "state": state,
                    "batch": None if batch_id is None else str(batch_id),
                    "reason": reason,
                },
            )


async def _write_csv(row: Mapping[str, str]) -> AsyncIterator[bytes]:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    yield out.getvalue().encode()
