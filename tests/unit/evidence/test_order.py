"""Orders held against rules."""

from __future__ import annotations

import itertools

import pytest

from core.codes import citizen, credit
from core.errors import SchemaViolation
from evidence.cases.model import EvidenceOrder, Party
from evidence.cases.order import fit_order, kinds_of
from evidence.rules.model import PartyKind
from tests.evidence_rules import build_item
from tests.hubs import organisation_code

FIRM = Party(role="company", code=organisation_code(1), name="企业", kind=PartyKind.ORGANISATION)


def ambiguous_number() -> str:
    """Find a citizen's number that is a right credit code by chance."""
    for number in itertools.count():
        first = f"99010119900101{number:03d}"
        code = first + citizen.compute_check_character(first)
        if credit.is_check_valid(code):
            return code
    raise AssertionError


@pytest.mark.parametrize("kind", [PartyKind.ORGANISATION, PartyKind.PERSON, PartyKind.ANY])
def test_number_that_names_both_is_what_its_role_is(kind: PartyKind) -> None:
    code = ambiguous_number()
    assert kinds_of(code) == (PartyKind.PERSON, PartyKind.ORGANISATION)
    manager = Party(role="manager", code=code, name="张三", kind=kind)
    fitted = fit_order(EvidenceOrder(parties=(FIRM, manager), inputs={}), build_item())
    assert [each.kind for each in fitted.parties] == [PartyKind.ORGANISATION, PartyKind.PERSON]


def test_number_of_a_firm_is_refused_for_a_person() -> None:
    manager = Party(role="manager", code=FIRM.code, name="张三", kind=PartyKind.PERSON)
    with pytest.raises(SchemaViolation) as refused:
        fit_order(EvidenceOrder(parties=(FIRM, manager), inputs={}), build_item())
    assert [(each.pointer, each.code) for each in refused.value.errors] == [("/applicants/1/code", "KIND")]
