"""Publishing a batch: one version, all or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import asyncpg

from core import memory
from core.caller import Caller
from core.database import Connection, Database
from core.errors import (
    BadInput,
    Closed,
    Conflict,
    Forbidden,
    IdempotencyConflict,
    NotFound,
    PreconditionFailed,
    ShuzhengError,
)
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource, RuleKind
from exchange.catalogue.standing import verify_open
from exchange.publish import store
from exchange.publish.apply import apply, foresee
from exchange.publish.digest_queue import DigestQueue
from exchange.publish.direct import may_load_directly
from exchange.publish.judge import enforce, judge
from exchange.publish.model import BatchResult, BatchState, Mode, Upload
from exchange.publish.progress import Phase, Progress
from exchange.publish.stage import Source, Staged, open_source, stage
from exchange.publish.tally import Tally
from exchange.publish.validate import Validator
from exchange.quality import store as quality_store

LISTED_BATCHES = 100
LARGE_BYTES = 16 * 1024 * 1024
TURNS: Final = 2
"""Publishes to one resource that hold a connection of this process: one commits, one gets ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The accounting of a batch; `replayed` where it is that of an earlier, equal request."""

    answer: dict[str, Any]
    replayed: bool


class PublishService:
    """Publishes batches of a provider's resources."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def turn(self, resource_code: str) -> asyncio.Semaphore:
        """Return what one waits in before it takes a connection to publish with.

        They queue in order; without it, many to one resource would leave none for the others.
        """
        return self._turns.setdefault(resource_code, asyncio.Semaphore(TURNS))

    async def require_own(self, code: str, *, caller: Caller) -> Resource:
        """Load a resource that the caller's organisation provides, with its rules.

        Raises NotFound or Forbidden.
        """
        async with self._database.acquire() as connection:
            resource = await catalogue_store.load_resource(connection, code=code)
            if resource is None:
                msg = "there is no resource of that code in the catalogue"
                raise NotFound(msg)
            if resource.provider_code != caller.organisation_code:
                msg = "only the organisation that provides a resource publishes to it and sees its batches"
                raise Forbidden(msg)
            rules = await quality_store.load_rules(connection, resource_code=code)
        return replace(resource, rules=(*resource.rules, *rules))

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
        source = await asyncio.to_thread(open_source, upload, resource, keys_only=mode is Mode.DELETE)
        batch_id, first_answer = await self.begin(
            resource, upload, caller=caller, mode=mode, idempotency_key=idempotency_key
        )
        if first_answer is not None:
            return Published(answer=first_answer, replayed=True)
        return await self._publish_or_fail(
            resource, source, upload, batch_id=batch_id, caller=caller, mode=mode, confirm=confirm
        )

    async def publish_begun(
        self,
        resource: Resource,
        upload: Upload,
        *,
        batch_id: UUID,
        caller: Caller,
        mode: Mode,
        confirm: bool,
    ) -> Published:
        """Publish a batch that was entered by `begin`; what goes wrong is kept with the batch too."""
        try:
            verify_open(resource, at=datetime.now(UTC))
            source = await asyncio.to_thread(open_source, upload, resource, keys_only=mode is Mode.DELETE)
        except ShuzhengError as error:
            await self.fail(batch_id, error)
            raise
        return await self._publish_or_fail(
            resource, source, upload, batch_id=batch_id, caller=caller, mode=mode, confirm=confirm
        )

    async def _publish_or_fail(
        self,
        resource: Resource,
        source: Source,
        upload: Upload,
        *,
        batch_id: UUID,
        caller: Caller,
        mode: Mode,
        confirm: bool,
    ) -> Published:
        try:
            return await self._publish(
                resource,
                source,
                batch_id=batch_id,
                body_sm3=upload.digest,
                caller=caller,
                mode=mode,
                confirm=confirm,
            )
        except (BadInput, Closed, PreconditionFailed) as error:
            await self.fail(batch_id, error)
            raise
        finally:
            if upload.size_bytes >= LARGE_BYTES:
                await asyncio.to_thread(memory.give_back)

    async def begin(
        self, resource: Resource, upload: Upload, *, caller: Caller, mode: Mode, idempotency_key: str
    ) -> tuple[UUID, dict[str, Any] | None]:
        """Enter a batch, or find that of the same key: its id, and its answer where it was published.

        Raises IdempotencyConflict where the key came before with another body.
        """
        async with self._database.transaction() as connection:
            row = await store.begin_batch(
                connection,
                batch_id=uuid4(),
                resource_code=resource.code,
                system_id=caller.system_id,
                idempotency_key=idempotency_key,
                digest=upload.digest,
                media_type=upload.media_type,
                charset=upload.charset,
                mode=mode,
            )
        if row["body_sm3"] != upload.digest:
            msg = "this Idempotency-Key came before with another body or mode; use a new key for a new batch"
            raise IdempotencyConflict(msg)
        return row["id"], row["answer"] if row["state"] == BatchState.PUBLISHED else None

    async def fail(self, batch_id: UUID, error: ShuzhengError) -> None:
        """Mark a batch failed, with the reason that its sender was told."""
        problem = {
            "code": error.code,
            "title": error.title,
            "detail": error.detail,
            "errors": [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in error.errors],
        }
        async with self._database.transaction() as connection:
            await store.fail_batch(connection, batch_id=batch_id, problem=problem)

    async def rehearse(self, resource: Resource, upload: Upload, *, mode: Mode) -> dict[str, Any]:
        """Do a dry run: validate and tell what publishing would do, with up to 1000 refused rows.

        Nothing is committed, and nobody waits for it. Raises what `publish` raises for a file.
        """
        verify_open(resource, at=datetime.now(UTC))
        source = await asyncio.to_thread(open_source, upload, resource, keys_only=mode is Mode.DELETE)
        validator = Validator(resource, source.columns, keys_only=mode is Mode.DELETE)
        async with (
            Tally(batch_id=uuid4(), resource_code=resource.code, is_dry=True) as tally,
            self._database.transaction() as connection,
        ):
            await store.prepare_transaction(connection)
            await self._stage(
                connection,
                resource=resource,
                source=source,
                validator=validator,
                tally=tally,
                mode=mode,
                progress=Progress(self._database, None),
            )
            result = await foresee(connection, resource=resource, validator=validator, tally=tally, mode=mode)
        rejects = [
            {
                "row": reject.row_number,
                "original": reject.original,
                "reasons": [{"item": r.item, "code": r.code, "detail": r.detail} for r in reject.reasons],
            }
            for reject in tally.sample
        ]
        return {**result.render(), "batch": None, "dry_run": True, "rejects": rejects}

    async def _publish(
        self,
        resource: Resource,
        source: Source,
        *,
        batch_id: UUID,
        body_sm3: bytes,
        caller: Caller,
        mode: Mode,
        confirm: bool,
    ) -> Published:
        progress = Progress(self._database, batch_id)
        async with self.turn(resource.code), self._database.transaction() as connection:
            replay = await _take_batch(connection, resource=resource, batch_id=batch_id)
            if replay is not None:
                return Published(answer=replay, replayed=True)
            result = await self.commit_rows(
                connection,
                resource,
                source,
                batch_id=batch_id,
                body_sm3=body_sm3,
                caller=caller,
                mode=mode,
                confirm=confirm,
                progress=progress,
            )
        await progress.finish()
        return Published(answer=result.render(), replayed=False)

    async def commit_rows(
        self,
        connection: Connection,
        resource: Resource,
        source: Source,
        *,
        batch_id: UUID,
        body_sm3: bytes,
        caller: Caller,
        mode: Mode,
        confirm: bool,
        progress: Progress,
    ) -> BatchResult:
        """Bring rows all the way to the next version, in the transaction of `connection`."""
        validator = Validator(resource, source.columns, keys_only=mode is Mode.DELETE)
        await store.prepare_transaction(connection)
        digests = DigestQueue(source.folder)
        async with Tally(batch_id=batch_id, resource_code=resource.code, digests=digests) as tally:
            staged = await self._stage(
                connection,
                resource=resource,
                source=source,
                validator=validator,
                tally=tally,
                mode=mode,
                progress=progress,
            )
            await progress.report(Phase.MERGING, tally.received)
            result = await apply(
                connection,
                resource=resource,
                validator=validator,
                tally=tally,
                mode=mode,
                confirm=confirm,
                direct=staged.direct,
            )
        await store.finish_batch(connection, result=result)
        await self._log.append(
            connection,
            event=Event.BATCH_PUBLISHED,
            caller=caller,
            resource_code=resource.code,
            details=result.render() | {"body_sm3": body_sm3.hex()},
        )
        return result

    async def _stage(
        self,
        connection: Connection,
        *,
        resource: Resource,
        source: Source,
        validator: Validator,
        tally: Tally,
        mode: Mode,
        progress: Progress,
    ) -> Staged:
        may_load = not tally.is_dry and mode is not Mode.DELETE
        staged = await stage(
            connection,
            resource=resource,
            validator=validator,
            source=source,
            tally=tally,
            progress=progress,
            may_load=may_load and may_load_directly(resource, validator.item_names),
        )
        await progress.report(Phase.JUDGING, tally.received)
        if any(rule.kind is RuleKind.UNIQUE for rule in resource.rules) and not tally.is_dry:
            await store.lock_resource(connection, resource=resource)
        judgement = await judge(
            connection,
            resource=resource,
            mode=mode,
            validator=validator,
            staged=staged,
            targets=await _load_targets(connection, resource),
        )
        await enforce(
            connection, judgement, resource=resource, validator=validator, source=source, tally=tally
        )
        return staged

    async def load_batch(self, resource: Resource, batch_id: UUID) -> dict[str, Any]:
        """Load how far a batch is, and its accounting. Raises NotFound."""
        async with self._database.acquire() as connection:
            row = await store.load_batch(connection, resource_code=resource.code, batch_id=batch_id)
        if row is None:
            msg = "there is no such batch of this resource"
            raise NotFound(msg)
        return _render_batch(row)

    async def load_batches(
        self, resource: Resource, *, caller: Caller, idempotency_key: str | None
    ) -> list[dict[str, Any]]:
        """Load the newest batches, or the caller's batch of an Idempotency-Key."""
        async with self._database.acquire() as connection:
            rows = await store.load_batches(
                connection,
                resource_code=resource.code,
                system_id=caller.system_id,
                idempotency_key=idempotency_key,
                limit=LISTED_BATCHES,
            )
        return [_render_batch(row) for row in rows]


def _render_batch(row: asyncpg.Record) -> dict[str, Any]:
    shown = {"batch": str(row["id"]), "state": row["state"], "mode": row["mode"], **(row["answer"] or {})}
    shown["created_at"] = row["created_at"].isoformat()
    if row["state"] == BatchState.RECEIVING:
        shown["progress"] = {"phase": row["phase"] or "waiting", "rows": row["rows"] or 0}
    if row["problem"] is not None:
        shown["problem"] = row["problem"]
    return shown


async def _load_targets(connection: Connection, resource: Resource) -> dict[str, Resource]:
    codes = {rule.target for rule in resource.rules if rule.kind is RuleKind.REFERENCE and rule.target}
    found = [await catalogue_store.load_resource(connection, code=code) for code in sorted(codes)]
    return {target.code: target for target in found if target is not None}


async def _take_batch(connection: Connection, *, resource: Resource, batch_id: UUID) -> dict[str, Any] | None:
    """Make the batch this transaction's own; return its answer where it was published meanwhile."""
    if not await store.try_lock_batch(connection, batch_id=batch_id):
        msg = "the same batch is being published right now; ask for its outcome with the same request later"
        raise Conflict(msg)
    row = await store.load_batch(connection, resource_code=resource.code, batch_id=batch_id)
    assert row is not None
    return dict(row["answer"]) if row["state"] == BatchState.PUBLISHED else None
