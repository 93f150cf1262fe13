"""Routes of certificate types."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from certs.types.model import (
    CertificateItem,
    CertificateType,
    DefiningLevel,
    Evidence,
    HolderCategory,
    HolderCodeType,
    ServiceItem,
)
from certs.types.service import TypeService
from core.caller import Caller, Scope
from core.http.authentication import Authentication


class ItemBody(BaseModel):
    """One item on the face of a certificate."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="capitals, digits and _; `KZ_` and this in the file's metadata")
    title: str
    format: str = Field(description="C18, C..50, n2, n..12, N..24,6, YYYYMMDD or YYYYMMDDhhmmss")
    is_required: bool = False
    is_sensitive: bool = False
    allowed: list[str] = Field(default_factory=list, max_length=1000)


class ServiceItemBody(BaseModel):
    """A service item that may use certificates of a type by function; code `*` means all."""

    model_config = ConfigDict(extra="forbid")

    code: str
    name: str = ""


class TypeIn(BaseModel):
    """A certificate type to register, or a further version of one."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="defining body's credit code and three digits")
    version: int = Field(default=1, ge=1)
    name: str
    defining_body: str
    defining_level: DefiningLevel = DefiningLevel.OTHER
    holder_category: HolderCategory
    items: list[ItemBody] = Field(default_factory=list)
    template: str | None = None
    end_required: bool = False
    max_years: int | None = None
    service_items: list[ServiceItemBody] = Field(default_factory=list)


class TypeOut(TypeIn):
    """A certificate type as registered."""

    defining_body_code: str
    evidence: Evidence


class HolderCodeTypeOut(BaseModel):
    """A kind of number that names a holder (GB/T 36903-2018 annex A)."""

    code: str
    title: str
    category: HolderCategory


def build_router(*, types: TypeService, authentication: Authentication) -> APIRouter:
    """Build the routes over `types`."""
    router = APIRouter(prefix="/v1", tags=["certificate types"])
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]
    known = Depends(authentication.requires())

    @router.get("/certificate-types", dependencies=[known])
    async def list_types() -> list[TypeOut]:
        """List every certificate type in its newest version."""
        return [_render(found) for found in await types.list_types()]

    @router.get("/certificate-types/holder-code-types", dependencies=[known])
    async def list_holder_code_types() -> list[HolderCodeTypeOut]:
        """List the kinds of number that name a holder."""
        return [
            HolderCodeTypeOut(code=kind, title=kind.label, category=kind.category) for kind in HolderCodeType
        ]

    @router.get("/certificate-types/{code}", dependencies=[known])
    async def get_type(code: str) -> TypeOut:
        """Show one certificate type."""
        return _render(await types.get_type(code))

    @router.post("/certificate-types", status_code=201)
    async def register_type(body: TypeIn, caller: administrator) -> TypeOut:
        """Register a certificate type, or its next version."""
        return _render(await types.register(_parse(body), actor=caller))

    @router.put("/certificate-types/{code}/service-items")
    async def set_service_items(code: str, body: list[ServiceItemBody], caller: administrator) -> TypeOut:
        """Say which service items may use certificates of this type by function."""
        items = [ServiceItem(code=item.code, name=item.name) for item in body]
        return _render(await types.set_service_items(code=code, items=items, actor=caller))

    return router


def _parse(body: TypeIn) -> CertificateType:
    return CertificateType(
        code=body.code,
        version=body.version,
        name=body.name,
        defining_body=body.defining_body,
        defining_level=body.defining_level,
        holder_category=body.holder_category,
        items=tuple(
            CertificateItem(**{**item.model_dump(), "allowed": tuple(item.allowed)}) for item in body.items
        ),
        template=body.template,
        end_required=body.end_required,
        max_years=body.max_years,
        service_items=tuple(ServiceItem(code=item.code, name=item.name) for item in body.service_items),
    )


def _render(kind: CertificateType) -> TypeOut:
    return TypeOut(
        code=kind.code,
        version=kind.version,
        name=kind.name,
        defining_body=kind.defining_body,
        defining_body_code=kind.defining_body_code,
        defining_level=kind.defining_level,
        holder_category=kind.holder_category,
        items=[
            ItemBody(
                name=item.name,
                title=item.title,
                format=item.format,
                is_required=item.is_required,
                is_sensitive=item.is_sensitive,
                allowed=list(item.allowed),
            )
            for item in kind.items
        ],
        template=kind.template,
        end_required=kind.end_required,
        max_years=kind.max_years,
        evidence=kind.evidence,
        service_items=[ServiceItemBody(code=item.code, name=item.name) for item in kind.service_items],
    )
