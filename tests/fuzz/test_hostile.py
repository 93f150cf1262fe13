"""Hostile packages are refused or reported with their codes. What they cost is measured by `run_hostile`."""

from __future__ import annotations

import pytest

from certs.verify.document import assess_document
from certs.verify.model import DocumentStatus
from tests.fuzz.hostile import CASES, HEAVY
from tests.unit.certs.packages import EXAMINED
from tests.unit.signing.seals.pki import pki

HARMLESS = frozenset({"W126", "W169", "W182"})


@pytest.mark.parametrize("name", [name for name in CASES if name not in HEAVY])
def test_hostile_package_is_reported_with_its_code(name: str) -> None:
    case = CASES[name]
    report = assess_document(case.build(), trust=pki().trust(), at=EXAMINED)
    found = [*report.findings, *(each for one in report.signatures for each in one.findings)]
    assert case.codes & {str(each.code) for each in found}
    assert (report.status is DocumentStatus.INVALID) or case.codes <= HARMLESS
