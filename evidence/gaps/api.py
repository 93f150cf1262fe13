"""Routes of gap maps."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from core.caller import Caller
from core.http.authentication import Authentication
from evidence.gaps.model import GapMap, Standing
from evidence.gaps.report import COLUMNS, NAME, build_rows
from evidence.gaps.service import GapService
from evidence.rules.parameters import OptionalVersion
from evidence.workbook.table import TableForm, write_table


class ProviderOut(BaseModel):
    """The organisation whose source a way is; name null where it is not registered here."""

    code: str
    name: str | None


class WayGapOut(BaseModel):
    """A way: where it stands, why, and what to apply for where that would open it."""

    way: int
    kind: str
    standing: Standing
    reason: str
    detail: str
    provider: ProviderOut | None
    apply_for: dict[str, Any]


class FactGapOut(BaseModel):
    """A fact and its ways in their order."""

    code: str
    title: str
    standing: Standing
    ways: list[WayGapOut]


class MaterialGapOut(BaseModel):
    """A material: it stands where that of its facts does which is furthest from replaceable."""

    code: str
    title: str
    conditional: bool
    standing: Standing
    facts: list[FactGapOut]


class GapMapOut(BaseModel):
    """The gap map of an item as its office stands now; `counts` are materials by standing."""

    item: str
    title: str
    version: int
    office: str
    at: datetime
    counts: dict[Standing, int]
    materials: list[MaterialGapOut]


def build_router(*, gaps: GapService, authentication: Authentication) -> APIRouter:
    """Build the routes over `gaps`."""
    router = APIRouter(prefix="/v1/service-items", tags=["service-items"])
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.get("/{code}/gaps")
    async def draw_gaps(code: str, caller: known, version: OptionalVersion = None) -> GapMapOut:
        """Show which materials are replaceable today, by whom, and why not the rest."""
        return _render(await gaps.draw(code, version=version, caller=caller))

    @router.get("/{code}/gaps/export", response_class=Response)
    async def export_gaps(
        code: str, caller: known, version: OptionalVersion = None, form: TableForm = TableForm.XLSX
    ) -> Response:
        """Export the gap map as Excel or CSV, one row per way."""
        rows = build_rows(await gaps.draw(code, version=version, caller=caller))
        data = await run_in_threadpool(write_table, form, name=NAME, columns=COLUMNS, rows=rows)
        headers = {"Content-Disposition": f'attachment; filename="gaps.{form}"'}
        return Response(data, media_type=form.media_type, headers=headers)

    return router


def _render(gaps: GapMap) -> GapMapOut:
    return GapMapOut(
        item=gaps.item,
        title=gaps.title,
        version=gaps.version,
        office=gaps.office,
        at=gaps.at,
        counts=gaps.counts,
        materials=[
            MaterialGapOut(
                code=material.code,
                title=material.title,
                conditional=material.is_conditional,
                standing=material.standing,
                facts=[
                    FactGapOut(
                        code=fact.code,
                        title=fact.title,
                        standing=fact.standing,
                        ways=[
                            WayGapOut(
                                way=gap.number,
                                kind=gap.way.kind,
                                standing=gap.standing,
                                reason=gap.code,
                                detail=gap.detail,
                                provider=None
                                if not gap.provider
                                else ProviderOut(code=gap.provider, name=gaps.names.get(gap.provider)),
                                apply_for=dict(gap.apply_for),
                            )
                            for gap in fact.ways
                        ],
                    )
                    for fact in material.facts
                ],
            )
            for material in gaps.materials
        ],
    )
