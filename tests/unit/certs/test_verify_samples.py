"""Documents that others made: the verdicts measured when the standards were studied."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.verify.describe import describe_report, render_text
from certs.verify.document import assess_document
from certs.verify.model import DocumentReport, DocumentStatus
from signing.findings import Severity, Verdict
from signing.trust import NOTHING_TRUSTED

SAMPLES = Path(__file__).resolve().parents[3] / "../shared/samples"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def assess(name: str) -> DocumentReport:
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip(f"sample {name} is not there: the shared folder is absent")
    return assess_document(path.read_bytes(), trust=NOTHING_TRUSTED, at=NOW)


def codes(report: DocumentReport, position: int, severity: Severity) -> set[str]:
    return {str(f.code) for f in report.signatures[position].findings if f.severity is severity}


@pytest.mark.parametrize(("name", "references"), [("V4RideRight.ofd", 9), ("allprotected.ofd", 6)])
def test_sample_sealed_and_locked_is_sound_under_an_unknown_root(name: str, references: int) -> None:
    report = assess(name)
    assert report.status is DocumentStatus.UNKNOWN
    assert codes(report, 0, Severity.ERROR) == set()
    assert codes(report, 0, Severity.UNKNOWN) == {"E151", "E162"}
    coverage = report.signatures[0].coverage
    assert coverage is not None
    assert coverage.is_complete
    assert len(coverage.covered) == references


def test_sample_signed_again_after_lock_is_invalid_by_its_first_signature_only() -> None:
    report = assess("h.ofd")
    assert report.status is DocumentStatus.INVALID
    assert [one.id for one in report.signatures] == ["s001", "s007"]
    assert codes(report, 0, Severity.ERROR) == {"E125", "E183"}
    broken = [f.subject for f in report.signatures[0].findings if f.code == "E125"]
    assert broken == ["/Doc_0/Signs/Signatures.xml"]
    assert codes(report, 1, Severity.ERROR) == set()
    assert report.signatures[1].status is Verdict.UNKNOWN


def test_sample_signed_after_its_certificate_ended_is_invalid_by_time_only() -> None:
    report = assess("SESV4SignDoc.ofd")
    assert report.status is DocumentStatus.INVALID
    assert codes(report, 0, Severity.ERROR) == {"E153", "E162", "E166"}
    assert report.signatures[0].is_intact
    assert report.signatures[0].signed_at == datetime(2026, 8, 4, 2, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize("name", ["V4RideRight.ofd", "allprotected.ofd", "h.ofd", "SESV4SignDoc.ofd"])
def test_sample_report_renders_in_both_languages(name: str) -> None:
    report = assess(name)
    described = describe_report(report)
    assert described["signatures"][0]["seal"]["name"] == "OFD R&W 测试用印章"
    assert described["signatures"][0]["time_source"] == "claimed"
    text = render_text(report)
    assert "OFD R&W 测试用印章" in text
    assert str(report.status) in text
