"""Routes of cascades."""

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.caller import Caller, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication
from evidence.cascade.document import dump_rule, parse_rule
from evidence.cascade.model import Action, Affected, Effect, EffectState, Finding, KeptRule, Operation
from evidence.cascade.service import CascadeService

EXAMPLE: dict[str, Any] = {
    "code": "deregistered",
    "title": "企业注销即暂停许可证",
    "source": {
        "kind": "row",
        "resource": "fr_jbxx",
        "holder": "tyxydm",
        "on": ["update", "delete"],
        "when": [{"item": "cxzt", "test": "one_of", "values": ["2", "3"]}],
    },
    "target": "11100000000013338W031",
    "action": "suspend",
    "confirm": True,
}
Document = Annotated[Any, Body(examples=[EXAMPLE], description="a cascade rule")]


class RuleOut(BaseModel):
    """A rule in force, and whose it is."""

    rule: dict[str, Any]
    organisation: str
    created_at: datetime


class RowIn(BaseModel):
    """A change of a row that is not published yet; `after` are the values it would get."""

    model_config = ConfigDict(extra="forbid")

    resource: str = Field(max_length=128)
    keys: dict[str, str | int | float | bool] = Field(min_length=1, max_length=50)
    operation: Operation
    after: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=500)


class CertificateIn(BaseModel):
    """A status that a certificate has not got yet."""

    model_config = ConfigDict(extra="forbid")

    identifier: str = Field(max_length=200)
    status: Literal["suspended", "superseded", "cancelled", "revoked", "withdrawn"]


class PreviewIn(BaseModel):
    """What is going to change: a row or a certificate."""

    model_config = ConfigDict(extra="forbid")

    row: RowIn | None = None
    certificate: CertificateIn | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.row is None) is (self.certificate is None):
            msg = "name a row or a certificate"
            raise ValueError(msg)
        return self


class CasesOut(BaseModel):
    """Open cases of an office that rest on it; their numbers are shown to the office and administrators.

    `actions` are what would follow for them: `notify`, `recheck`, `suspend`.
    """

    office: str
    service_item: str
    actions: list[Action]
    cases: int
    case_numbers: list[str]


class CertificatesOut(BaseModel):
    """Certificates that a rule is about; their identifiers are shown to the issuer and administrators."""

    rule: str
    title: str
    issuer: str
    action: Action
    confirm: bool
    certificates: int
    identifiers: list[str]


class PreviewOut(BaseModel):
    """What would be affected; nothing has moved."""

    cases: list[CasesOut]
    certificates: list[CertificatesOut]


class EffectOut(BaseModel):
    """An effect. That on a case is settled once the case was run again, or found to hold as it was."""

    id: UUID
    organisation: str
    source: str
    version: str
    trigger: str
    rule: str | None
    case: UUID | None
    case_number: str | None
    fact: str | None
    certificate: str | None
    action: Action
    state: EffectState
    made_at: datetime
    settled_at: datetime | None
    finding: Finding | None
    reason: str | None
    checked_at: datetime | None


def build_router(*, cascade: CascadeService, authentication: Authentication) -> APIRouter:
    """Build the routes over `cascade`."""
    router = APIRouter(prefix="/v1/cascade", tags=["cascade"])
    known = Annotated[Caller, Depends(authentication.requires())]
    issuer = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_ISSUE))]
    changer = Annotated[
        Caller,
        Depends(authentication.requires(Scope.PUBLISH, Scope.CERTIFICATE_ISSUE, Scope.ADMIN)),
    ]

    @router.put("/rules/{code}", status_code=204)
    async def set_cascade_rule(code: str, document: Document, caller: issuer) -> None:
        """Say what becomes of the own certificates of a type where a row or another certificate changes."""
        rule = parse_rule(document)
        if rule.code != code:
            detail = "the code in the rule is not the one in the path"
            raise SchemaViolation(detail, errors=(FieldError(pointer="/code", code="CODE", detail=detail),))
        await cascade.set_rule(rule, caller=caller)

    @router.get("/rules")
    async def list_cascade_rules(caller: known) -> list[RuleOut]:
        """List the own rules in force; all of them for administrators and auditors."""
        return [_render_rule(each) for each in await cascade.list_rules(caller=caller)]

    @router.post("/rules/{code}/retire", status_code=204)
    async def retire_cascade_rule(code: str, caller: issuer) -> None:
        """Take a rule out of force."""
        await cascade.retire_rule(code, caller=caller)

    @router.post("/preview")
    async def preview_cascade(body: PreviewIn, caller: changer) -> PreviewOut:
        """Show what a change would affect, before it is made. Nothing moves."""
        if body.row is not None:
            affected = await cascade.preview_row(
                body.row.resource,
                keys=body.row.keys,
                operation=body.row.operation,
                after=body.row.after,
                caller=caller,
            )
        else:
            assert body.certificate is not None
            affected = await cascade.preview_certificate(
                body.certificate.identifier, status=body.certificate.status, caller=caller
            )
        return _render_preview(affected, caller)

    _add_effects(router, cascade, authentication)
    return router


def _add_effects(router: APIRouter, cascade: CascadeService, authentication: Authentication) -> None:
    known = Annotated[Caller, Depends(authentication.requires())]
    issuer = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_ISSUE))]

    @router.get("/effects")
    async def list_cascade_effects(
        caller: known,
        before: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[EffectOut]:
        """List effects, newest first: of the own organisation and those below; of all for auditors."""
        found = await cascade.list_effects(caller=caller, before=before, limit=limit)
        return [_render_effect(each) for each in found]

    @router.post("/effects/{effect_id}/confirm")
    async def confirm_effect(effect_id: UUID, caller: issuer) -> EffectOut:
        """Let an effect that waits happen."""
        return _render_effect(await cascade.settle(effect_id, is_confirmed=True, caller=caller))

    @router.post("/effects/{effect_id}/dismiss")
    async def dismiss_effect(effect_id: UUID, caller: issuer) -> EffectOut:
        """Decide that an effect that waits does not happen."""
        return _render_effect(await cascade.settle(effect_id, is_confirmed=False, caller=caller))


def _render_rule(kept: KeptRule) -> RuleOut:
    return RuleOut(rule=dump_rule(kept.rule), organisation=kept.organisation_code, created_at=kept.created_at)


def _render_preview(affected: Affected, caller: Caller) -> PreviewOut:
    sees_all = Scope.ADMIN in caller.scopes
    cases: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    actions: defaultdict[tuple[str, str], set[Action]] = defaultdict(set)
    for case in affected.cases:
        cases[case.organisation_code, case.item_code].add(case.case_number)
        actions[case.organisation_code, case.item_code].add(case.action)
    rules = {each.kept.rule.code: each.kept for each in affected.certificates}
    held: defaultdict[str, list[str]] = defaultdict(list)
    for each in affected.certificates:
        held[each.kept.rule.code].append(each.identifier)
    return PreviewOut(
        cases=[
            CasesOut(
                office=office,
                service_item=item,
                actions=sorted(actions[office, item]),
                cases=len(numbers),
                case_numbers=sorted(numbers) if sees_all or office == caller.organisation_code else [],
            )
            for (office, item), numbers in sorted(cases.items())
        ],
        certificates=[
            CertificatesOut(
                rule=code,
                title=kept.rule.title,
                issuer=kept.organisation_code,
                action=Action(kept.rule.action),
                confirm=kept.rule.confirm,
                certificates=len(held[code]),
                identifiers=held[code]
                if sees_all or kept.organisation_code == caller.organisation_code
                else [],
            )
            for code, kept in sorted(rules.items())
        ],
    )


def _render_effect(effect: Effect) -> EffectOut:
    return EffectOut(
        id=effect.id,
        organisation=effect.organisation_code,
        source=effect.cause.source,
        version=effect.cause.version,
        trigger=effect.cause.trigger,
        rule=effect.rule_code,
        case=effect.case_id,
        case_number=effect.case_number,
        fact=effect.fact,
        certificate=effect.certificate_id,
        action=effect.action,
        state=effect.state,
        made_at=effect.made_at,
        settled_at=effect.settled_at,
        finding=effect.finding,
        reason=effect.reason,
        checked_at=effect.checked_at,
    )
