"""The list of checks: a step that was not reached never counts as passed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from certs.verify.checks import TITLES, CheckOutcome, list_checks
from certs.verify.model import SealFacts, SignatureReport, SignerFacts
from signing.findings import SENTENCES, FindingCode, Severity, build_finding
from signing.seals.model import TimeSource

MOMENT = datetime(2026, 6, 1, tzinfo=UTC)
SEAL = SealFacts(version="V4", code="1", name="章", vendor_id="v", valid_from=MOMENT, valid_until=MOMENT)
SIGNER = SignerFacts(subject="CN=a", issuer="CN=b", serial="1", not_before=MOMENT, not_after=MOMENT)


def report(
    *codes: FindingCode, severity: Severity | None = None, facts: dict[str, object] | None = None
) -> SignatureReport:
    whole: dict[str, object] = {
        "seal": SEAL,
        "signer": SIGNER,
        "signed_at": MOMENT,
        "time_source": TimeSource.CLAIMED,
        "data_hash": bytes(32),
    }
    findings = tuple(
        build_finding(code, "x") if severity is None else build_finding(code, "x", severity=severity)
        for code in codes
    )
    return SignatureReport(id="1", path="/s", type="Seal", findings=findings, **(whole | (facts or {})))  # type: ignore[arg-type]


def outcomes(of: SignatureReport) -> dict[str, CheckOutcome]:
    return {check.step: check.outcome for check in list_checks(of)}


def test_every_step_of_a_signature_has_a_title() -> None:
    steps = {sentence.step for sentence in SENTENCES.values()}
    assert steps - set(TITLES) == {"A1", "A2", "A3", "A4"}
    assert list(TITLES) == sorted(TITLES)


def test_a_whole_signature_passes_all_but_what_it_does_not_have() -> None:
    found = outcomes(report())
    without_stamp = {"G1", "G2", "G3", "G4"}
    assert {step for step, outcome in found.items() if outcome is not CheckOutcome.PASSED} == without_stamp
    assert all(found[step] is CheckOutcome.NOT_APPLICABLE for step in without_stamp)


def test_a_time_stamp_brings_its_own_steps() -> None:
    found = outcomes(report(facts={"time_source": TimeSource.TIMESTAMP}))
    assert [found[step] for step in ("G1", "G2", "G3")] == [CheckOutcome.PASSED] * 3


@pytest.mark.parametrize(
    ("code", "facts", "last"),
    [
        (FindingCode.SIGNATURE_FILE_MISSING, {"data_hash": None, "seal": None, "signer": None}, "B1"),
        (FindingCode.SIGNATURE_XML_INVALID, {"data_hash": None, "seal": None, "signer": None}, "B2"),
    ],
)
def test_nothing_after_an_unreadable_description_passes(
    code: FindingCode, facts: dict[str, object], last: str
) -> None:
    found = outcomes(report(code, facts={"time_source": None, **facts}))
    assert found[last] is CheckOutcome.FAILED
    later = [step for step in TITLES if step > last]
    assert {found[step] for step in later} == {CheckOutcome.NOT_REACHED}


def test_an_unreadable_value_keeps_signature_seal_and_stamps_from_being_judged() -> None:
    nothing: dict[str, object] = {"seal": None, "signer": None, "signed_at": None, "time_source": None}
    found = outcomes(report(FindingCode.SIGNED_VALUE_INVALID, facts=nothing))
    assert found["D1"] is CheckOutcome.FAILED
    assert found["C2"] is CheckOutcome.PASSED
    for step in TITLES:
        if step[0] in "EFG" or step in {"B4", "D4", "H2"}:
            assert found[step] is CheckOutcome.NOT_REACHED, step


def test_revocation_does_not_pass_under_a_chain_that_could_not_be_judged() -> None:
    found = outcomes(report(FindingCode.SIGNER_CHAIN, severity=Severity.UNKNOWN))
    assert found["E2"] is CheckOutcome.UNKNOWN
    assert found["E4"] is CheckOutcome.NOT_REACHED


@pytest.mark.parametrize("code", [code for code in FindingCode if SENTENCES[code].step in TITLES])
def test_a_finding_shows_at_its_own_step(code: FindingCode) -> None:
    check = next(check for check in list_checks(report(code)) if check.step == SENTENCES[code].step)
    assert check.codes == (str(code),)
    passes = code.severity is Severity.INFO
    assert (check.outcome is CheckOutcome.PASSED) == passes
