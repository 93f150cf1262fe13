"""Issue many certificates in one call, each on its own: what fails leaves the others alone.

Orders are taken in chunks: checked one after another, their files made and stored side by side, then
registered in one transaction in which every certificate has a savepoint of its own. A kill -9 leaves
whole chunks; sent again under the same key, the batch goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import asyncpg

from certs.issue.model import Certificate, IssueOrder
from certs.issue.prepare import PreparedOrder
from certs.issue.record import RequestKey
from certs.issue.rows import RowReference
from certs.issue.service import IssueService
from certs.seals.service import SealService
from core.caller import Caller, Purpose
from core.database import Database
from core.errors import Conflict, ShuzhengError, Unavailable

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
    prepared: PreparedOrder
    certificate: Certificate


class BatchIssuer:
    """Issues batches by the means of `IssueService`."""

    def __init__(self, *, database: Database, seals: SealService, issue: IssueService) -> None:
        self._database = database
        self._seals = seals
        self._issue = issue

    async def run(
        self, items: Iterable[BatchItem], *, actor: Caller, purpose: Purpose | None, dry_run: bool
    ) -> AsyncIterator[BatchOutcome]:
        """Yield the outcome of each line, in their order, as chunks are done.

        Never raises for a line: trouble with the database or the store fails the lines of its chunk.
        """
        remaining = iter(items)
        while chunk := await asyncio.to_thread(_take, remaining):
            try:
                outcomes = await self._run_chunk(chunk, actor=actor, purpose=purpose, dry_run=dry_run)
            except ShuzhengError as trouble:
                outcomes = [BatchOutcome(line=item.line, error=trouble) for item in chunk]
            except (asyncpg.PostgresError, OSError):
                lost = Unavailable("the hub could not finish this part of the batch; send it again")
                outcomes = [BatchOutcome(line=item.line, error=lost) for item in chunk]
            for outcome in sorted(outcomes, key=lambda each: each.line):
                yield outcome

    async def _run_chunk(
        self, chunk: Sequence[BatchItem], *, actor: Caller, purpose: Purpose | None, dry_run: bool
    ) -> list[BatchOutcome]:
        outcomes: list[BatchOutcome] = []
        waiting: list[tuple[BatchItem, PreparedOrder]] = []
        for item in chunk:
            ready = await self._prepare(item, actor=actor, purpose=purpose)
            if isinstance(ready, BatchOutcome):
                outcomes.append(ready)
            else:
                waiting.append((item, ready))
        made = await asyncio.gather(
            *(self._make(item, prepared, actor=actor, dry_run=dry_run) for item, prepared in waiting)
        )
        outcomes += [each for each in made if isinstance(each, BatchOutcome)]
        files = [each for each in made if isinstance(each, _Made)]
        if files:
            outcomes += await self._record(files, actor=actor, purpose=purpose)
        return outcomes

    async def _prepare(
        self, item: BatchItem, *, actor: Caller, purpose: Purpose | None
    ) -> PreparedOrder | BatchOutcome:
        if item.order is None:
            return BatchOutcome(line=item.line, error=item.error)
        try:
            if (done := await self._issue.find_done(actor, item.key)) is not None:
                return BatchOutcome(
                    line=item.line, identifier=done.identifier, certificate=done, is_again=True
                )
            order = await self._issue.fill(item.order, item.reference, actor=actor, purpose=purpose)
            return await self._issue.preparer.prepare(order, actor=actor)
        except Unavailable:
            raise
        except ShuzhengError as refusal:
            return BatchOutcome(line=item.line, error=refusal)

    async def _make(
        self, item: BatchItem, prepared: PreparedOrder, *, actor: Caller, dry_run: bool
    ) -> _Made | BatchOutcome:
        try:
            seal = await self._seals.open_seal(actor=actor, seal_id=prepared.order.seal_id)
            if dry_run:
                await self._issue.lay_out(prepared, seal, actor=actor)
                return BatchOutcome(line=item.line, identifier=prepared.identifier)
            certificate = await self._issue.make_file(prepared, seal, actor=actor)
        except Unavailable:
            raise
        except ShuzhengError as refusal:
            return BatchOutcome(line=item.line, error=refusal)
        return _Made(item=item, prepared=prepared, certificate=certificate)

    async def _record(
        self, files: Sequence[_Made], *, actor: Caller, purpose: Purpose | None
    ) -> list[BatchOutcome]:
        outcomes: list[BatchOutcome] = []
        async with self._database.transaction() as connection:
            for made in files:
                line, certificate = made.item.line, made.certificate
                try:
                    async with connection.transaction():
                        await self._issue.recorder.record(
                            connection,
                            certificate,
                            source=made.prepared.order.source,
                            key=made.item.key,
                            purpose=purpose,
                            actor=actor,
                        )
                except asyncpg.UniqueViolationError:
                    taken = Conflict("another call with this key is issuing the same line; send it again")
                    outcomes.append(BatchOutcome(line=line, error=taken))
                except ShuzhengError as refusal:
                    outcomes.append(BatchOutcome(line=line, error=refusal))
                else:
                    outcomes.append(
                        BatchOutcome(line=line, identifier=certificate.identifier, certificate=certificate)
                    )
        return outcomes


def _take(remaining: Iterator[BatchItem]) -> list[BatchItem]:
    return list(islice(remaining, CHUNK))
