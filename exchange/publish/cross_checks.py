"""Checks of one item against another, and the rules that a resource sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exchange.catalogue.model import CheckRule, Item, Resource, Rule, RuleKind, Severity
from exchange.publish import checks, days
from exchange.publish.columns import Mask, to_mask
from exchange.publish.model import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The rows (a mask) that fail one check, what to tell them, and whether they are refused for it."""

    mask: Mask
    reason: Reason
    severity: Severity = Severity.REJECT


def build_failure(
    mask: Mask, item: Item, code: str, detail: str, severity: Severity = Severity.REJECT
) -> Failure:
    """Build the failure of one item; its sentence begins with the item's title."""
    reason = Reason(item=item.name, code=code, detail=f"{item.title} {detail}")
    return Failure(mask=mask, reason=reason, severity=severity)


def title_of(resource: Resource, rule: Rule) -> str:
    """Name the items of a rule by their titles."""
    return ", ".join(item.title for item in resource.items if item.name in rule.items)


def cross_check(
    items: Mapping[str, Item], values: Mapping[str, pa.Array], broken: Mapping[str, Mask]
) -> list[Failure]:
    """Check a citizen number against birth date (CSRQ) and sex (XB), where a row has them."""
    number_of = next((n for n, i in items.items() if i.check_rule is CheckRule.CITIZEN_NUMBER), None)
    if number_of is None:
        return []
    failures = []
    numbers = checks.citizen_cells(values[number_of], broken[number_of])
    if "CSRQ" in items and pa.types.is_date(values["CSRQ"].type):
        mask = checks.birth_day_differs(numbers, values["CSRQ"])
        failures.append(build_failure(mask, items["CSRQ"], "BIRTH-DATE", "is not the date in the number"))
    if "XB" in items and pa.types.is_string(values["XB"].type):
        mask = checks.sex_differs(numbers, values["XB"])
        failures.append(build_failure(mask, items["XB"], "SEX", "is not the sex in the number"))
    return failures


def check_rules(
    rules: Sequence[Rule], items: Mapping[str, Item], values: Mapping[str, pa.Array], now: datetime
) -> list[Failure]:
    """Check the rules that one batch alone can judge, where it has all their items."""
    failures = []
    for rule in rules:
        judge = _JUDGES.get(rule.kind)
        if judge is not None and all(name in values for name in rule.items):
            failures += judge(rule, items, values, now)
    return failures


def _check_order(
    rule: Rule, items: Mapping[str, Item], values: Mapping[str, pa.Array], _now: datetime
) -> list[Failure]:
    first, second = rule.items
    mask = checks.is_after_other(values[first], values[second])
    detail = f"is later than {items[second].title}"
    return [build_failure(mask, items[first], "ORDER", detail, rule.severity)]


def _check_not_future(
    rule: Rule, items: Mapping[str, Item], values: Mapping[str, pa.Array], now: datetime
) -> list[Failure]:
    return [
        build_failure(
            days.is_after(values[name], now), items[name], "FUTURE", "is ahead of now", rule.severity
        )
        for name in rule.items
    ]


def _check_required_if(
    rule: Rule, items: Mapping[str, Item], values: Mapping[str, pa.Array], _now: datetime
) -> list[Failure]:
    wanted, told = rule.items
    asked = to_mask(pc.is_in(values[told].cast(pa.string()), pa.array(rule.values)))
    mask = asked & ~to_mask(values[wanted].is_valid())
    detail = f"must be filled in where {items[told].title} is {', '.join(rule.values)}"
    return [build_failure(np.asarray(mask), items[wanted], "REQUIRED", detail, rule.severity)]


_Judge = Callable[[Rule, Mapping[str, Item], Mapping[str, pa.Array], datetime], list[Failure]]
_JUDGES: dict[RuleKind, _Judge] = {
    RuleKind.ORDER: _check_order,
    RuleKind.NOT_FUTURE: _check_not_future,
    RuleKind.REQUIRED_IF: _check_required_if,
}
