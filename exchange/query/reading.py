"""Reading questions under grants: what is asked, what is found, what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from core.caller import Caller, Purpose
from core.database.gathering import Gathering
from core.log.chain import name_mass_reading
from core.log.model import Event
from core.log.writer import LogWriter, NewLeaf
from exchange.access.ground import Ground, ReadGrant
from exchange.access.holdings import leaf_names_rows, row_salt
from exchange.access.masks import Masker
from exchange.access.model import Mode
from exchange.access.store_ground import Claim
from exchange.access.values import name_identity, name_subject, name_subjects, subject_items
from exchange.guard.model import Sighting, Watcher
from exchange.query import store
from exchange.query.cursor import CursorSeal
from exchange.query.model import Answer, FoundRows, Question, Snapshot
from exchange.query.questions import check_version, choose_items, parse_conditions
from exchange.query.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
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


class QuestionReader:
    """Reads questions against grounds, writes the statements that answer them, and describes the answers."""

    def __init__(self, *, log: LogWriter, masker: Masker, cursors: CursorSeal, watcher: Watcher) -> None:
        self._log = log
        self._masker = masker
        self._cursors = cursors
        self._watcher = watcher

    def read(self, caller: Caller, purpose: Purpose, ground: Ground, question: Question) -> Reading:
        """Read a question and see that it is granted. Raises as `QueryService.query`."""
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
        return Reading(
            caller=caller,
            purpose=purpose,
            ground=ground,
            read=read,
            question=question,
            conditions=conditions,
            items=choose_items(resource, read, question, masked=masks),
            masks=masks,
        )

    def write(
        self, gathering: Gathering, reading: Reading, *, limit_rows: int, claim: Claim | None = None
    ) -> store.WrittenRows:
        """Write the statement that answers a question; it selects one row more than may be given."""
        question, resource = reading.question, reading.ground.resource
        after = None
        if question.after is not None:
            after = self._cursors.parse(resource, question.after, grant_id=reading.read.grant.id)
        return store.write_rows(
            gathering,
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

    def describe(self, reading: Reading, snapshot: Snapshot) -> Records:
        """Describe the leaf and, where it does not name the rows given, who holds them now."""
        resource = reading.ground.resource
        return Records(
            leaves=[self._describe(reading, snapshot)],
            owners={resource.code: str(resource.provider_code)},
            holders=[
                store.Holder(
                    resource_code=resource.code,
                    digest=digest,
                    grant_id=reading.read.grant.id,
                    version=snapshot.version,
                    items=reading.items,
                )
                for digest in snapshot.digests
            ],
        )

    def watch(self, reading: Reading, snapshot: Snapshot) -> None:
        """Tell the watcher of a reading, once it is committed."""
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

    def answer(self, reading: Reading, snapshot: Snapshot, *, has_more: bool) -> Answer:
        """Put the answer together."""
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

    def find(self, reading: Reading, snapshot: Snapshot, *, has_more: bool) -> FoundRows:
        """Put the answer together for a caller within the hub."""
        resource = reading.ground.resource
        return FoundRows(
            answer=self.answer(reading, snapshot, has_more=has_more),
            title=resource.title,
            row_key=self._log.hash_subject(name_identity(resource.code, dict(reading.conditions))),
        )

    def _describe(self, reading: Reading, snapshot: Snapshot) -> NewLeaf:
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

    def _name_rows(self, reading: Reading, snapshot: Snapshot) -> list[str]:
        """Name the subjects of the rows given; the resource itself where rows go out without a number."""
        resource = reading.ground.resource
        named = name_subjects(resource.items, snapshot.rows)
        is_told = subject_items(resource.items) <= {*reading.items, *reading.conditions}
        return named if is_told or not snapshot.rows else [*named, name_mass_reading(resource.code)]


def cut_page(snapshot: Snapshot, limit_rows: int) -> tuple[Snapshot, bool]:
    """Take off the row more than may be given, and tell whether there was one."""
    if len(snapshot.rows) <= limit_rows:
        return snapshot, False
    kept = replace(
        snapshot,
        rows=snapshot.rows[:limit_rows],
        disputed=snapshot.disputed[:limit_rows],
        digests=snapshot.digests[:limit_rows],
    )
    return kept, True
