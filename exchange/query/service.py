"""The rules of a query."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from core.caller import Caller, Purpose
from core.database import Database
from core.errors import BadInput, FieldError, GrantMissing, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.model import Grant, Mode
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource, verify_grant
from exchange.access.row_filter import parse_row_filter
from exchange.access.values import name_subject, name_subjects, parse_value
from exchange.catalogue.model import Resource
from exchange.query import store
from exchange.query.cursor import build_cursor, parse_cursor
from exchange.query.model import Answer, Question

MAX_CONDITIONS = 20


class QueryService:
    """Answers queries under grants, each with its leaf in the log."""

    def __init__(
        self, *, database: Database, log: LogWriter, refusals: RefusalLog, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._now = now

    async def query(
        self, *, caller: Caller, purpose: Purpose, resource_code: str, question: Question
    ) -> Answer:
        """Answer one page of rows.

        1. A grant of mode query in force for the caller's organisation and this service item: else
        GrantMissing, in the same words whatever was asked. 2. The question is well formed: else
        SchemaViolation or BadInput. 3. Every item asked for or searched by is granted: else GrantMissing
        that names them. 4. The rows, filtered and projected in the database. 5. The leaf, in the same
        transaction.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="query"
        )
        async with watch, self._database.transaction() as connection:
            resource = await load_known_resource(connection, code=resource_code)
            asked = question.keys if question.keys is not None else question.where or {}
            grant = await verify_grant(
                connection,
                resource=resource,
                caller=caller,
                purpose=purpose,
                mode=Mode.QUERY,
                wanted={*(question.items or ()), *(question.where or {})},
                at=self._now(),
            )
            conditions = parse_conditions(resource, question)
            items = _choose_items(resource, grant, question)
            snapshot = await store.load_rows(
                connection,
                resource_code=resource.code,
                key_items=[item.name for item in resource.key_items],
                items=items,
                conditions=conditions,
                row_filter=parse_row_filter(resource, grant.terms.row_filter),
                after_key=None if question.after is None else parse_cursor(resource, question.after),
                limit_rows=question.limit_rows + 1,
            )
            has_more = len(snapshot.rows) > question.limit_rows
            snapshot = replace(snapshot, rows=snapshot.rows[: question.limit_rows])
            await self._log.append(
                connection,
                event=Event.DATA_QUERIED,
                caller=caller,
                purpose=purpose,
                resource_code=resource.code,
                grant_id=grant.id,
                subject=name_subject(resource.items, dict(conditions)),
                subjects=name_subjects(resource.items, snapshot.rows),
                details={
                    "items": list(items),
                    "searched_by": sorted(asked),
                    "rows": len(snapshot.rows),
                    "version": snapshot.version,
                },
            )
        pageable = has_more and {item.name for item in resource.key_items} <= set(items)
        return Answer(
            resource_code=resource.code,
            grant_id=grant.id,
            items=items,
            snapshot=snapshot,
            has_more=has_more,
            next_cursor=build_cursor(resource, snapshot.rows[-1]) if pageable else None,
        )


def parse_conditions(resource: Resource, question: Question) -> dict[str, object]:
    """Read the values searched by. Raises SchemaViolation with every field that is wrong."""
    if (question.keys is None) == (question.where is None):
        msg = "search by keys or by where, one of the two"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/keys", code="ONE-OF", detail=msg),))
    place, asked = ("/keys", question.keys) if question.keys is not None else ("/where", question.where)
    assert asked is not None
    if not 1 <= len(asked) <= MAX_CONDITIONS:
        msg = f"search by 1 to {MAX_CONDITIONS} items"
        raise SchemaViolation(msg, errors=(FieldError(pointer=place, code="COUNT", detail=msg),))
    keys = {item.name for item in resource.key_items}
    if question.keys is not None and set(asked) != keys:
        msg = f"keys names exactly the key items: {', '.join(sorted(keys))}"
        raise SchemaViolation(msg, errors=(FieldError(pointer=place, code="KEY-ITEMS", detail=msg),))
    return parse_values(resource, asked, place=place)


def parse_values(resource: Resource, asked: Mapping[str, object], *, place: str) -> dict[str, object]:
    """Read values by item name. Raises SchemaViolation with every one that is wrong."""
    values: dict[str, object] = {}
    errors = []
    for position, (name, value) in enumerate(asked.items()):
        item = resource.item(name)
        if item is None:
            detail = f"the {position + 1}. name is not an item of this resource"
            errors.append(FieldError(pointer=place, code="UNKNOWN-ITEM", detail=detail))
            continue
        try:
            values[name] = parse_value(item, value)
        except BadInput as wrong:
            errors.append(FieldError(pointer=f"{place}/{name}", code="VALUE", detail=wrong.detail))
    if errors:
        msg = "the values searched by are not all right; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    return values


def _choose_items(resource: Resource, grant: Grant, question: Question) -> tuple[str, ...]:
    """Return the items to answer with. Raises SchemaViolation for unknown ones, GrantMissing for others."""
    granted = grant.open_items(resource)
    wanted = granted if question.items is None else tuple(dict.fromkeys(question.items))
    if not wanted:
        msg = "items names at least one item; leave it out for all that are granted"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/items", code="EMPTY", detail=msg),))
    unknown = [
        FieldError(pointer=f"/items/{n}", code="UNKNOWN-ITEM", detail="the resource has no item of this name")
        for n, name in enumerate(wanted)
        if resource.item(name) is None
    ]
    if unknown:
        msg = "not all items are items of this resource; see errors"
        raise SchemaViolation(msg, errors=tuple(unknown))
    refuse_ungranted({*wanted, *(question.where or {})}, granted)
    return wanted


def refuse_ungranted(names: Collection[str], granted: Collection[str]) -> None:
    """Raise GrantMissing that names the items (of the public catalogue) which are not granted."""
    missing = sorted(set(names) - set(granted))
    if missing:
        errors = tuple(FieldError(pointer="/items", code="NOT-GRANTED", detail=name) for name in missing)
        msg = f"the grant does not cover {', '.join(missing)}; apply for them"
        raise GrantMissing(msg, errors=errors)
