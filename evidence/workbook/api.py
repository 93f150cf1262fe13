"""Routes of service items as Excel."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from core.caller import Caller, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication
from evidence.rules.model import RuleFinding, Severity
from evidence.rules.parameters import OptionalVersion
from evidence.rules.service import RuleService
from evidence.workbook.read import ReadItem, read_workbook
from evidence.workbook.write import MEDIA_TYPE, write_workbook

XLSX: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}


class CellFindingOut(BaseModel):
    """What the model checker says; `place` is `/sheet/row/column`."""

    place: str
    code: str
    detail: str
    severity: Severity


class WorkbookItemOut(BaseModel):
    """An item of the workbook; version null where nothing was saved."""

    code: str
    version: int | None
    changed: bool | None
    findings: list[CellFindingOut]


def build_router(*, rules: RuleService, authentication: Authentication) -> APIRouter:
    """Build the routes over `rules`."""
    router = APIRouter(prefix="/v1/service-items", tags=["service-items"])
    known = Annotated[Caller, Depends(authentication.requires())]
    writer = Annotated[Caller, Depends(authentication.requires(Scope.RULES_WRITE, Scope.ADMIN))]

    @router.get("/workbook", response_class=Response, responses=XLSX)
    async def export_workbook(
        _caller: known, office: str | None = None, code: str | None = None, version: OptionalVersion = None
    ) -> Response:
        """Export released items, or one item in any version, as an Excel workbook."""
        if code is not None:
            found = [await rules.load(code, version=version)]
        else:
            found = await rules.export_items(office=office)
        data = await run_in_threadpool(write_workbook, [each.item for each in found])
        headers = {"Content-Disposition": 'attachment; filename="service-items.xlsx"'}
        return Response(data, media_type=MEDIA_TYPE, headers=headers)

    @router.post("/workbook")
    async def import_workbook(
        request: Request, caller: writer, check_only: bool = False
    ) -> list[WorkbookItemOut]:
        """Save every item of a workbook as a draft, all or none; errors point at sheet, row and column."""
        read = await run_in_threadpool(read_workbook, await request.body())
        if check_only:
            return [_render(each, await rules.check(each.item)) for each in read]
        try:
            saved = await rules.import_items([each.item for each in read], caller=caller)
        except SchemaViolation as wrong:
            raise _move(wrong, read) from wrong
        return [
            _render(each, done.findings, version=done.version.version, changed=done.changed)
            for each, done in zip(read, saved, strict=True)
        ]

    return router


def _move(wrong: SchemaViolation, read: list[ReadItem]) -> SchemaViolation:
    """Turn pointers into the list of items into places of the workbook."""
    moved = []
    for each in wrong.errors:
        _, _, number, *below = (*each.pointer.split("/", 3), "")
        if not number:
            moved.append(FieldError(pointer="/事项", code=each.code, detail=each.detail))
            continue
        pointer = f"/{below[0]}" if below[0] else ""
        moved.append(
            read[int(number)].draft.explain(FieldError(pointer=pointer, code=each.code, detail=each.detail))
        )
    return SchemaViolation(wrong.detail, errors=tuple(moved))


def _render(
    read: ReadItem,
    findings: list[RuleFinding] | tuple[RuleFinding, ...],
    *,
    version: OptionalVersion = None,
    changed: bool | None = None,
) -> WorkbookItemOut:
    return WorkbookItemOut(
        code=read.item.code,
        version=version,
        changed=changed,
        findings=[
            CellFindingOut(
                place=read.draft.locate(each.pointer),
                code=each.code,
                detail=each.detail,
                severity=each.severity,
            )
            for each in findings
        ],
    )
