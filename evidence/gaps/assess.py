"""Where each way, fact and material of an item stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from core.errors import Closed
from evidence.gaps.ground import Ground
from evidence.gaps.model import BEST_FIRST, FactGap, MaterialGap, Standing, WayGap
from evidence.rules.against import check_against
from evidence.rules.cycles import order_facts
from evidence.rules.model import (
    AbolishedWay,
    CertificateWay,
    CommitmentWay,
    Confirm,
    CreditWay,
    DatasetWay,
    Fact,
    RequestWay,
    RuleFinding,
    ServiceItem,
    Severity,
    SourceWay,
    ToleranceWay,
    VerificationWay,
    Way,
)
from evidence.rules.values import Origin, parse_value, values_of
from evidence.rules.ways import gives_of
from exchange.access.model import Grant, Mode
from exchange.catalogue.model import Resource, ResourceState
from exchange.catalogue.standing import verify_open

ResourceWay = DatasetWay | VerificationWay | CreditWay


def assess_materials(item: ServiceItem, ground: Ground) -> tuple[MaterialGap, ...]:
    """Say where each material stands; never raises for what the hub lacks."""
    facts = assess_facts(item, ground)
    return tuple(
        MaterialGap(
            code=material.code,
            title=material.title,
            is_conditional=material.when is not None,
            standing=_worst([facts[code].standing for code in material.facts]),
            facts=tuple(facts[code] for code in material.facts),
        )
        for material in item.materials
    )


def assess_facts(item: ServiceItem, ground: Ground) -> dict[str, FactGap]:
    """Say where each fact stands, those first that others wait for."""
    findings: dict[tuple[int, int], RuleFinding] = {}
    for finding in check_against(item, ground.holdings):
        parts = finding.pointer.split("/")
        if finding.severity is Severity.ERROR and parts[1] == "facts":
            findings.setdefault((int(parts[2]), int(parts[4])), finding)
    numbers = {fact.code: number for number, fact in enumerate(item.facts)}
    gaps: dict[str, FactGap] = {}
    given: dict[str, set[str]] = {}
    for code in (code for codes in order_facts(item) for code in codes):
        fact = item.fact(code)
        ways = [
            _gap(number, way, _assess_way(item, way, ground, findings.get((numbers[code], number)), given))
            for number, way in enumerate(fact.ways)
        ]
        given[code] = {
            name
            for gap in ways
            if gap.standing in {Standing.REPLACEABLE, Standing.ASSISTED}
            for name in gives_of(gap.way)
        }
        gaps[code] = FactGap(code=code, title=fact.title, standing=_judge(fact, ways), ways=tuple(ways))
    return gaps


def _gap(number: int, way: Way, verdict: _Verdict) -> WayGap:
    return WayGap(
        number=number,
        way=way,
        standing=verdict.standing,
        code=verdict.code,
        detail=verdict.detail,
        provider=verdict.provider,
        apply_for=verdict.apply_for,
    )


def _judge(fact: Fact, ways: Sequence[WayGap]) -> Standing:
    """Take the best of a fact's ways; where all sources must agree, the worst of these as one way."""
    sources = [each.standing for each in ways if isinstance(each.way, SourceWay)]
    others = [each.standing for each in ways if not isinstance(each.way, SourceWay)]
    if fact.confirm is Confirm.ALL and sources:
        return _best([_worst(sources), *others])
    return _best([*sources, *others])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What is said of a way: see `WayGap`."""

    standing: Standing
    code: str
    detail: str
    provider: str = ""
    apply_for: Mapping[str, object] = field(default_factory=dict)


def _assess_way(
    item: ServiceItem, way: Way, ground: Ground, finding: RuleFinding | None, given: Mapping[str, set[str]]
) -> _Verdict:
    match way:
        case AbolishedWay():
            return _Verdict(standing=Standing.REPLACEABLE, code="ABOLISHED", detail=way.basis)
        case CommitmentWay():
            detail = f"a commitment, verified within {way.verify_within_days} days"
            return _Verdict(standing=Standing.UNDERTAKEN, code="COMMITMENT", detail=detail)
        case ToleranceWay():
            detail = f"the material follows within {way.within_days} working days"
            return _Verdict(standing=Standing.UNDERTAKEN, code="TOLERANCE", detail=detail)
    return _assess_source(item, way, ground, finding, given)


def _assess_source(
    item: ServiceItem,
    way: SourceWay | RequestWay,
    ground: Ground,
    finding: RuleFinding | None,
    given: Mapping[str, set[str]],
) -> _Verdict:
    missing = _find_missing(way, given)
    if finding is not None and finding.code != "UNKNOWN-RESOURCE":
        return _blocked(finding.code, finding.detail, apply_for=_mend(way))
    if missing is not None:
        return _blocked("NEEDS-FACT", f"waits for {missing}, which no way that is open gives")
    match way:
        case RequestWay():
            detail = f"the department answers within {way.within_days} working days"
            return _Verdict(
                standing=Standing.ASSISTED, code="REQUEST", detail=detail, provider=way.department
            )
        case CertificateWay():
            return _assess_certificate(item, way, ground)
    resource = ground.holdings.resources.get(way.resource)
    if resource is None:
        detail = f"there is no resource {way.resource} in the catalogue"
        return _blocked("UNKNOWN-RESOURCE", detail, apply_for=_mend(way))
    return _assess_resource(item, way, resource, ground)


def _blocked(
    code: str, detail: str, *, provider: str = "", apply_for: Mapping[str, object] | None = None
) -> _Verdict:
    return _Verdict(
        standing=Standing.BLOCKED, code=code, detail=detail, provider=provider, apply_for=apply_for or {}
    )


def _assess_certificate(item: ServiceItem, way: CertificateWay, ground: Ground) -> _Verdict:
    kind = ground.holdings.types[way.type_code]
    provider = kind.defining_body_code
    if way.type_code not in ground.issued:
        detail = f"no {kind.name} is registered here yet"
        return _blocked("NONE-ISSUED", detail, provider=provider, apply_for=_mend(way))
    if not kind.may_be_used_for(item.code):
        return _Verdict(
            standing=Standing.ASSISTED,
            code="HOLDER-AUTHORISATION",
            detail=f"{kind.name}: only with the holder's authorisation; no rule lets the item use it",
            provider=provider,
            apply_for=_mend(way),
        )
    detail = f"{kind.name}, by function"
    return _Verdict(standing=Standing.REPLACEABLE, code="USABLE", detail=detail, provider=provider)


def _assess_resource(item: ServiceItem, way: ResourceWay, resource: Resource, ground: Ground) -> _Verdict:
    provider = resource.provider_code
    try:
        verify_open(resource, at=ground.at)
    except Closed as closed:
        is_recalled = resource.state is ResourceState.RECALLED
        code = "RESOURCE-RECALLED" if is_recalled else "RESOURCE-CLOSED"
        return _blocked(code, closed.detail, provider=provider)
    published = ground.published_at.get(resource.code)
    if published is None:
        detail = f"nothing has been published in {resource.title} yet"
        return _blocked("NOTHING-PUBLISHED", detail, provider=provider)
    if way.max_age_days is not None and ground.at - published > timedelta(days=way.max_age_days):
        detail = f"{resource.title} is older than the {way.max_age_days} days that the item allows"
        return _blocked("STALE", detail, provider=provider)
    lack = _find_lack(item, way, resource, ground.grants[resource.code])
    if lack is not None:
        return _blocked(*lack, provider=provider, apply_for=_apply(item, way, resource))
    detail = f"{resource.title}, under a grant"
    return _Verdict(standing=Standing.REPLACEABLE, code="GRANTED", detail=detail, provider=provider)


def _find_lack(
    item: ServiceItem, way: ResourceWay, resource: Resource, grants: Sequence[Grant]
) -> tuple[str, str] | None:
    """Say what keeps the office's grants from covering all that the way asks; they are not put together."""
    mode, searched, read = needs_of(way)
    if not grants:
        return "NO-GRANT", f"the office has no grant of {resource.title}"
    of_mode = [each for each in grants if mode in each.terms.modes]
    if not of_mode:
        return "GRANT-NOT-OF-MODE", f"the office's grant of {resource.title} does not allow {mode}"
    serving = [each for each in of_mode if each.serves(item.code)]
    if not serving:
        return "GRANT-NOT-FOR-ITEM", f"the office's grant of {resource.title} is not for this service item"
    lacks = min((_lacking(each, resource, searched, read) for each in serving), key=len)
    if lacks:
        return "GRANT-LACKS-ITEMS", f"the office's grant of {resource.title} lacks {', '.join(lacks)}"
    return None


def _lacking(grant: Grant, resource: Resource, searched: set[str], read: set[str]) -> list[str]:
    lacks = read - set(grant.open_items(resource))
    if searched:
        lacks |= searched - set(grant.searchable_items(resource))
    return sorted(lacks)


def needs_of(way: ResourceWay) -> tuple[Mode, set[str], set[str]]:
    """Return what a way needs of a grant: mode, items to search by, items to read or verify."""
    match way:
        case VerificationWay():
            return Mode.VERIFY, set(), set(way.assertions)
        case CreditWay():
            return Mode.QUERY, set(way.where), set()
    return Mode.QUERY, set(way.keys), {*way.gives.values(), *(each.item for each in way.requires)}


def _apply(item: ServiceItem, way: ResourceWay, resource: Resource) -> dict[str, object]:
    mode, searched, read = needs_of(way)
    return {
        "resource": resource.code,
        "mode": str(mode),
        "items": sorted(searched | read),
        "service_item": item.code,
        "provider": resource.provider_code,
    }


def _mend(way: Way) -> dict[str, object]:
    match way:
        case CertificateWay():
            return {"certificate_type": way.type_code}
        case DatasetWay() | VerificationWay() | CreditWay():
            return {"resource": way.resource}
    return {}


def _find_missing(way: Way, given: Mapping[str, set[str]]) -> str | None:
    for _, text in values_of(way):
        value = parse_value(text)
        if value is not None and value.origin is Origin.FACT and value.field not in given[value.name]:
            return f"{value.name}.{value.field}"
    return None


def _best(standings: Sequence[Standing]) -> Standing:
    return min(standings, key=BEST_FIRST.index, default=Standing.BLOCKED)


def _worst(standings: Sequence[Standing]) -> Standing:
    return max(standings, key=BEST_FIRST.index, default=Standing.BLOCKED)
