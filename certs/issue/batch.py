"""Issue many certificates in one call, each on its own: what fails leaves the others alone.

Orders are taken in chunks: checked together, their files made one after another, then kept together, while
the files of the next chunk are being made. A kill -9 leaves whole chunks; sent again under the same key, the
batch goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import asyncpg

from certs.issue.keep import MadeCertificate
from certs.issue.model import Certificate, IssueOrder
from certs.issue.prepare import PreparedOrder
from certs.issue.record import Refusal, RequestKey
from certs.issue.rows import RowReference
from certs.issue.service import IssueService, SealKey, Work, seal_key
from certs.seals.model import OpenSeal
from core.caller import Caller, Purpose
from core.errors import Conflict, IdempotencyConflict, ShuzhengError, Unavailable

CHUNK: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One line of a batch: an order, or why the line is none."""

    line: int
    order: IssueOrder | None = None
    reference: RowReference | None = None
    key: RequestKey | None = None
    error: ShuzhengError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What became of one line. `is_again` marks a certificate that an earlier call under the key issued.

    A dry run issues nothing: then `identifier` is the one that would be given, and `certificate` None.
    """

    line: int
    identifier: str | None = None
    certificate: Certificate | None = None
    is_again: bool = False
    error: ShuzhengError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    item: BatchItem
    certificate: MadeCertificate


class BatchIssuer:
    """Issues batches by the means of `IssueService`."""

    def __init__(self, issue: IssueService) -> None:
        self._issue = issue

    async def run(
        self, items: Iterable[BatchItem], *, actor: Caller, purpose: Purpose | None, dry_run: bool
    ) -> AsyncIterator[BatchOutcome]:
        """Yield the outcome of each line, in their order, as chunks are done.

        Never raises for a line: trouble with the database or the store fails the lines of its chunk.
        """
        remaining = iter(items)
        recording: asyncio.Task[list[BatchOutcome]] | None = None
        try:
            while chunk := await asyncio.to_thread(_take, remaining):
                made = await self._make_chunk(chunk, actor=actor, purpose=purpose, dry_run=dry_run)
                if recording is not None:
                    for outcome in await recording:
                        yield outcome
                recording = asyncio.create_task(self._finish(made))
            if recording is not None:
                for outcome in await recording:
                    yield outcome
        finally:
            if recording is not None and not recording.done():
                recording.cancel()
                await asyncio.wait([recording])

    async def _make_chunk(
        self, chunk: Sequence[BatchItem], *, actor: Caller, purpose: Purpose | None, dry_run: bool
    ) -> list[BatchOutcome | _Made]:
        """Check the orders of a chunk and make their files."""
        try:
            ready = await self._prepare(chunk, actor=actor, purpose=purpose)
            waiting = [each for each in ready if isinstance(each, tuple)]
            known = [each for each in ready if isinstance(each, BatchOutcome)]
            seals = await self._issue.open_seals([prepared for _, prepared in waiting])
            if dry_run:
                return [*known, *[await self._try(*each, seals=seals) for each in waiting]]
            return [*known, *await self._make(waiting, seals=seals, purpose=purpose)]
        except (Unavailable, asyncpg.PostgresError, OSError) as trouble:
            return [BatchOutcome(line=item.line, error=_explain(trouble)) for item in chunk]

    async def _finish(self, made: Sequence[BatchOutcome | _Made]) -> list[BatchOutcome]:
        """Register the files of a chunk; return the outcomes of all its lines, in order."""
        outcomes = [each for each in made if isinstance(each, BatchOutcome)]
        files = [each for each in made if isinstance(each, _Made)]
        try:
            kept = await self._issue.keeper.keep([each.certificate for each in files])
            outcomes += map(_conclude, files, kept)
        except (Unavailable, asyncpg.PostgresError, OSError) as trouble:
            outcomes += [BatchOutcome(line=each.item.line, error=_explain(trouble)) for each in files]
        return sorted(outcomes, key=lambda each: each.line)

    async def _prepare(
        self, chunk: Sequence[BatchItem], *, actor: Caller, purpose: Purpose | None
    ) -> list[tuple[BatchItem, PreparedOrder] | BatchOutcome]:
        keys = [item.key for item in chunk if item.key is not None]
        done = await self._issue.find_all_done(actor, keys)
        found = {item.line: _recall(item, done) for item in chunk}
        waiting: list[tuple[BatchItem, IssueOrder]] = []
        for item in chunk:
            if found[item.line] is None and item.order is not None:
                try:
                    order = await self._issue.fill(item.order, item.reference, actor=actor, purpose=purpose)
                    waiting.append((item, order))
                except Unavailable:
                    raise
                except ShuzhengError as refusal:
                    found[item.line] = BatchOutcome(line=item.line, error=refusal)
        prepared = await self._issue.preparer.prepare_all([(order, actor) for _, order in waiting])
        ready: list[tuple[BatchItem, PreparedOrder] | BatchOutcome] = [
            (item, each)
            if isinstance(each, PreparedOrder)
            else BatchOutcome(line=item.line, error=_explain(each))
            for (item, _), each in zip(waiting, prepared, strict=True)
        ]
        return ready + [each for each in found.values() if each is not None]

    async def _try(
        self,
        item: BatchItem,
        prepared: PreparedOrder,
        *,
        seals: Mapping[SealKey, OpenSeal | ShuzhengError],
    ) -> BatchOutcome:
        """Lay an order out for a dry run."""
        seal = seals[seal_key(prepared)]
        if isinstance(seal, ShuzhengError):
            return BatchOutcome(line=item.line, error=seal)
        try:
            await self._issue.lay_out(prepared, seal)
        except Unavailable:
            raise
        except ShuzhengError as refusal:
            return BatchOutcome(line=item.line, error=refusal)
        return BatchOutcome(line=item.line, identifier=prepared.identifier)

    async def _make(
        self,
        waiting: Sequence[tuple[BatchItem, PreparedOrder]],
        *,
        seals: Mapping[SealKey, OpenSeal | ShuzhengError],
        purpose: Purpose | None,
    ) -> list[BatchOutcome | _Made]:
        """Make the files of orders; those without a seal are told why."""
        outcomes: list[BatchOutcome | _Made] = []
        works: list[tuple[BatchItem, Work]] = []
        for item, prepared in waiting:
            seal = seals[seal_key(prepared)]
            if isinstance(seal, ShuzhengError):
                outcomes.append(BatchOutcome(line=item.line, error=seal))
            else:
                works.append((item, Work(prepared=prepared, seal=seal, purpose=purpose, key=item.key)))
        files = await self._issue.make_files([work for _, work in works])
        for (item, _), file in zip(works, files, strict=True):
            if isinstance(file, ShuzhengError):
                outcomes.append(BatchOutcome(line=item.line, error=file))
            else:
                outcomes.append(_Made(item=item, certificate=file))
        return outcomes


def _recall(item: BatchItem, done: Mapping[str, Certificate | IdempotencyConflict]) -> BatchOutcome | None:
    """Return the outcome that a line has before any work: it is no order, or it was done before."""
    if item.order is None:
        return BatchOutcome(line=item.line, error=item.error)
    found = None if item.key is None else done.get(item.key.key)
    if found is None:
        return None
    if isinstance(found, IdempotencyConflict):
        return BatchOutcome(line=item.line, error=found)
    return BatchOutcome(line=item.line, identifier=found.identifier, certificate=found, is_again=True)


def _conclude(made: _Made, kept: Certificate | Refusal) -> BatchOutcome:
    if isinstance(kept, Certificate):
        return BatchOutcome(line=made.item.line, identifier=kept.identifier, certificate=kept)
    if isinstance(kept, ShuzhengError):
        return BatchOutcome(line=made.item.line, error=kept)
    taken = Conflict("another call with this key is issuing the same line; send it again")
    return BatchOutcome(line=made.item.line, error=taken)


def _explain(trouble: Exception) -> ShuzhengError:
    if isinstance(trouble, ShuzhengError):
        return trouble
    return Unavailable("the hub could not finish this part of the batch; send it again")


def _take(remaining: Iterator[BatchItem]) -> list[BatchItem]:
    return list(islice(remaining, CHUNK))
