"""Judging assertions against what is recorded."""

from __future__ import annotations

from datetime import date

from exchange.verify.checks import ReadCheck
from exchange.verify.compare import find_difference, find_former_item, is_match
from exchange.verify.model import Assertion, Judgement, Outcome
from exchange.verify.store import SubjectRows


def judge_check(check: ReadCheck, found: SubjectRows, *, today: date) -> tuple[Judgement, ...]:
    """Judge every assertion of a check that a grant covers."""
    assert check.read is not None
    granted = check.read.items
    return tuple(
        _judge(check, found, assertion, value, today=today)
        if assertion.item in granted
        else _refuse(assertion)
        for assertion, value in zip(check.check.assertions, check.values, strict=True)
    )


def refuse_all(check: ReadCheck) -> tuple[Judgement, ...]:
    """Answer a check that nothing was looked up for: no grant covers it, or its resource is closed."""
    if check.read is None:
        return tuple(map(_refuse, check.check.assertions))
    granted = check.read.items
    return tuple(
        Judgement(item=each.item, operator=each.operator, outcome=Outcome.SOURCE_UNAVAILABLE)
        if each.item in granted
        else _refuse(each)
        for each in check.check.assertions
    )


def _refuse(assertion: Assertion) -> Judgement:
    return Judgement(item=assertion.item, operator=assertion.operator, outcome=Outcome.NOT_AUTHORISED)


def _judge(
    check: ReadCheck, found: SubjectRows, assertion: Assertion, value: object, *, today: date
) -> Judgement:
    item = check.resource.item(assertion.item)
    assert item is not None
    difference = None
    if found.version == 0:
        outcome = Outcome.SOURCE_UNAVAILABLE
    elif not found.rows:
        outcome = Outcome.NOT_FOUND
    elif len(found.rows) > 1:
        outcome = Outcome.NOT_UNIQUE
    elif item.name in found.disputed:
        outcome = Outcome.DISPUTED
    elif (stored := found.rows[0][item.name]) is None:
        outcome = Outcome.NOT_FOUND
    elif is_match(item, stored, value):
        outcome = Outcome.MATCH
    else:
        outcome = Outcome.MISMATCH
        former = find_former_item(check.resource, item)
        difference = find_difference(
            item,
            stored,
            value,
            former=None if former is None else found.rows[0].get(former.name),
            today=today,
        )
    return Judgement(item=item.name, operator=assertion.operator, outcome=outcome, difference=difference)


def items_to_read(check: ReadCheck) -> set[str]:
    """Name the granted items that judging a check needs: those asserted, and their former names."""
    assert check.read is not None
    wanted = {assertion.item for assertion in check.check.assertions} & check.read.items
    for name in tuple(wanted):
        item = check.resource.item(name)
        former = None if item is None else find_former_item(check.resource, item)
        if former is not None and former.name in check.read.items:
            wanted.add(former.name)
    return wanted
