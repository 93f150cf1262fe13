"""The rules held against the hub as it is: resources, items, certificate types and organisations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from certs.types.model import CertificateType, HolderCodeType
from certs.types.store import load_types_by_code
from core.database import Connection
from core.errors import BadInput
from evidence.rules import store
from evidence.rules.model import (
    CertificateWay,
    CreditWay,
    DatasetWay,
    PartyKind,
    RequestWay,
    RuleFinding,
    ServiceItem,
    Severity,
    VerificationWay,
    Way,
)
from evidence.rules.values import Origin, parse_value
from exchange.access.values import parse_value as parse_item_value
from exchange.catalogue.model import Resource, ResourceState, ShareType
from exchange.catalogue.store import load_resource

CERTIFICATE_ITEMS = frozenset(
    {"number", "issued_on", "valid_from", "valid_until", "holder_name", "holder_code", "identifier"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What of the hub an item's rules name, as far as it is there."""

    resources: Mapping[str, Resource]
    types: Mapping[str, CertificateType]
    organisations: frozenset[str]


async def load_holdings(connection: Connection, item: ServiceItem) -> Holdings:
    """Load what an item's rules name."""
    ways = [way for fact in item.facts for way in fact.ways]
    codes = {way.resource for way in ways if isinstance(way, DatasetWay | VerificationWay | CreditWay)}
    types = {way.type_code for way in ways if isinstance(way, CertificateWay)}
    named = {way.department for way in ways if isinstance(way, RequestWay)} | {item.office}
    found = [await load_resource(connection, code=code) for code in sorted(codes)]
    return Holdings(
        resources={each.code: each for each in found if each is not None},
        types=await load_types_by_code(connection, codes=types),
        organisations=await store.load_known_organisations(connection, codes=sorted(named)),
    )


def check_against(item: ServiceItem, holdings: Holdings) -> list[RuleFinding]:
    """Return which ways cannot succeed because of what the hub holds, and which facts none is left for."""
    findings = []
    if item.office not in holdings.organisations:
        detail = "no organisation of this code is registered"
        findings.append(RuleFinding(pointer="/office", code="UNKNOWN-ORGANISATION", detail=detail))
    for number, fact in enumerate(item.facts):
        for place, way in enumerate(fact.ways):
            findings += _check_way(item, way, f"/facts/{number}/ways/{place}", holdings)
    return findings


def _check_way(item: ServiceItem, way: Way, pointer: str, holdings: Holdings) -> Iterator[RuleFinding]:
    match way:
        case CertificateWay():
            yield from _check_certificate(item, way, pointer, holdings)
        case RequestWay() if way.department not in holdings.organisations:
            detail = "no organisation of this code is registered"
            yield RuleFinding(pointer=f"{pointer}/department", code="UNKNOWN-ORGANISATION", detail=detail)
        case DatasetWay() | VerificationWay() | CreditWay():
            resource = holdings.resources.get(way.resource)
            if resource is None or resource.state is ResourceState.RECALLED:
                detail = f"there is no resource {way.resource} in the catalogue, or it was recalled"
                yield RuleFinding(pointer=f"{pointer}/resource", code="UNKNOWN-RESOURCE", detail=detail)
            else:
                yield from _check_items(way, pointer, resource)


def _check_certificate(
    item: ServiceItem, way: CertificateWay, pointer: str, holdings: Holdings
) -> Iterator[RuleFinding]:
    kind = holdings.types.get(way.type_code)
    if kind is None:
        detail = "no certificate type of this code is registered"
        yield RuleFinding(pointer=f"{pointer}/type_code", code="UNKNOWN-TYPE", detail=detail)
        return
    names = CERTIFICATE_ITEMS | {each.name for each in kind.items}
    used = {*way.gives.values(), *(each.item for each in way.requires)}
    for name in sorted(used - names):
        detail = f"certificates of this type have no item {name!r}"
        yield RuleFinding(pointer=pointer, code="UNKNOWN-ITEM", detail=detail)
    role = next(each for each in item.roles if each.name == way.holder)
    code_type = {
        PartyKind.PERSON: HolderCodeType.CITIZEN_NUMBER,
        PartyKind.ORGANISATION: HolderCodeType.CREDIT_CODE,
    }.get(role.kind)
    if code_type is not None and not kind.may_be_held_by(code_type):
        detail = f"certificates of this type are not held by {role.kind}s"
        yield RuleFinding(pointer=f"{pointer}/holder", code="HOLDER", detail=detail)
    if not kind.may_be_used_for(item.code):
        detail = "cases of this item may not use certificates of this type yet; an administrator can add it"
        yield RuleFinding(
            pointer=f"{pointer}/type_code", code="NOT-USABLE", detail=detail, severity=Severity.WARNING
        )


def _check_items(
    way: DatasetWay | VerificationWay | CreditWay, pointer: str, resource: Resource
) -> Iterator[RuleFinding]:
    places: dict[str, list[tuple[str, str | None]]]
    match way:
        case DatasetWay():
            places = {
                "keys": list(way.keys.items()),
                "gives": [(name, None) for name in way.gives.values()],
                "requires": [(each.item, text) for each in way.requires for text in each.values or (None,)],
            }
        case VerificationWay():
            places = {"subject": list(way.subject.items()), "assertions": list(way.assertions.items())}
        case CreditWay():
            places = {"where": list(way.where.items())}
    for place, pairs in places.items():
        for name, text in pairs:
            yield from _check_item(resource, name, text, f"{pointer}/{place}")
    keys = {each.name for each in resource.key_items}
    if isinstance(way, DatasetWay) and keys != set(way.keys):
        detail = f"a row is found by exactly the key items: {', '.join(sorted(keys))}"
        yield RuleFinding(pointer=f"{pointer}/keys", code="KEY-ITEMS", detail=detail)
    if isinstance(way, VerificationWay) and not set(way.subject) <= keys:
        detail = f"a subject is named by key items: {', '.join(sorted(keys))}"
        yield RuleFinding(pointer=f"{pointer}/subject", code="KEY-ITEMS", detail=detail)


def _check_item(resource: Resource, name: str, text: str | None, pointer: str) -> Iterator[RuleFinding]:
    found = resource.item(name)
    if found is None:
        detail = f"the resource {resource.code} has no item {name!r}"
        yield RuleFinding(pointer=pointer, code="UNKNOWN-ITEM", detail=detail)
        return
    if found.share_type is ShareType.NOT_SHARED:
        detail = f"the item {name} of {resource.code} is not shared; no grant can cover it"
        yield RuleFinding(pointer=pointer, code="NOT-SHARED", detail=detail)
    value = None if text is None else parse_value(text)
    if value is not None and value.origin is Origin.TEXT:
        try:
            parse_item_value(found, value.name)
        except BadInput as wrong:
            yield RuleFinding(pointer=pointer, code="VALUE", detail=wrong.detail)
