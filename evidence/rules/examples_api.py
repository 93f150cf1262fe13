"""Routes of example applicants: what the rules ask of an applicant, and whether the examples hold."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller
from core.errors import Conflict
from core.http.authentication import Authentication
from evidence.rules.check import check_item
from evidence.rules.examples import Demand, compare_example, find_demand, name_ways
from evidence.rules.model import Example, PartyKind, ServiceItem, Severity
from evidence.rules.parameters import OptionalVersion
from evidence.rules.service import RuleService


class ApplicantIn(BaseModel):
    """An applicant that is made up: what fills each role, and what the form says."""

    model_config = ConfigDict(extra="forbid")

    roles: dict[str, PartyKind] = Field(max_length=50, examples=[{"company": "organisation"}])
    inputs: dict[str, str] = Field(default_factory=dict, max_length=200)


class DemandOut(BaseModel):
    """What the rules come to; `ways` are the kinds that can be tried for each fact, in their order."""

    version: int
    required: list[str]
    not_required: list[str]
    ways: dict[str, list[str]]


class ExampleOut(BaseModel):
    """An example and what its test came to."""

    name: str
    passed: bool
    failures: list[str]
    required: list[str]
    ways: dict[str, list[str]]


def build_router(*, rules: RuleService, authentication: Authentication) -> APIRouter:
    """Build the routes over `rules`."""
    router = APIRouter(prefix="/v1/service-items", tags=["service-items"])
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.post("/{code}/demand")
    async def try_applicant(
        code: str, body: ApplicantIn, _caller: known, version: OptionalVersion = None
    ) -> DemandOut:
        """Say which materials an applicant would need, and by which ways each fact could be met."""
        found = await rules.load(code, version=version)
        _verify_sound(found.item)
        demand = find_demand(found.item, roles=body.roles, inputs=body.inputs)
        return DemandOut(
            version=found.version,
            required=list(demand.required),
            not_required=[each.code for each in found.item.materials if each.code not in demand.required],
            ways=_render_ways(found.item, demand),
        )

    @router.get("/{code}/examples")
    async def load_examples(code: str, _caller: known, version: OptionalVersion = None) -> list[ExampleOut]:
        """Test a version's example applicants; a release in which one fails is refused."""
        item = (await rules.load(code, version=version)).item
        _verify_sound(item)
        return [_test(item, example) for example in item.examples]

    return router


def _verify_sound(item: ServiceItem) -> None:
    """Refuse a draft whose rules cannot be followed at all; its examples may fail."""
    for finding in check_item(item):
        if finding.severity is Severity.ERROR and finding.code != "EXAMPLE-FAILED":
            msg = f"the rules are unsound ({finding.code} at {finding.pointer}); mend them first"
            raise Conflict(msg)


def _test(item: ServiceItem, example: Example) -> ExampleOut:
    demand = find_demand(item, roles=example.roles, inputs=example.inputs)
    failures = [each.detail for each in compare_example(item, example, demand, "")]
    return ExampleOut(
        name=example.name,
        passed=not failures,
        failures=failures,
        required=list(demand.required),
        ways=_render_ways(item, demand),
    )


def _render_ways(item: ServiceItem, demand: Demand) -> dict[str, list[str]]:
    return {code: list(name_ways(item, code, numbers)) for code, numbers in demand.ways.items()}
