"""Routes of certificate types."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from certs.types.model import CertificateType, HolderCategory, HolderCodeType
from certs.types.service import ImportOutcome, TypeService
from certs.types.wire import (
    ServiceItemBody,
    TypeIn,
    TypeOut,
    parse_service_items,
    parse_type,
    read_catalogue,
    render_type,
    write_catalogue,
)
from certs.types.workbook import read_workbook, write_workbook
from core.caller import Caller, Scope
from core.errors import NotFound
from core.http.authentication import Authentication

XLSX_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class CatalogueFormat(StrEnum):
    """What a catalogue is exchanged as."""

    JSON = "json"
    XLSX = "xlsx"


class HolderCodeTypeOut(BaseModel):
    """A kind of number that names a holder (GB/T 36903-2018 annex A)."""

    code: str
    title: str
    category: HolderCategory


class ImportedOut(BaseModel):
    """What an import did, or would do, with one type."""

    code: str
    name: str
    version: int
    outcome: ImportOutcome


class ImportOut(BaseModel):
    """What an import did, or would do where it was a dry run."""

    dry_run: bool
    types: list[ImportedOut]


def build_router(*, types: TypeService, authentication: Authentication) -> APIRouter:
    """Build the routes over `types`."""
    router = APIRouter(prefix="/v1", tags=["certificate types"])
    _add_catalogue(router, types, authentication)
    _add_types(router, types, authentication)
    return router


def _add_catalogue(router: APIRouter, types: TypeService, authentication: Authentication) -> None:
    """Add the routes over all types; they stand before those that take a code for a path."""
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]
    known = Depends(authentication.requires())

    @router.get("/certificate-types", dependencies=[known])
    async def list_types() -> list[TypeOut]:
        """List every certificate type in its newest version."""
        return [render_type(found) for found in await types.list_types()]

    @router.get("/certificate-types/holder-code-types", dependencies=[known])
    async def list_holder_code_types() -> list[HolderCodeTypeOut]:
        """List the kinds of number that name a holder."""
        return [
            HolderCodeTypeOut(code=kind, title=kind.label, category=kind.category) for kind in HolderCodeType
        ]

    @router.get("/certificate-types/export", dependencies=[known], response_class=Response)
    async def export_types(
        format: CatalogueFormat = CatalogueFormat.JSON,  # noqa: A002 - the parameter's name in the query
        code: Annotated[list[str] | None, Query(description="only these types", max_length=500)] = None,
    ) -> Response:
        """Export the catalogue, whole or some types of it, as JSON or as an Excel workbook."""
        kinds = _pick(await types.list_types(), code)
        if format is CatalogueFormat.JSON:
            return JSONResponse(write_catalogue(kinds))
        data = await run_in_threadpool(write_workbook, kinds)
        headers = {"Content-Disposition": 'attachment; filename="certificate-types.xlsx"'}
        return Response(data, media_type=XLSX_MEDIA_TYPE, headers=headers)

    @router.post("/certificate-types/import")
    async def import_types(
        request: Request,
        caller: administrator,
        format: CatalogueFormat = CatalogueFormat.JSON,  # noqa: A002 - the parameter's name in the query
        dry_run: bool = False,
    ) -> ImportOut:
        """Import a catalogue as `export` writes it: all of it, or nothing with the errors of every row."""
        body = await request.body()
        read = read_catalogue if format is CatalogueFormat.JSON else read_workbook
        drafts, errors = await run_in_threadpool(read, body)
        done = await types.import_types(drafts, errors=errors, dry_run=dry_run, actor=caller)
        listed = [
            ImportedOut(code=each.code, name=each.name, version=each.version, outcome=each.outcome)
            for each in done
        ]
        return ImportOut(dry_run=dry_run, types=listed)


def _add_types(router: APIRouter, types: TypeService, authentication: Authentication) -> None:
    """Add the routes of one type."""
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]
    known = Depends(authentication.requires())

    @router.get("/certificate-types/{code}", dependencies=[known])
    async def get_type(code: str, version: Annotated[int | None, Query(ge=1)] = None) -> TypeOut:
        """Show one certificate type, in its newest version or the one asked for."""
        if version is None:
            return render_type(await types.get_type(code))
        found = [kind for kind in await types.list_versions(code) if kind.version == version]
        if not found:
            msg = f"the type has no version {version}; GET /v1/certificate-types/{{code}}/versions lists them"
            raise NotFound(msg)
        return render_type(found[0])

    @router.get("/certificate-types/{code}/versions", dependencies=[known])
    async def list_versions(code: str) -> list[TypeOut]:
        """List every version of a certificate type, the newest first."""
        return [render_type(kind) for kind in await types.list_versions(code)]

    @router.post("/certificate-types", status_code=201)
    async def register_type(body: TypeIn, caller: administrator) -> TypeOut:
        """Register a certificate type, or its next version."""
        return render_type(await types.register(parse_type(body), actor=caller))

    @router.put("/certificate-types/{code}/service-items")
    async def set_service_items(code: str, body: list[ServiceItemBody], caller: administrator) -> TypeOut:
        """Say which service items may use certificates of this type by function."""
        items = parse_service_items(body)
        return render_type(await types.set_service_items(code=code, items=items, actor=caller))


def _pick(kinds: list[CertificateType], codes: list[str] | None) -> list[CertificateType]:
    if codes is None:
        return kinds
    if unknown := set(codes) - {kind.code for kind in kinds}:
        msg = f"no certificate type has the code {min(unknown)[:40]}"
        raise NotFound(msg)
    return [kind for kind in kinds if kind.code in codes]
