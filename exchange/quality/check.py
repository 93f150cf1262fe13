"""What a quality rule must be like to be set."""

from __future__ import annotations

from core.errors import FieldError
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Resource, Rule, RuleKind, Severity

MAX_RULES = 100
MAX_VALUES = 200
_TIMES = {Kind.DAY, Kind.SECOND}
_PAIRS = {RuleKind.ORDER, RuleKind.REQUIRED_IF, RuleKind.SWAPPED}
_WITH_VALUES = {RuleKind.REQUIRED_IF, RuleKind.TOLERATE}


def check_rule(pointer: str, rule: Rule, resource: Resource, target: Resource | None) -> list[FieldError]:
    """Check one rule of `resource`; `target` is the resource that it names, None where there is none."""
    unknown = [name for name in rule.items if resource.item(name) is None]
    if unknown or not rule.items or len(set(rule.items)) != len(rule.items):
        detail = "items names each item of the resource that the rule is about, once"
        return [FieldError(pointer=f"{pointer}/items", code="UNKNOWN-ITEM", detail=detail)]
    errors = []
    if rule.kind in _PAIRS and len(rule.items) != 2:
        errors.append(_error(f"{pointer}/items", "COUNT", f"{rule.kind} is about exactly two items"))
    elif rule.kind in {RuleKind.ORDER, RuleKind.NOT_FUTURE}:
        errors += _check_times(pointer, rule, resource)
    if rule.kind in _WITH_VALUES and not 1 <= len(rule.values) <= MAX_VALUES:
        errors.append(_error(f"{pointer}/values", "COUNT", f"{rule.kind} needs 1 to {MAX_VALUES} values"))
    if rule.kind is RuleKind.TOLERATE and rule.severity is not Severity.FLAG:
        errors.append(_error(f"{pointer}/severity", "VALUE", "tolerate marks rows; its severity is flag"))
    if rule.kind is RuleKind.TOLERATE and not set(rule.values) <= TOLERABLE:
        known = ", ".join(sorted(TOLERABLE))
        errors.append(_error(f"{pointer}/values", "VALUE", f"reasons that can be tolerated: {known}"))
    if rule.kind is RuleKind.REFERENCE:
        errors += _check_target(pointer, rule, resource, target)
    return errors


# What may be let pass without leaving a value that its column cannot hold.
TOLERABLE = {
    "UNKNOWN-CODE",
    "UNKNOWN-DIVISION",
    "CITIZEN-NUMBER",
    "CREDIT-CODE",
    "ORGANISATION-CODE",
    "CERTIFICATE-IDENTIFIER",
    "LENGTH",
    "DIGITS",
    "BIRTH-DATE",
    "SEX",
}


def _check_times(pointer: str, rule: Rule, resource: Resource) -> list[FieldError]:
    kinds = {parse_format(item.format).kind for item in resource.items if item.name in rule.items}
    if not kinds <= _TIMES:
        return [_error(f"{pointer}/items", "FORM", f"{rule.kind} is about days or times")]
    if rule.kind is RuleKind.ORDER and len(kinds) > 1:
        return [_error(f"{pointer}/items", "FORM", "order compares two days, or two times")]
    return []


def _check_target(pointer: str, rule: Rule, resource: Resource, target: Resource | None) -> list[FieldError]:
    if target is None or not (target.provider_code == resource.provider_code or _has_open_key(target)):
        detail = "target is a resource of your own, or one whose key items are shared unconditionally"
        return [_error(f"{pointer}/target", "UNKNOWN", detail)]
    ours = [item for name in rule.items if (item := resource.item(name)) is not None]
    theirs = target.key_items
    fits = len(ours) == len(theirs) and all(
        parse_format(mine.format).sql_type == parse_format(other.format).sql_type
        for mine, other in zip(ours, theirs, strict=True)
    )
    if not fits:
        names = ", ".join(item.name for item in theirs)
        return [_error(f"{pointer}/items", "FORM", f"items are, in order and type, the key {names}")]
    return []


def _has_open_key(target: Resource) -> bool:
    return all(item.share_type == "unconditional" for item in target.key_items)


def _error(pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer, code=code, detail=detail)
