"""The table of findings is complete, and verdicts follow from it."""

from __future__ import annotations

import pytest

from signing.errors import EvidenceRefused
from signing.findings import (
    SENTENCES,
    FindingCode,
    Severity,
    Verdict,
    build_finding,
    refuse_on,
    verdict_of,
)


@pytest.mark.parametrize("code", list(FindingCode))
def test_finding_code_has_a_step_and_a_sentence_in_both_languages(code: FindingCode) -> None:
    sentence = SENTENCES[code]
    assert sentence.step[0] in "ABCDEFGH"
    assert sentence.zh
    assert not sentence.zh.endswith("。")
    assert sentence.en[0].isupper()
    assert not sentence.en.endswith(".")
    assert code.severity in {Severity.ERROR, Severity.WARNING, Severity.INFO}


def test_finding_codes_within_a_step_ascend_with_the_steps() -> None:
    letters = [SENTENCES[code].step[0] for code in FindingCode if code.value[0] == "E"]
    hundreds = [letter for letter in letters if letter != "F"]
    assert hundreds == sorted(hundreds)


def test_finding_with_particulars_carries_them_in_both_sentences() -> None:
    finding = build_finding(FindingCode.SEAL_INVALID, "seal", zh="缺少 header", en="no header")
    assert finding.message_zh == "电子印章无法解析：缺少 header。"
    assert finding.message_en == "The electronic seal is not well formed: no header."
    assert finding.code == "E160"


@pytest.mark.parametrize(
    ("weights", "verdict"),
    [
        ((), Verdict.VALID),
        ((Severity.INFO,), Verdict.VALID),
        ((Severity.INFO, Severity.WARNING), Verdict.VALID_WITH_WARNINGS),
        ((Severity.WARNING, Severity.UNKNOWN), Verdict.UNKNOWN),
        ((Severity.UNKNOWN, Severity.ERROR), Verdict.INVALID),
    ],
)
def test_verdict_is_the_worst_of_its_findings(weights: tuple[Severity, ...], verdict: Verdict) -> None:
    findings = [build_finding(FindingCode.SEAL_PICTURE, "seal", severity=weight) for weight in weights]
    assert verdict_of(findings) is verdict


def test_refusal_names_the_first_error_before_anything_unknown() -> None:
    findings = [
        build_finding(FindingCode.SIGNER_CHAIN, "signature", severity=Severity.UNKNOWN),
        build_finding(FindingCode.SEAL_SIGNATURE_INVALID, "seal"),
    ]
    with pytest.raises(EvidenceRefused, match="E161"):
        refuse_on(findings)
    with pytest.raises(EvidenceRefused, match="E151"):
        refuse_on(findings[:1])
    refuse_on([build_finding(FindingCode.SEAL_PICTURE, "seal")])
