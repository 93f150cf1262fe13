"""Routes of the auditor's views, in pages of JSON or as one CSV."""

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication
from core.log.leaf_body import describe_leaf
from core.log.model import Event
from core.log.services import LogServices
from core.log.subjects import SubjectPage
from core.log.tables import build_csv
from core.log.views import MAX_PAGE_LEAVES
from core.log.views_model import Filter, Grouping, UsageRow
from signing.canonical_json import parse_json

CSV = "text/csv; charset=utf-8"
_ALSO_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}}, "description": "in the form that was asked for"}
}
MAX_CSV_PAGES = 1000
LEAF_COLUMNS = (
    "index", "time", "event", "organisation", "system", "operator", "service_item", "case_number",
    "on_behalf_of", "owner", "resource", "grant", "certificate", "details", "id", "leaf_hash",
)  # fmt: skip
MAX_TEXT = 200


class Format(StrEnum):
    """How a view is rendered."""

    JSON = "json"
    CSV = "csv"


class SubjectIn(BaseModel):
    """Whose leaves are looked for; in the body, so that a personal number stands in no URL."""

    model_config = ConfigDict(extra="forbid")

    number: str = Field(min_length=1, max_length=64, description="a citizen number or credit code")
    after: int = Field(default=0, ge=0, description="number of the last leaf of the page before")
    limit: int = Field(default=100, ge=1, le=MAX_PAGE_LEAVES)
    format: Format = Format.JSON


Text = Annotated[str | None, Query(max_length=MAX_TEXT)]
Moment = Annotated[AwareDatetime | None, Query()]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_LEAVES)]


def read_filter(  # noqa: PLR0917 - FastAPI calls it by name
    organisation: Text = None,
    owner: Text = None,
    operator: Text = None,
    system: UUID | None = None,
    resource: Text = None,
    case_number: Text = None,
    certificate: Text = None,
    event: Annotated[list[Event], Query(max_length=50)] = [],  # noqa: B006 - FastAPI copies it
    since: Moment = None,
    until: Moment = None,
) -> Filter:
    """Read a filter from the query. Raises SchemaViolation for NUL, which no text of the log holds."""
    texts = {
        "organisation": organisation,
        "owner": owner,
        "operator": operator,
        "resource": resource,
        "case_number": case_number,
        "certificate": certificate,
    }
    wrong = tuple(
        FieldError(pointer=f"#query={name}", code="TEXT", detail="must not hold NUL or half surrogates")
        for name, text in texts.items()
        if text is not None and ("\0" in text or any("\ud800" <= each <= "\udfff" for each in text))
    )
    if wrong:
        msg = "the filter is not all right"
        raise SchemaViolation(msg, errors=wrong)
    return Filter(**texts, system=system, events=tuple(str(each) for each in event), since=since, until=until)


def build_router(*, log: LogServices, authentication: Authentication) -> APIRouter:
    """Build the routes over `log`."""
    router = APIRouter(prefix="/v1/audit", tags=["audit"])
    anyone = Annotated[Caller, Depends(authentication.requires())]
    filtered = Annotated[Filter, Depends(read_filter)]

    async def show(
        chosen: Filter, caller: Caller, *, after: str | None, limit: int, form: Format, view: str
    ) -> Any:
        if form is Format.CSV:
            return StreamingResponse(
                _stream_csv(log, chosen, caller, view),
                media_type=CSV,
                headers={"Content-Disposition": f'attachment; filename="{view}.csv"'},
            )
        page = await log.views.search(chosen, caller=caller, after=after, limit=limit, view=view)
        return {"events": list(map(describe_leaf, page.leaves)), "next_cursor": page.next_cursor}

    @router.get("/events", response_model=None, responses=_ALSO_CSV)
    async def events(
        chosen: filtered,
        caller: anyone,
        after: Text = None,
        limit: Limit = 100,
        format: Format = Format.JSON,  # noqa: A002 - the name in the URL
    ) -> Any:
        """Search leaves by time, actor, resource, case, event: own acts and data, or all for auditors."""
        return await show(chosen, caller, after=after, limit=limit, form=format, view="search")

    @router.get("/cases", response_model=None, responses=_ALSO_CSV)
    async def case(
        caller: anyone,
        case_number: Annotated[str, Query(max_length=128)],
        after: Text = None,
        limit: Limit = 1000,
        format: Format = Format.JSON,  # noqa: A002 - the name in the URL
    ) -> Any:
        """The story of a case (办件) in order, refusals too: whole for auditors, else the caller's part."""
        chosen = read_filter(case_number=case_number)
        shown = await show(chosen, caller, after=after, limit=limit, form=format, view="case")
        return {"case_number": case_number, **shown} if isinstance(shown, dict) else shown

    @router.get("/usage", response_model=None, responses=_ALSO_CSV)
    async def usage(
        chosen: filtered,
        caller: anyone,
        by: Annotated[list[Grouping], Query(max_length=7)] = [Grouping.ORGANISATION],  # noqa: B006
        format: Format = Format.JSON,  # noqa: A002 - the name in the URL
    ) -> Any:
        """How often which event: per department, item, operator, system, resource or case."""
        rows = [_render_usage(row) for row in await log.views.count(chosen, by=by, caller=caller)]
        if format is Format.JSON:
            return {"usage": rows}
        columns = ("event", *(str(each) for each in by), "times", "cases", "first_at", "last_at")
        headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
        return Response(build_csv(columns, rows), media_type=CSV, headers=headers)

    _add_subject_routes(router, log=log, authentication=authentication)
    return router


def _add_subject_routes(router: APIRouter, *, log: LogServices, authentication: Authentication) -> None:
    auditor = Annotated[Caller, Depends(authentication.requires(Scope.AUDIT))]

    @router.post("/subjects", response_model=None, responses=_ALSO_CSV)
    async def subject(body: SubjectIn, caller: auditor) -> Any:
        """Who used a person's or firm's data, for what: the numbered leaves of its chain, to auditors.

        `resource:CODE` for a number: the readings of a whole resource.
        """
        page = await log.subjects.load(body.number, caller=caller, after=body.after, limit=body.limit)
        shown = render_subject(page, limit=body.limit)
        if body.format is Format.JSON:
            return shown
        rows = [
            {"number": each["number"], "index": each["index"], **(each["event"] or {})}
            for each in shown["leaves"]
        ]
        headers = {"Content-Disposition": 'attachment; filename="subject.csv"'}
        return Response(build_csv(("number", *LEAF_COLUMNS), rows), media_type=CSV, headers=headers)

    @router.post("/subjects/proof")
    async def subject_proof(body: SubjectIn, caller: auditor) -> dict[str, Any]:
        """The proof that the list is complete; `shuzheng log verify --proof` checks it offline."""
        return await log.prove_subject_for_file(body.number, caller=caller)


async def _stream_csv(log: LogServices, chosen: Filter, caller: Caller, view: str) -> AsyncIterator[str]:
    after: str | None = None
    for page_number in range(MAX_CSV_PAGES):
        page = await log.views.search(
            chosen, caller=caller, after=after, limit=MAX_PAGE_LEAVES, view=f"{view}.csv"
        )
        yield build_csv(LEAF_COLUMNS, map(describe_leaf, page.leaves), with_head=page_number == 0)
        after = page.next_cursor
        if after is None:
            return


def _render_usage(row: UsageRow) -> dict[str, object]:
    return {
        "event": row.event,
        **row.groups,
        "times": row.times,
        "cases": row.cases,
        "first_at": _render_time(row.first_at),
        "last_at": _render_time(row.last_at),
    }


def _render_time(at: datetime) -> str:
    return at.isoformat()


def render_subject(page: SubjectPage, *, limit: int) -> dict[str, Any]:
    """Render a page of a subject's leaves."""
    numbered = [
        {"number": number, "index": index, "event": None if leaf is None else describe_leaf(leaf)}
        for number, index, leaf in page.leaves
    ]
    more = len(page.leaves) == limit and page.leaves[-1][0] < page.total
    return {
        "total": page.total,
        "tree_size": 0 if page.checkpoint is None else page.checkpoint.tree_size,
        "leaves": numbered,
        "next_after": page.leaves[-1][0] if more else None,
        "waiting": [describe_leaf(leaf) for leaf in page.waiting],
        "mass_readings": [{"resource": each.resource, "leaves": each.leaves} for each in page.mass_readings],
        "statement": None if page.statement is None else parse_json(page.statement),
    }
