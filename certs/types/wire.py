"""Certificate types as JSON: what routes take and give, and the file that catalogues are exchanged as."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from certs.types.model import (
    BodyLevel,
    CertificateItem,
    CertificateType,
    Evidence,
    HolderCategory,
    ServiceItem,
)
from certs.types.table import Draft, find_repeated
from core.errors import FieldError, SchemaViolation

FORMAT: Final = "shuzheng-certificate-types"


class ItemBody(BaseModel):
    """One item on the face of a certificate."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="capitals, digits and _; `KZ_` and this in the file's metadata")
    title: str
    format: str = Field(description="C18, C..50, n2, n..12, N..24,6, YYYYMMDD, YYYYMMDDhhmmss or PHOTO")
    is_required: bool = False
    is_sensitive: bool = False
    allowed: list[str] = Field(default_factory=list, max_length=1000)


class ServiceItemBody(BaseModel):
    """A service item; among those that may use certificates by function the code `*` means all."""

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
    defining_level: BodyLevel = BodyLevel.OTHER
    holder_category: HolderCategory
    issuing_level: BodyLevel = BodyLevel.OTHER
    validity_range: str = Field(default="", description="in words, such as 5年")
    items: list[ItemBody] = Field(default_factory=list)
    template: str | None = None
    end_required: bool = False
    max_years: int | None = None
    related_items: list[ServiceItemBody] = Field(
        default_factory=list,
        max_length=1000,
        description="service items that produce such certificates",
    )
    service_items: list[ServiceItemBody] = Field(
        default_factory=list, description="service items that may use such certificates by function"
    )


class TypeOut(TypeIn):
    """A certificate type as registered."""

    defining_body_code: str
    evidence: Evidence


class _Listed(TypeIn):
    """A type in a catalogue file; what follows from the rest, or from the hub, is read and dropped."""

    version: int | None = Field(default=None, ge=1)  # type: ignore[assignment]
    defining_body_code: str | None = None
    evidence: Evidence | None = None


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["shuzheng-certificate-types"]
    version: Literal[1]
    types: list[_Listed] = Field(max_length=5000)


def parse_type(body: TypeIn) -> CertificateType:
    """Turn what came in into a type, unchecked."""
    return CertificateType(
        code=body.code,
        version=body.version or 1,
        name=body.name,
        defining_body=body.defining_body,
        defining_level=body.defining_level,
        holder_category=body.holder_category,
        issuing_level=body.issuing_level,
        validity_range=body.validity_range,
        items=tuple(
            CertificateItem(**{**item.model_dump(), "allowed": tuple(item.allowed)}) for item in body.items
        ),
        template=body.template,
        end_required=body.end_required,
        max_years=body.max_years,
        related_items=parse_service_items(body.related_items),
        service_items=parse_service_items(body.service_items),
    )


def parse_service_items(bodies: Iterable[ServiceItemBody]) -> tuple[ServiceItem, ...]:
    """Turn service items that came in into values."""
    return tuple(ServiceItem(code=body.code, name=body.name) for body in bodies)


def render_type(kind: CertificateType) -> TypeOut:
    """Render a type."""
    return TypeOut(
        code=kind.code,
        version=kind.version,
        name=kind.name,
        defining_body=kind.defining_body,
        defining_body_code=kind.defining_body_code,
        defining_level=kind.defining_level,
        holder_category=kind.holder_category,
        issuing_level=kind.issuing_level,
        validity_range=kind.validity_range,
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
        related_items=_render_services(kind.related_items),
        service_items=_render_services(kind.service_items),
    )


def _render_services(items: Iterable[ServiceItem]) -> list[ServiceItemBody]:
    return [ServiceItemBody(code=item.code, name=item.name) for item in items]


def write_catalogue(kinds: Iterable[CertificateType]) -> dict[str, Any]:
    """Write types as a catalogue file."""
    return {
        "format": FORMAT,
        "version": 1,
        "types": [render_type(kind).model_dump(mode="json") for kind in kinds],
    }


def read_catalogue(data: bytes) -> tuple[list[Draft], list[FieldError]]:
    """Read a catalogue file. Raises SchemaViolation with an error for each place that breaks the form."""
    try:
        catalogue = _Catalogue.model_validate_json(data)
    except ValidationError as error:
        found = tuple(
            FieldError(
                pointer="".join(f"/{part}" for part in each["loc"]), code="FORM", detail=each["msg"][:200]
            )
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        )
        msg = f"the file is not a catalogue of certificate types ({FORMAT}, version 1); see errors"
        raise SchemaViolation(msg, errors=found) from error
    drafts = [
        Draft(place=f"/types/{number}", kind=parse_type(each), version=each.version)
        for number, each in enumerate(catalogue.types)
    ]
    return drafts, find_repeated(drafts)
