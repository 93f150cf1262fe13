"""Routes of service items and their rules."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication
from evidence.rules.document import describe_schema, dump_item, parse_item
from evidence.rules.model import ItemVersion, RuleFinding, Severity, VersionState
from evidence.rules.parameters import OptionalVersion, VersionNumber
from evidence.rules.service import RuleService, SavedItem

EXAMPLE: dict[str, Any] = {
    "code": "出生医学证明-户口登记",
    "title": "新生儿户口登记",
    "office": "11990000MA000001XX",
    "region": "990000",
    "roles": [{"name": "mother", "title": "母亲", "kind": "person"}],
    "facts": [
        {
            "code": "mother_identity",
            "title": "母亲身份",
            "ways": [
                {
                    "kind": "verification",
                    "resource": "rk_jbxx",
                    "subject": {"GMSFHM": "$mother.code"},
                    "assertions": {"XM": "$mother.name"},
                }
            ],
        }
    ],
    "materials": [{"code": "m1", "title": "母亲身份证", "facts": ["mother_identity"]}],
}
Document = Annotated[
    Any, Body(examples=[EXAMPLE], description="a service item; GET /v1/service-items/schema")
]


class FindingOut(BaseModel):
    """What the model checker says; an error forbids the release."""

    pointer: str
    code: str
    detail: str
    severity: Severity


class VersionOut(BaseModel):
    """One version of an item's rules."""

    code: str
    version: int
    state: VersionState
    digest: str
    saved_at: datetime
    released_at: datetime | None
    retired_at: datetime | None


class SavedOut(VersionOut):
    """A version as saved. `changed` false: the same rules were there already."""

    changed: bool
    findings: list[FindingOut]


class ItemOut(VersionOut):
    """A version with its rules."""

    rules: dict[str, Any]


class HeadOut(BaseModel):
    """An item in a list."""

    code: str
    title: str
    office: str
    region: str
    released: int | None
    draft: int | None


class DifferenceOut(BaseModel):
    """One place that differs; null where it is absent."""

    pointer: str
    before: Any
    after: Any


class ItemsBody(BaseModel):
    """Items as they are imported and exported."""

    model_config = ConfigDict(extra="forbid")

    items: list[Any] = Field(min_length=1, max_length=200)


def build_router(*, rules: RuleService, authentication: Authentication) -> APIRouter:
    """Build the routes over `rules`."""
    router = APIRouter(prefix="/v1/service-items", tags=["service-items"])
    known = Annotated[Caller, Depends(authentication.requires())]
    writer = Annotated[Caller, Depends(authentication.requires(Scope.RULES_WRITE, Scope.ADMIN))]

    @router.get("/schema")
    async def load_schema(_caller: known) -> dict[str, Any]:
        """Return the JSON Schema of a service item."""
        return describe_schema()

    @router.get("/export")
    async def export_items(_caller: known, office: str | None = None) -> dict[str, Any]:
        """Export every released item, as `POST /v1/service-items/import` takes them."""
        return {"items": [dump_item(each.item) for each in await rules.export_items(office=office)]}

    @router.post("/import")
    async def import_items(body: ItemsBody, caller: writer) -> list[SavedOut]:
        """Save many items as drafts, all or none."""
        items = [_parse(each, f"/items/{number}") for number, each in enumerate(body.items)]
        return [_render_saved(each) for each in await rules.import_items(items, caller=caller)]

    @router.post("/check")
    async def check_rules(document: Document, _caller: known) -> list[FindingOut]:
        """Check rules without saving them."""
        return [_render_finding(each) for each in await rules.check(parse_item(document))]

    @router.get("")
    async def list_items(
        _caller: known,
        office: str | None = None,
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[HeadOut]:
        """List service items by code."""
        found = await rules.list_items(office=office, after=after, limit=limit)
        return [
            HeadOut(
                code=each.code,
                title=each.title,
                office=each.office,
                region=each.region,
                released=each.released,
                draft=each.draft,
            )
            for each in found
        ]

    _add_writing(router, rules, authentication)
    _add_versions(router, rules, authentication)
    return router


def _add_writing(router: APIRouter, rules: RuleService, authentication: Authentication) -> None:
    writer = Annotated[Caller, Depends(authentication.requires(Scope.RULES_WRITE, Scope.ADMIN))]

    @router.put("/{code}")
    async def save_item(code: str, document: Document, caller: writer) -> SavedOut:
        """Save an item's rules as its draft."""
        item = parse_item(document)
        if item.code != code:
            detail = "the code in the rules is not the one in the path"
            raise SchemaViolation(detail, errors=(FieldError(pointer="/code", code="CODE", detail=detail),))
        return _render_saved(await rules.save(item, caller=caller))

    @router.post("/{code}/release")
    async def release_item(code: str, caller: writer) -> VersionOut:
        """Release an item's draft. The version before it is retired; cases that are open keep theirs."""
        return VersionOut(**_version(await rules.release(code, caller=caller)))

    @router.post("/{code}/retire")
    async def retire_item(code: str, caller: writer) -> VersionOut:
        """Retire an item's released version."""
        return VersionOut(**_version(await rules.retire(code, caller=caller)))


def _add_versions(router: APIRouter, rules: RuleService, authentication: Authentication) -> None:
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.get("/{code}")
    async def load_item(code: str, _caller: known, version: OptionalVersion = None) -> ItemOut:
        """Load an item: the released version, or the one that is asked for."""
        found = await rules.load(code, version=version)
        return ItemOut(**_version(found), rules=dump_item(found.item))

    @router.get("/{code}/versions")
    async def list_versions(code: str, _caller: known) -> list[VersionOut]:
        """List every version of an item, the newest first."""
        return [VersionOut(**_version(each)) for each in await rules.list_versions(code)]

    @router.get("/{code}/diff")
    async def diff_versions(
        code: str, before: VersionNumber, after: VersionNumber, _caller: known
    ) -> list[DifferenceOut]:
        """List where two versions differ; parts with a code or a name are compared by it."""
        return [
            DifferenceOut(pointer=each.pointer, before=each.before, after=each.after)
            for each in await rules.diff(code, before=before, after=after)
        ]


def _parse(document: object, place: str) -> Any:
    try:
        return parse_item(document)
    except SchemaViolation as wrong:
        moved = tuple(
            FieldError(pointer=place + each.pointer, code=each.code, detail=each.detail)
            for each in wrong.errors
        )
        raise SchemaViolation(wrong.detail, errors=moved) from wrong


def _version(found: ItemVersion) -> dict[str, Any]:
    return {
        "code": found.item.code,
        "version": found.version,
        "state": found.state,
        "digest": f"sm3:{found.digest_sm3}",
        "saved_at": found.saved_at,
        "released_at": found.released_at,
        "retired_at": found.retired_at,
    }


def _render_saved(saved: SavedItem) -> SavedOut:
    return SavedOut(
        **_version(saved.version),
        changed=saved.changed,
        findings=[_render_finding(each) for each in saved.findings],
    )


def _render_finding(found: RuleFinding) -> FindingOut:
    return FindingOut(pointer=found.pointer, code=found.code, detail=found.detail, severity=found.severity)
