"""Routes of counters."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from core.caller import Caller
from core.http.authentication import Authentication
from evidence.counters.model import Counter
from evidence.counters.service import CounterService
from evidence.workbook.table import TableForm, write_table

Month = Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}$", examples=["2026-01"])]
NAME: Final = "免提交统计"
COLUMNS: Final = {
    "month": "月份",
    "office": "办理机构代码",
    "office_name": "办理机构",
    "item": "事项编码",
    "cases": "办件数",
    "required": "应交材料",
    "supplied": "系统提供",
    "waived": "取消材料",
    "undertaken": "承诺或容缺",
    "remaining": "仍需提交",
    "saved": "免提交",
    "asked": "要求提交",
    "needless": "违规要求",
    "runs": "核验次数",
    "queries": "数据调用",
    "took_ms": "核验耗时(毫秒)",
    "longest_ms": "最长一次(毫秒)",
    "closed": "办结数",
    "closed_s": "办结用时(秒)",
}


class CounterOut(BaseModel):
    """Cases that an office opened for an item in a month, and their materials as the last runs left them."""

    month: str
    office: str
    office_name: str
    item: str
    cases: int
    required: int
    supplied: int
    waived: int
    undertaken: int
    remaining: int
    saved: int
    asked: int
    needless: int
    runs: int
    queries: int
    took_ms: int
    longest_ms: int
    closed: int
    closed_s: int


def build_router(*, counters: CounterService, authentication: Authentication) -> APIRouter:
    """Build the routes over `counters`."""
    router = APIRouter(prefix="/v1/evidence-counters", tags=["evidence"])
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.get("")
    async def count_materials(
        caller: known,
        office: str | None = None,
        item: str | None = None,
        since: Month = None,
        until: Month = None,
    ) -> list[CounterOut]:
        """Count per item, office and month; without months the year so far."""
        return _render(
            await counters.count(caller=caller, office=office, item_code=item, first=since, last=until)
        )

    @router.get("/export", response_class=Response)
    async def export_counters(
        caller: known,
        office: str | None = None,
        item: str | None = None,
        since: Month = None,
        until: Month = None,
        form: TableForm = TableForm.XLSX,
    ) -> Response:
        """Export the counters as Excel or CSV, for the annual assessment."""
        found = await counters.count(caller=caller, office=office, item_code=item, first=since, last=until)
        rows = [{name: str(value) for name, value in each.model_dump().items()} for each in _render(found)]
        data = await run_in_threadpool(write_table, form, name=NAME, columns=COLUMNS, rows=rows)
        headers = {"Content-Disposition": f'attachment; filename="counters.{form}"'}
        return Response(data, media_type=form.media_type, headers=headers)

    return router


def _render(found: Sequence[Counter]) -> list[CounterOut]:
    return [
        CounterOut(
            month=each.month,
            office=each.office,
            office_name=each.office_name,
            item=each.item_code,
            cases=each.cases,
            required=each.required,
            supplied=each.supplied,
            waived=each.waived,
            undertaken=each.undertaken,
            remaining=each.remaining,
            saved=each.saved,
            asked=each.asked,
            needless=each.needless,
            runs=each.runs,
            queries=each.queries,
            took_ms=each.took_ms,
            longest_ms=each.longest_ms,
            closed=each.closed,
            closed_s=each.closed_s,
        )
        for each in found
    ]
