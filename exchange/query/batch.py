"""Questions to several resources, answered in one transaction, each as a query of its own would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.caller import Caller, Purpose
from core.database import Connection
from core.database.gathering import Gathering, Row
from core.database.names import check_resource_code
from core.errors import Forbidden, NotFound, RateLimited, ShuzhengError
from exchange.access.ground import Ground
from exchange.access.quota import TakenQuota, take_quota
from exchange.access.refusal import RefusalLog
from exchange.access.resources import UNKNOWN_RESOURCE
from exchange.query.model import FoundRows, Question, Snapshot
from exchange.query.reading import QuestionReader, Reading, cut_page
from exchange.query.records import Records
from exchange.query.store import WrittenRows, read_snapshot


@dataclass(slots=True, kw_only=True)
class _Allowed:
    """A question that may be answered; `place` is its place among the questions."""

    place: int
    reading: Reading
    quota: TakenQuota
    written: WrittenRows | None = None
    snapshot: Snapshot | None = None


class QueryBatch:
    """Questions of one case. Call `allow`, `write`, `take`, save `records`, and `tell` after the commit.

    What one question is refused for stands in its place in `found`, and leaves the others alone.
    """

    def __init__(
        self,
        reader: QuestionReader,
        refusals: RefusalLog,
        *,
        caller: Caller,
        purpose: Purpose,
        questions: Sequence[tuple[str, Question]],
        at: datetime,
    ) -> None:
        self._reader = reader
        self._refusals = refusals
        self._caller = caller
        self._purpose = purpose
        self._questions = questions
        self._at = at
        self._allowed: list[_Allowed] = []
        self._found: dict[int, FoundRows | ShuzhengError] = {}
        self.records = Records()

    @property
    def codes(self) -> set[str]:
        """The resources that are asked."""
        return {code for code, _ in self._questions}

    @property
    def found(self) -> list[FoundRows | ShuzhengError]:
        """The answers, in the order of the questions."""
        return [self._found[place] for place in range(len(self._questions))]

    async def allow(self, connection: Connection, grounds: Mapping[str, Ground]) -> None:
        """Read the questions against their grounds, and take the quotas of their grants."""
        for place, (code, question) in enumerate(self._questions):
            try:
                reading = self._reader.read(self._caller, self._purpose, _ground(grounds, code), question)
                quota = await take_quota(
                    connection, grant=reading.read.grant, at=self._at, row_count=question.limit_rows
                )
            except ShuzhengError as refused:
                self._found[place] = refused
            else:
                self._allowed.append(_Allowed(place=place, reading=reading, quota=quota))

    def write(self, gathering: Gathering) -> None:
        """Write the statements that read the rows."""
        for each in self._allowed:
            each.written = self._reader.write(gathering, each.reading, limit_rows=each.quota.row_count)

    async def take(self, connection: Connection, found: Sequence[Sequence[Row]]) -> None:
        """Take what the statements found, and settle the quotas."""
        for each in self._allowed:
            assert each.written is not None
            snapshot, has_more = cut_page(read_snapshot(each.written, found), each.quota.row_count)
            await each.quota.settle(connection, row_count=len(snapshot.rows))
            each.snapshot = snapshot
            self._found[each.place] = self._reader.find(each.reading, snapshot, has_more=has_more)
            self.records.add(self._reader.describe(each.reading, snapshot))

    async def tell(self) -> None:
        """Tell the watcher of what was read, and the log of what was refused."""
        for each in self._allowed:
            if each.snapshot is not None:
                self._reader.watch(each.reading, each.snapshot)
        for (code, _), found in zip(self._questions, self.found, strict=True):
            if isinstance(found, Forbidden | RateLimited):
                await self._refusals.note(
                    found, caller=self._caller, purpose=self._purpose, resource_code=code, action="query"
                )


def _ground(grounds: Mapping[str, Ground], code: str) -> Ground:
    """Return the ground of a resource. Raises BadInput for what is no code, NotFound."""
    ground = grounds.get(check_resource_code(code))
    if ground is None:
        raise NotFound(UNKNOWN_RESOURCE)
    return ground
