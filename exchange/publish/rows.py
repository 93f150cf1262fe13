"""Single rows in real time, on the same path as batches.

Rows that wait while a version is being committed go into the next one together (group commit), so that many
writers do not wait for each other; each gets its own answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID, uuid4

import pyarrow as pa

from core.caller import Caller, SystemId
from core.database import Connection, Database
from core.errors import BadInput, IdempotencyConflict, ShuzhengError, TooLarge, Unavailable
from exchange.catalogue.model import Resource
from exchange.publish import store, store_quarantine, store_rows
from exchange.publish.decode import match_header
from exchange.publish.decoded import DecodedBatch
from exchange.publish.media import NDJSON
from exchange.publish.model import BatchResult, Mode, Reject
from exchange.publish.ndjson_rows import read_row
from exchange.publish.progress import Progress
from exchange.publish.publish import PublishService
from exchange.publish.stage import Source
from signing import sm3

logger = logging.getLogger(__name__)

MAX_ROWS: Final = 1000
MAX_GROUP_ROWS: Final = 10_000
GroupKey = tuple[str, SystemId, Mode, frozenset[str]]


@dataclass(slots=True, kw_only=True)
class _Write:
    """One request that waits for its version."""

    key: str
    digest: bytes
    rows: list[tuple[int, dict[str, str | None]]]
    malformed: list[Reject]
    columns: dict[str, str]
    answer: asyncio.Future[dict[str, Any]] = field(default_factory=asyncio.Future)

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.malformed)


class RowWriter:
    """Writes single rows. One per hub process; hubs queue behind each other at the database."""

    def __init__(self, *, database: Database, publisher: PublishService) -> None:
        self._database = database
        self._publisher = publisher
        self._waiting: dict[GroupKey, list[_Write]] = defaultdict(list)
        self._workers: dict[GroupKey, asyncio.Task[None]] = {}

    async def write(
        self, resource: Resource, body: bytes, *, caller: Caller, mode: Mode, idempotency_key: str
    ) -> dict[str, Any]:
        """Write the rows of an NDJSON body (at most MAX_ROWS lines) and wait until they are committed.

        Returns batch, version and, for each row refused, its line and reasons. The same key with the same
        body gives the first answer. Raises SchemaViolation, BadInput, TooLarge, IdempotencyConflict.
        """
        write = _read(resource, body, mode=mode, key=idempotency_key)
        group = (resource.code, caller.system_id, mode, frozenset(write.columns.values()))
        self._waiting[group].append(write)
        if group not in self._workers:
            worker = self._work(group, resource, caller, mode)
            self._workers[group] = asyncio.create_task(worker)
        return await asyncio.shield(write.answer)

    async def _work(self, group: GroupKey, resource: Resource, caller: Caller, mode: Mode) -> None:
        try:
            while waiting := self._waiting.pop(group, []):
                taken, later = _choose(waiting, resource)
                if later:
                    self._waiting[group] = later
                await self._commit_or_tell(taken, resource, caller, mode)
        finally:
            del self._workers[group]

    async def _commit_or_tell(
        self, writes: list[_Write], resource: Resource, caller: Caller, mode: Mode
    ) -> None:
        try:
            answers = await self._commit(writes, resource, caller, mode)
        except ShuzhengError as error:
            _fail(writes, error)
        except Exception:
            logger.exception("rows of %s were not written", resource.code)
            msg = "the rows were not written; nothing was changed; try again later"
            _fail(writes, Unavailable(msg))
        else:
            for write, answer in zip(writes, answers, strict=True):
                if not write.answer.done():
                    if isinstance(answer, ShuzhengError):
                        write.answer.set_exception(answer)
                    else:
                        write.answer.set_result(answer)

    async def _commit(
        self, writes: list[_Write], resource: Resource, caller: Caller, mode: Mode
    ) -> list[dict[str, Any] | ShuzhengError]:
        """Commit the writes that are new as one version; answer all."""
        async with self._publisher.turn(resource.code), self._database.transaction() as connection:
            known = await store_rows.load_answers(
                connection,
                system_id=caller.system_id,
                resource_code=resource.code,
                keys=[write.key for write in writes],
            )
            new = [write for write in writes if write.key not in known]
            answers = await self._publish(connection, new, resource, caller, mode) if new else {}
        result: list[dict[str, Any] | ShuzhengError] = []
        for write in writes:
            if write.key not in known:
                result.append(answers[write.key])
            elif known[write.key].digest == write.digest:
                result.append({**known[write.key].answer, "replayed": True})
            else:
                msg = "this Idempotency-Key came before with other rows; use a new key"
                result.append(IdempotencyConflict(msg))
        return result

    async def _publish(
        self, connection: Connection, writes: list[_Write], resource: Resource, caller: Caller, mode: Mode
    ) -> dict[str, dict[str, Any]]:
        batch_id = uuid4()
        digest = sm3.digest_parts(write.digest for write in writes)
        await store.begin_batch(
            connection,
            batch_id=batch_id,
            resource_code=resource.code,
            system_id=caller.system_id,
            idempotency_key=f"rows:{batch_id}",
            digest=digest,
            media_type=NDJSON,
            charset=None,
            mode=mode,
        )
        result = await self._publisher.commit_rows(
            connection,
            resource,
            _build_source(writes),
            batch_id=batch_id,
            body_sm3=digest,
            caller=caller,
            mode=mode,
            confirm=False,
            progress=Progress(self._database, None),
        )
        refused: list[dict[str, Any]] = []
        while page := await store_quarantine.load_rows(
            connection,
            table=store_quarantine.REJECTS,
            batch_id=batch_id,
            after=refused[-1]["row"] if refused else 0,
            limit=MAX_GROUP_ROWS + MAX_ROWS,
        ):
            refused += page
        answers = _share_out(writes, batch_id, result, refused)
        await store_rows.save_answers(
            connection,
            system_id=caller.system_id,
            resource_code=resource.code,
            answers=[(write.key, write.digest, answers[write.key]) for write in writes],
        )
        return answers


def _read(resource: Resource, body: bytes, *, mode: Mode, key: str) -> _Write:
    lines = [line for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    if not lines:
        msg = "send one JSON object a line, a row each"
        raise BadInput(msg)
    if len(lines) > MAX_ROWS:
        msg = f"at most {MAX_ROWS} rows at once; send more as a batch"
        raise TooLarge(msg)
    rows, malformed = [], []
    for number, line in enumerate(lines, start=1):
        found = read_row(number, line)
        if isinstance(found, Reject):
            malformed.append(found)
        else:
            rows.append((number, found))
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    if not rows:
        msg = "no line is a JSON object; send one a line, a row each"
        raise BadInput(msg)
    columns = match_header(names, resource, keys_only=mode is Mode.DELETE)
    renamed = [
        (number, {columns[name]: cell for name, cell in row.items() if name in columns})
        for number, row in rows
    ]
    digest = sm3.digest(f"{mode}\0".encode() + body)
    return _Write(key=key, digest=digest, rows=renamed, malformed=malformed, columns=columns)


def _choose(waiting: list[_Write], resource: Resource) -> tuple[list[_Write], list[_Write]]:
    """Take writes for one version: none touches a key of one before it, or repeats its Idempotency-Key."""
    taken: list[_Write] = []
    seen: set[tuple[str | None, ...]] = set()
    keys: set[str] = set()
    size = 0
    for place, write in enumerate(waiting):
        touched = {
            tuple((row.get(item.name) or "").strip().upper() for item in resource.key_items)
            for _, row in write.rows
        }
        if taken and (seen & touched or write.key in keys or size + write.size > MAX_GROUP_ROWS):
            return taken, waiting[place:]
        seen |= touched
        keys.add(write.key)
        taken.append(write)
        size += write.size
    return taken, []


def _build_source(writes: Sequence[_Write]) -> Source:
    """Line the rows of all writes up, numbered through."""
    names = list(dict.fromkeys(name for write in writes for name in write.columns.values()))
    numbers, rows, malformed, base = [], [], [], 0
    for write in writes:
        numbers += [base + number for number, _ in write.rows]
        rows += [row for _, row in write.rows]
        malformed += [replace(reject, row_number=base + reject.row_number) for reject in write.malformed]
        base += write.size
    batch = DecodedBatch(
        numbers=numbers,
        columns={name: pa.array([row.get(name) for row in rows], pa.string()) for name in names},
        malformed=tuple(malformed),
    )
    columns = {name: name for name in names}
    return Source(columns=columns, batches=iter([batch]), reopen=lambda: iter([batch]))


def _share_out(
    writes: Sequence[_Write], batch_id: UUID, result: BatchResult, refused: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Tell each write what became of its rows."""
    answers, base = {}, 0
    for write in writes:
        mine = [reject for reject in refused if base < reject["row"] <= base + write.size]
        answers[write.key] = {
            "batch": str(batch_id),
            "version": result.version,
            "received": write.size,
            "accepted": write.size - len(mine),
            "rejected": len(mine),
            "rejects": [
                {
                    "line": reject["row"] - base,
                    "ticket": reject["ticket"],
                    "reasons": reject["reasons"],
                }
                for reject in mine
            ],
        }
        base += write.size
    return answers


def _fail(writes: Sequence[_Write], error: ShuzhengError) -> None:
    for write in writes:
        if not write.answer.done():
            write.answer.set_exception(error)
