"""The rules of a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import Forbidden, RateLimited, ShuzhengError
from core.log.chain import name_mass_reading
from core.log.group import LeafGroup
from core.log.model import Event
from core.log.writer import MAX_SUBJECTS, LogWriter, NewLeaf
from exchange.access.ground import Ground, GroundReader, ReadGrant
from exchange.access.holdings import leaf_names_rows, row_salt
from exchange.access.masks import Masker
from exchange.access.model import Mode
from exchange.access.quota import take_quota
from exchange.access.refusal import RefusalLog
from exchange.access.store_ground import Claim, GroundChanged
from exchange.access.values import name_identity, name_subject, name_subjects, subject_items
from exchange.guard.model import Sighting, Watcher
from exchange.query import store
from exchange.query.cursor import CursorSeal
from exchange.query.model import Answer, FoundRows, Question, Snapshot
from exchange.query.questions import check_version, choose_items, parse_conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A question that was read and allowed."""

    caller: Caller
    purpose: Purpose
    ground: Ground
    read: ReadGrant
    question: Question
    conditions: Mapping[str, object]
    items: tuple[str, ...]
    masks: Mapping[str, Callable[[object], str | None]]

    @property
    def names_rows(self) -> bool:
        """Tell whether the leaf names the row given by its subject, so that no other record has to."""
        resource = self.ground.resource
        return leaf_names_rows(resource) and resource.key_items[0].name in self.conditions


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
        masker: Masker,
        cursors: CursorSeal,
        watcher: Watcher,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._leaves = leaves
        self._refusals = refusals
        self._grounds = grounds
        self._masker = masker
        self._cursors = cursors
        self._watcher = watcher
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
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="query"
        )
        async with watch:
            found = await self._ask_at_once(caller, purpose, resource_code, question)
            if found is None:
                async with self._database.transaction() as connection:
                    found = await self._ask(connection, caller, purpose, resource_code, question)
                    await self._record(connection, [found[:2]])
        reading, snapshot, has_more = found
        self._watch(reading, snapshot)
        return self._answer(reading, snapshot, has_more=has_more)

    async def query_many(
        self, *, caller: Caller, purpose: Purpose, questions: Sequence[tuple[str, Question]]
    ) -> list[FoundRows | ShuzhengError]:
        """Answer questions to several resources of a case in one transaction, each as `query` would.

        What one of them is refused for stands in its place, on record, and leaves the others alone. For a
        caller within the hub that commits its own transaction before it gives anything out.
        """
        found: list[FoundRows | ShuzhengError] = []
        answered: list[tuple[_Reading, Snapshot]] = []
        async with self._database.unflushed_transaction() as connection:
            grounds = await self._grounds.read_many(
                connection,
                resource_codes={code for code, _ in questions},
                caller=caller,
                mode=Mode.QUERY,
                at=self._now(),
            )
            for resource_code, question in questions:
                try:
                    reading, snapshot, has_more = await self._ask(
                        connection,
                        caller,
                        purpose,
                        resource_code,
                        question,
                        ground=grounds.get(resource_code),
                    )
                except ShuzhengError as refused:
                    found.append(refused)
                    continue
                answered.append((reading, snapshot))
                found.append(
                    FoundRows(
                        answer=self._answer(reading, snapshot, has_more=has_more),
                        title=reading.ground.resource.title,
                        row_key=self._log.hash_subject(
                            name_identity(resource_code, dict(reading.conditions))
                        ),
                    )
                )
            await self._record(connection, answered)
        for reading, snapshot in answered:
            self._watch(reading, snapshot)
        for (code, _), each in zip(questions, found, strict=True):
            if isinstance(each, Forbidden | RateLimited):
                await self._refusals.note(
                    each, caller=caller, purpose=purpose, resource_code=code, action="query"
                )
        return found

    async def _ask_at_once(
        self, caller: Caller, purpose: Purpose, resource_code: str, question: Question
    ) -> tuple[_Reading, Snapshot, bool] | None:
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
            reading = self._read(caller, purpose, ground, question)
        except ShuzhengError:
            return None
        if reading.read.grant.terms.quotas.is_limited or not reading.names_rows or question.after is not None:
            return None
        try:
            async with self._database.acquire() as connection:
                snapshot, has_more = await self._load(
                    connection, reading, limit_rows=question.limit_rows, claim=claim
                )
        except GroundChanged:
            return None
        await self._leaves.append(self._describe(reading, snapshot), owner=str(ground.resource.provider_code))
        return reading, snapshot, has_more

    async def _ask(
        self,
        connection: Connection,
        caller: Caller,
        purpose: Purpose,
        resource_code: str,
        question: Question,
        *,
        ground: Ground | None = None,
    ) -> tuple[_Reading, Snapshot, bool]:
        now = self._now()
        if ground is None:
            ground = await self._grounds.read(
                connection, resource_code=resource_code, caller=caller, mode=Mode.QUERY, at=now
            )
        reading = self._read(caller, purpose, ground, question)
        quota = await take_quota(connection, grant=reading.read.grant, at=now, row_count=question.limit_rows)
        snapshot, has_more = await self._load(connection, reading, limit_rows=quota.row_count)
        await quota.settle(connection, row_count=len(snapshot.rows))
        return reading, snapshot, has_more

    def _read(self, caller: Caller, purpose: Purpose, ground: Ground, question: Question) -> _Reading:
        where = question.where or {}
        read = ground.choose(
            purpose=purpose, mode=Mode.QUERY, wanted={*(question.items or ()), *where}, searched=where
        )
        resource = ground.resource
        conditions = parse_conditions(resource, question)
        check_version(resource, question.as_of_version)
        masks = self._masker.choose(
            read.grant.terms,
            ground.mask_rules,
            service_item=purpose.service_item,
            organisation_code=caller.organisation_code,
        )
        return _Reading(
            caller=caller,
            purpose=purpose,
            ground=ground,
            read=read,
            question=question,
            conditions=conditions,
            items=choose_items(resource, read, question, masked=masks),
            masks=masks,
        )

    async def _load(
        self, connection: Connection, reading: _Reading, *, limit_rows: int, claim: Claim | None = None
    ) -> tuple[Snapshot, bool]:
        question, resource = reading.question, reading.ground.resource
        after = None
        if question.after is not None:
            after = self._cursors.parse(resource, question.after, grant_id=reading.read.grant.id)
        snapshot = await store.load_rows(
            connection,
            resource_code=resource.code,
            key_items=[item.name for item in resource.key_items],
            items=reading.items,
            conditions=reading.conditions,
            row_filter=reading.read.row_filter,
            after_key=after,
            limit_rows=limit_rows + 1,
            as_of_version=question.as_of_version,
            with_disputes=reading.ground.has_disputes,
            row_salt=None if reading.names_rows else row_salt(self._log, resource.code),
            claim=claim,
        )
        has_more = len(snapshot.rows) > limit_rows
        if not has_more:
            return snapshot, False
        kept = replace(
            snapshot,
            rows=snapshot.rows[:limit_rows],
            disputed=snapshot.disputed[:limit_rows],
            digests=snapshot.digests[:limit_rows],
        )
        return kept, True

    async def _record(self, connection: Connection, answered: Sequence[tuple[_Reading, Snapshot]]) -> None:
        """Write the leaves and, where one does not name the rows given, who holds them now."""
        for reading, snapshot in answered:
            if snapshot.digests:
                await store.save_holders(
                    connection,
                    resource_code=reading.ground.resource.code,
                    grant_id=reading.read.grant.id,
                    version=snapshot.version,
                    digests=snapshot.digests,
                    items=[reading.items] * len(snapshot.digests),
                )
        owners = {each.ground.resource.code: str(each.ground.resource.provider_code) for each, _ in answered}
        leaves = [self._describe(reading, snapshot) for reading, snapshot in answered]
        few = [leaf for leaf in leaves if len(leaf.subjects) < MAX_SUBJECTS]
        await self._log.append_all(connection, few, owners=owners)
        for leaf in leaves:
            if len(leaf.subjects) >= MAX_SUBJECTS:
                await self._log.append(
                    connection,
                    event=leaf.event,
                    caller=leaf.caller,
                    purpose=leaf.purpose,
                    resource_code=leaf.resource_code,
                    grant_id=leaf.grant_id,
                    subject=leaf.subject,
                    subjects=leaf.subjects,
                    details=leaf.details,
                )

    def _describe(self, reading: _Reading, snapshot: Snapshot) -> NewLeaf:
        resource, question = reading.ground.resource, reading.question
        asked = question.keys if question.keys is not None else question.where or {}
        details: dict[str, object] = {
            "items": list(reading.items),
            "searched_by": sorted(asked),
            "rows": len(snapshot.rows),
            "version": snapshot.version,
        }
        if reading.masks:
            details["masked"] = sorted(set(reading.masks) & set(reading.items))
        if question.as_of_version is not None:
            details["as_of_version"] = question.as_of_version
        return NewLeaf(
            event=Event.DATA_QUERIED,
            caller=reading.caller,
            purpose=reading.purpose,
            resource_code=resource.code,
            grant_id=reading.read.grant.id,
            subject=name_subject(resource.items, dict(reading.conditions)),
            subjects=tuple(self._name_rows(reading, snapshot)),
            details=details,
        )

    def _name_rows(self, reading: _Reading, snapshot: Snapshot) -> list[str]:
        """Name the subjects of the rows given; the resource itself where rows go out without a number."""
        resource = reading.ground.resource
        named = name_subjects(resource.items, snapshot.rows)
        is_told = subject_items(resource.items) <= {*reading.items, *reading.conditions}
        return named if is_told or not snapshot.rows else [*named, name_mass_reading(resource.code)]

    def _watch(self, reading: _Reading, snapshot: Snapshot) -> None:
        resource = reading.ground.resource
        subject = name_subject(resource.items, dict(reading.conditions))
        self._watcher.note(
            Sighting(
                caller=reading.caller,
                purpose=reading.purpose,
                resource_code=resource.code,
                provider_code=resource.provider_code,
                subjects=() if subject is None else ((subject, bool(snapshot.rows)),),
                rows=len(snapshot.rows),
            )
        )

    def _answer(self, reading: _Reading, snapshot: Snapshot, *, has_more: bool) -> Answer:
        resource, grant = reading.ground.resource, reading.read.grant
        keys = {item.name for item in resource.key_items}
        cursor = None
        if has_more and snapshot.rows and keys <= set(reading.items):
            cursor = self._cursors.build(resource, snapshot.rows[-1], grant_id=grant.id)
        return Answer(
            resource_code=resource.code,
            grant_id=grant.id,
            items=reading.items,
            snapshot=snapshot,
            has_more=has_more,
            next_cursor=cursor,
            masks=reading.masks,
        )
