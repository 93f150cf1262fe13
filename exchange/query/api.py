"""The route of a query."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from core.http.busy_route import busy_route
from exchange.access.refusal import RefusalLog
from exchange.access.values import render_value
from exchange.query.model import Answer, Question
from exchange.query.service import QueryService

MAX_ROWS = 1000
DEFAULT_ROWS = 100


class QueryIn(BaseModel):
    """A query by all key items (`keys`), or by granted items (`where`, equality)."""

    model_config = ConfigDict(extra="forbid")

    keys: dict[str, Any] | None = Field(default=None, examples=[{"GMSFHM": "99010119900101001X"}])
    where: dict[str, Any] | None = None
    items: list[str] | None = Field(default=None, max_length=500, description="left out: all granted ones")
    limit: int = Field(default=DEFAULT_ROWS, ge=1, le=MAX_ROWS)
    after: str | None = Field(default=None, description="`next` of the page before")
    as_of_version: int | None = Field(
        default=None, ge=1, lt=2**62, description="rows as they were at that version; left out: now"
    )


class DisputeOut(BaseModel):
    """Items of one row (counted from 0) whose values are under objection."""

    row: int
    items: list[str]


class QueryOut(BaseModel):
    """One page of rows. Decimals are exact text, days and times ISO 8601; `masked` items are shown in part.

    `has_more` with `next` null: there are more rows, and to page through them the key items must be among
    the items asked for.
    """

    resource_code: str
    grant_id: UUID
    version: int
    as_of: datetime | None
    items: list[str]
    masked: list[str]
    rows: list[dict[str, str | bool | None]]
    disputed: list[DisputeOut]
    has_more: bool
    next: str | None


def build_router(*, query: QueryService, refusals: RefusalLog, authentication: Authentication) -> APIRouter:
    """Build the route over `query`."""
    router = APIRouter(prefix="/v1", tags=["query"], route_class=busy_route(authentication, Scope.QUERY))
    asker = Annotated[Caller, Depends(authentication.requires(Scope.QUERY))]

    @router.post("/resources/{code}/query", response_model=QueryOut)
    async def query_rows(code: str, body: QueryIn, caller: asker, request: Request) -> Response:
        """Query rows under a grant.

        Send the purpose headers `Shuzheng-Service-Item`, `-Case-Number` and `-Operator`.
        """
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=code, action="query")
        question = Question(
            keys=body.keys,
            where=body.where,
            items=None if body.items is None else tuple(body.items),
            limit_rows=body.limit,
            after=body.after,
            as_of_version=body.as_of_version,
        )
        answer = await query.query(caller=caller, purpose=purpose, resource_code=code, question=question)
        return Response(render_answer(answer), media_type="application/json")

    return router


def render_answer(answer: Answer) -> str:
    """Write an answer as JSON: the shape of QueryOut, without the cost of checking our own values."""
    snapshot, masks = answer.snapshot, answer.masks
    hide = [(name, masks.get(name, render_value)) for name in answer.items]
    found = {
        "resource_code": answer.resource_code,
        "grant_id": str(answer.grant_id),
        "version": snapshot.version,
        "as_of": None if snapshot.as_of is None else snapshot.as_of.isoformat(),
        "items": answer.items,
        "masked": [name for name in answer.items if name in masks],
        "rows": [{name: show(row[name]) for name, show in hide} for row in snapshot.rows],
        "disputed": [
            {"row": number, "items": items} for number, items in enumerate(snapshot.disputed) if items
        ],
        "has_more": answer.has_more,
        "next": answer.next_cursor,
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
