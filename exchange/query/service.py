"""The rules of a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.database.gathering import Gathering
from core.errors import ShuzhengError
from core.log.group import LeafGroup
from core.log.writer import LogWriter
from exchange.access.ground import GroundReader
from exchange.access.model import Mode
from exchange.access.quota import take_quota
from exchange.access.refusal import RefusalLog
from exchange.access.store_ground import GroundChanged
from exchange.query.batch import QueryBatch
from exchange.query.model import Answer, FoundRows, Question, Snapshot
from exchange.query.reading import QuestionReader, Reading, cut_page
from exchange.query.store import read_snapshot


class QueryService:
    """Answers queries under grants, each with its leaf in the log."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        leaves: LeafGroup,
        refusals: RefusalLog,
        grounds: GroundReader,
        reader: QuestionReader,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._leaves = leaves
        self._refusals = refusals
        self._grounds = grounds
        self._reader = reader
        self._now = now

    async def query(
        self, *, caller: Caller, purpose: Purpose, resource_code: str, question: Question
    ) -> Answer:
        """Answer one page of rows.

        1. A grant of mode query in force for the caller's organisation and this service item: else
        GrantMissing, in the same words whatever was asked. 2. The question is well formed: else
        SchemaViolation or BadInput. 3. Every item asked for or searched by is granted: else GrantMissing
        that names them. 4. The day's quota is not used up: else RateLimited. 5. The rows, filtered and
        projected in the database. 6. The leaf, committed before the answer: in the same transaction, or
        together with those of other calls where the call writes nothing else.
        """
        reading, snapshot, has_more = await self._answer(caller, purpose, resource_code, question)
        return self._reader.answer(reading, snapshot, has_more=has_more)

    async def find(
        self, *, caller: Caller, purpose: Purpose, resource_code: str, question: Question
    ) -> FoundRows:
        """Answer as `query` does, for a caller within the hub that keeps what rests on the rows."""
        reading, snapshot, has_more = await self._answer(caller, purpose, resource_code, question)
        return self._reader.find(reading, snapshot, has_more=has_more)

    async def _answer(
        self, caller: Caller, purpose: Purpose, resource_code: str, question: Question
    ) -> tuple[Reading, Snapshot, bool]:
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="query"
        )
        async with watch:
            found = await self._ask_at_once(caller, purpose, resource_code, question)
            if found is None:
                async with self._database.transaction() as connection:
                    found = await self._ask(connection, caller, purpose, resource_code, question)
                    await self._reader.describe(*found[:2]).save(connection, log=self._log)
        reading, snapshot, has_more = found
        self._reader.watch(reading, snapshot)
        return reading, snapshot, has_more

    def begin(
        self, *, caller: Caller, purpose: Purpose, questions: Sequence[tuple[str, Question]]
    ) -> QueryBatch:
        """Begin to answer questions of a case, read together with whatever else the case asks."""
        return QueryBatch(
            self._reader, self._refusals, caller=caller, purpose=purpose, questions=questions, at=self._now()
        )

    async def query_many(
        self, *, caller: Caller, purpose: Purpose, questions: Sequence[tuple[str, Question]]
    ) -> list[FoundRows | ShuzhengError]:
        """Answer questions to several resources of a case in one transaction, each as `query` would.

        What one of them is refused for stands in its place, on record, and leaves the others alone. For a
        caller within the hub that commits its own transaction before it gives anything out.
        """
        batch = self.begin(caller=caller, purpose=purpose, questions=questions)
        async with self._database.unflushed_transaction() as connection:
            grounds = await self._grounds.read_many(
                connection, resource_codes=batch.codes, caller=caller, mode=Mode.QUERY, at=self._now()
            )
            await batch.allow(connection, grounds)
            gathering = Gathering()
            batch.write(gathering)
            await batch.take(connection, await gathering.run(connection))
            await batch.records.save(connection, log=self._log)
        await batch.tell()
        return batch.found

    async def _ask_at_once(
        self, caller: Caller, purpose: Purpose, resource_code: str, question: Question
    ) -> tuple[Reading, Snapshot, bool] | None:
        """Answer a question that writes its leaf alone: what it stands on is proved as its rows are read.

        None, and nothing was read, for other questions and for all that may be refused: `_ask` says why.
        """
        presumed = self._grounds.presume(
            resource_code=resource_code, caller=caller, mode=Mode.QUERY, at=self._now()
        )
        if presumed is None:
            return None
        ground, claim = presumed
        try:
            reading = self._reader.read(caller, purpose, ground, question)
        except ShuzhengError:
            return None
        if reading.read.grant.terms.quotas.is_limited or not reading.names_rows or question.after is not None:
            return None
        gathering = Gathering()
        written = self._reader.write(gathering, reading, limit_rows=question.limit_rows, claim=claim)
        try:
            async with self._database.acquire() as connection:
                found = read_snapshot(written, await gathering.run(connection))
        except GroundChanged:
            return None
        snapshot, has_more = cut_page(found, question.limit_rows)
        (leaf,) = self._reader.describe(reading, snapshot).leaves
        await self._leaves.append(leaf, owner=str(ground.resource.provider_code))
        return reading, snapshot, has_more

    async def _ask(
        self,
        connection: Connection,
        caller: Caller,
        purpose: Purpose,
        resource_code: str,
        question: Question,
    ) -> tuple[Reading, Snapshot, bool]:
        now = self._now()
        ground = await self._grounds.read(
            connection, resource_code=resource_code, caller=caller, mode=Mode.QUERY, at=now
        )
        reading = self._reader.read(caller, purpose, ground, question)
        quota = await take_quota(connection, grant=reading.read.grant, at=now, row_count=question.limit_rows)
        gathering = Gathering()
        written = self._reader.write(gathering, reading, limit_rows=quota.row_count)
        found = read_snapshot(written, await gathering.run(connection))
        snapshot, has_more = cut_page(found, quota.row_count)
        await quota.settle(connection, row_count=len(snapshot.rows))
        return reading, snapshot, has_more
