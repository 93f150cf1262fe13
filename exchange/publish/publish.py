"""Publishing a batch: one version, all or nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from core.caller import Caller
from core.database import Connection, Database
from core.errors import BadInput, Conflict, Forbidden, IdempotencyConflict, NotFound, PreconditionFailed
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open
from exchange.publish import store
from exchange.publish.decode import DecodedBatch, open_upload
from exchange.publish.duplicates import KeyWatch
from exchange.publish.model import BatchResult, BatchState, Mode, Reason, Reject, Upload
from exchange.publish.typed import encode_rows
from exchange.publish.validate import Validator
from exchange.publish.validated import ValidatedBatch

MAX_DELETE_SHARE = 0.2
REJECT_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The accounting of a batch; `replayed` where it is that of an earlier, equal request."""

    answer: dict[str, Any]
    replayed: bool


@dataclass(slots=True)
class _Tally:
    """What has been counted of a batch so far; refused rows themselves go to the database at once."""

    batch_id: UUID
    received: int = 0
    rejected: int = 0
    by_reason: Counter[str] = field(default_factory=Counter)

    async def refuse(self, connection: Connection, rejects: Sequence[Reject]) -> None:
        """Put rows into quarantine and count them."""
        if rejects:
            await store.save_rejects(connection, batch_id=self.batch_id, rejects=rejects)
            self.rejected += len(rejects)
            self.by_reason.update(reason.code for reject in rejects for reason in reject.reasons)


class PublishService:
    """Publishes batches of a provider's resources."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log

    async def require_own(self, code: str, *, caller: Caller) -> Resource:
        """Load a resource that the caller's organisation provides. Raises NotFound or Forbidden."""
        async with self._database.acquire() as connection:
            resource = await catalogue_store.load_resource(connection, code=code)
        if resource is None:
            msg = "there is no resource of that code in the catalogue"
            raise NotFound(msg)
        if resource.provider_code != caller.organisation_code:
            msg = "only the organisation that provides a resource publishes to it and sees its batches"
            raise Forbidden(msg)
        return resource

    async def publish(
        self,
        resource: Resource,
        upload: Upload,
        *,
        caller: Caller,
        mode: Mode,
        idempotency_key: str,
        confirm: bool = False,
    ) -> Published:
        """Publish `upload` to `resource`, whose provider the caller is (`require_own`).

        Everything becomes visible in one transaction: current rows, change log, version, quarantine, log
        leaf. Raises SchemaViolation, BadInput or UnsupportedContent for a file that cannot be taken,
        IdempotencyConflict or Conflict for a key in use, PreconditionFailed for a snapshot that would delete
        more than a fifth of the rows and is not confirmed. Then nothing was changed.
        """
        verify_open(resource, at=datetime.now(UTC))
        keys_only = mode is Mode.DELETE
        columns, batches = await asyncio.to_thread(open_upload, upload, resource, keys_only=keys_only)
        batch_id, first_answer = await self._begin(
            resource, upload, caller=caller, mode=mode, idempotency_key=idempotency_key
        )
        if first_answer is not None:
            return Published(answer=first_answer, replayed=True)
        validator = Validator(resource, columns, keys_only=keys_only)
        tally = _Tally(batch_id=batch_id)
        try:
            async with self._database.transaction() as connection:
                replay = await _take_batch(connection, resource=resource, batch_id=batch_id)
                if replay is not None:
                    return Published(answer=replay, replayed=True)
                await store.prepare_transaction(connection)
                suspects = await _stage(
                    connection, resource=resource, validator=validator, batches=batches, tally=tally
                )
                await _refuse_duplicates(
                    connection, resource=resource, upload=upload, tally=tally, suspects=suspects
                )
                result = await _apply(
                    connection,
                    resource=resource,
                    validator=validator,
                    tally=tally,
                    mode=mode,
                    confirm=confirm,
                )
                await store.finish_batch(connection, result=result)
                await self._log.append(
                    connection,
                    event=Event.BATCH_PUBLISHED,
                    caller=caller,
                    resource_code=resource.code,
                    details=result.render() | {"body_sm3": upload.digest.hex()},
                )
        except (BadInput, PreconditionFailed):
            async with self._database.transaction() as connection:
                await store.fail_batch(connection, batch_id=batch_id)
            raise
        return Published(answer=result.render(), replayed=False)

    async def load_batch(self, resource: Resource, batch_id: UUID) -> dict[str, Any]:
        """Load how far a batch is, and its accounting. Raises NotFound."""
        async with self._database.acquire() as connection:
            row = await store.load_batch(connection, resource_code=resource.code, batch_id=batch_id)
        if row is None:
            msg = "there is no such batch of this resource"
            raise NotFound(msg)
        return {"batch": str(row["id"]), "state": row["state"], "mode": row["mode"], **(row["answer"] or {})}

    async def load_rejects(
        self, resource: Resource, batch_id: UUID, *, caller: Caller, after: int
    ) -> list[dict[str, Any]]:
        """Load a page of a batch's quarantine, and log that it was read. Raises NotFound."""
        await self.load_batch(resource, batch_id)
        async with self._database.transaction() as connection:
            found = await store.load_rejects(connection, batch_id=batch_id, after=after, limit=REJECT_PAGE)
            await self._log.append(
                connection,
                event=Event.REJECTS_READ,
                caller=caller,
                resource_code=resource.code,
                details={"batch": str(batch_id), "rows": len(found)},
            )
        return found

    async def read_rejects(
        self, resource: Resource, batch_id: UUID, *, caller: Caller
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Read a batch's whole quarantine, a page at a time; each page is logged. Raises NotFound."""
        after = 0
        while page := await self.load_rejects(resource, batch_id, caller=caller, after=after):
            yield page
            after = page[-1]["row"]

    async def load_reject_headers(self, batch_id: UUID) -> list[str]:
        """Load the headers of the file that a batch's refused rows came in; empty where there are none."""
        async with self._database.acquire() as connection:
            return await store.load_reject_headers(connection, batch_id=batch_id)

    async def _begin(
        self, resource: Resource, upload: Upload, *, caller: Caller, mode: Mode, idempotency_key: str
    ) -> tuple[UUID, dict[str, Any] | None]:
        async with self._database.transaction() as connection:
            row = await store.begin_batch(
                connection,
                batch_id=uuid4(),
                resource_code=resource.code,
                system_id=caller.system_id,
                idempotency_key=idempotency_key,
                upload=upload,
                mode=mode,
            )
        if row["body_sm3"] != upload.digest:
            msg = "this Idempotency-Key came before with another body or mode; use a new key for a new batch"
            raise IdempotencyConflict(msg)
        return row["id"], row["answer"] if row["state"] == BatchState.PUBLISHED else None


async def _take_batch(connection: Connection, *, resource: Resource, batch_id: UUID) -> dict[str, Any] | None:
    """Make the batch this transaction's own; return its answer where it was published meanwhile."""
    if not await store.try_lock_batch(connection, batch_id=batch_id):
        msg = "the same batch is being published right now; ask for its outcome with the same request later"
        raise Conflict(msg)
    row = await store.load_batch(connection, resource_code=resource.code, batch_id=batch_id)
    assert row is not None
    return dict(row["answer"]) if row["state"] == BatchState.PUBLISHED else None


async def _stage(
    connection: Connection,
    *,
    resource: Resource,
    validator: Validator,
    batches: Iterator[DecodedBatch],
    tally: _Tally,
) -> list[int] | None:
    """Decode, validate and copy into the staging table, a piece of the file at a time.

    The heavy work leaves the event loop, a piece ahead of the database. Memory holds two pieces, however many
    rows are refused. Returns the rows that may share a key with another; None for "any of them".
    """
    await store.create_staging(connection, resource=resource, item_names=validator.item_names)

    watch = KeyWatch([item.name for item in resource.key_items])

    def next_piece() -> tuple[ValidatedBatch, bytes] | None:
        decoded = next(batches, None)
        if decoded is None:
            return None
        validated = validator.validate(decoded)
        watch.add(validated.accepted)
        return validated, encode_rows(validated.accepted)

    coming = asyncio.create_task(asyncio.to_thread(next_piece))
    try:
        while (piece := await coming) is not None:
            coming = asyncio.create_task(asyncio.to_thread(next_piece))
            validated, data = piece
            tally.received += validated.received_rows
            if data:
                await store.copy_to_staging(connection, item_names=validator.item_names, data=data)
            await tally.refuse(connection, validated.rejects)
    finally:
        await asyncio.gather(coming, return_exceptions=True)
    return watch.suspects()


async def _refuse_duplicates(
    connection: Connection,
    *,
    resource: Resource,
    upload: Upload,
    tally: _Tally,
    suspects: Sequence[int] | None,
) -> None:
    """Refuse rows whose key came before in the batch; the first of each key stays.

    The file is read once more to quarantine these rows as they were sent.
    """
    keys = [item.name for item in resource.key_items]
    if suspects is not None and not suspects:
        return
    firsts = dict(await store.take_duplicates(connection, resource=resource, suspects=suspects))
    if not firsts:
        return
    _, batches = await asyncio.to_thread(open_upload, upload, resource, keys_only=True)

    def next_rejects() -> list[Reject] | None:
        batch = next(batches, None)
        return None if batch is None else list(_duplicates_in(batch, firsts, ", ".join(keys)))

    while (rejects := await asyncio.to_thread(next_rejects)) is not None:
        await tally.refuse(connection, rejects)


def _duplicates_in(batch: DecodedBatch, firsts: dict[int, int], keys: str) -> Iterator[Reject]:
    for place, number in enumerate(batch.numbers):
        if number in firsts:
            detail = f"the key {keys} came before, in row {firsts[number]}, which was taken"
            yield Reject(
                row_number=number,
                original={header: column[place].as_py() for header, column in batch.columns.items()},
                reasons=(Reason(item=None, code="DUPLICATE-KEY", detail=detail),),
            )


async def _apply(
    connection: Connection,
    *,
    resource: Resource,
    validator: Validator,
    tally: _Tally,
    mode: Mode,
    confirm: bool,
) -> BatchResult:
    """Merge the staged rows under the next version number; without an accepted row, make no version."""
    staged = await store.count_staged(connection)
    current_version, current_rows = await store.lock_resource(connection, code=resource.code)
    operations: dict[str, int] = {}
    version = None
    if staged:
        if mode is Mode.SNAPSHOT and not confirm:
            await _guard_snapshot(connection, resource=resource, current_rows=current_rows)
        version = current_version + 1
        await catalogue_store.ensure_partition(connection, code=resource.code, version=version)
        names = validator.item_names
        if mode is not Mode.DELETE and await store.is_empty(connection, code=resource.code):
            operations = await store.insert_first(
                connection, resource=resource, item_names=names, version=version
            )
        else:
            await store.analyze_staging(connection)
            operations = await store.merge(
                connection, resource=resource, item_names=names, mode=mode, version=version
            )
    inserted, updated = operations.get("insert", 0), operations.get("update", 0)
    deleted = operations.get("delete", 0)
    result = BatchResult(
        batch_id=tally.batch_id,
        resource_code=resource.code,
        mode=mode,
        version=version,
        received=tally.received,
        accepted=staged,
        rejected=tally.rejected,
        inserted=inserted,
        updated=updated,
        unchanged=0 if mode is Mode.DELETE else staged - inserted - updated,
        deleted=deleted,
        missing=staged - deleted if mode is Mode.DELETE else 0,
        current_rows=current_rows + inserted - deleted,
        rejected_by_reason=dict(tally.by_reason),
    )
    if version is not None:
        await store.save_version(connection, result=result)
    return result


async def _guard_snapshot(connection: Connection, *, resource: Resource, current_rows: int) -> None:
    doomed = await store.count_missing_from_staging(connection, resource=resource)
    if doomed > MAX_DELETE_SHARE * current_rows:
        msg = (
            f"this snapshot would delete {doomed} of {current_rows} rows, more than "
            f"{MAX_DELETE_SHARE:.0%}; send it with confirm=true if that is meant"
        )
        raise PreconditionFailed(msg)
