"""Seals and seal signatures that ofdrw made, judged: the verdicts measured in the shared notes.

The expected values (octets signed, Z, e, verdicts) were measured by another implementation before this one
was written; each test skips by name where the shared folder is absent.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from signing import sm3
from signing.curve import identity_digest
from signing.der import parse_der, sequence
from signing.errors import SignatureInvalid
from signing.findings import FindingCode, Severity, Verdict
from signing.seals.assess import assess_seal
from signing.seals.describe import describe_seal, describe_seal_signature
from signing.seals.holders import parse_holder
from signing.seals.model import SealVersion, TimeSource
from signing.seals.parse import parse_seal
from signing.seals.signature import SealSignatureReport, assess_seal_signature
from signing.seals.values import ValueForm, verify_value
from signing.sm2 import DEFAULT_ID
from signing.trust import NOTHING_TRUSTED
from tests.unit.signing.seals import samples

WHILE_VALID = datetime(2021, 6, 1, tzinfo=UTC)
TODAY = datetime(2026, 11, 24, tzinfo=UTC)
FOLDER = "Doc_0/Signs/"


def judge(name: str, sign: str = "Sign_0", at: datetime = TODAY) -> SealSignatureReport:
    place = f"{FOLDER}{sign}/"
    return assess_seal_signature(
        samples.sample_part(name, f"{place}SignedValue.dat"),
        data_hash=sm3.digest(samples.sample_part(name, f"{place}Signature.xml")),
        property_info=f"/{place}Signature.xml",
        at=at,
        trust=NOTHING_TRUSTED,
        seal_file=samples.sample_part(name, f"{place}Seal.esl"),
    )


def errors(report: SealSignatureReport) -> set[str]:
    return {str(each.code) for each in report.findings if each.severity is Severity.ERROR}


def test_seal_v4_of_ofdrw_has_the_measured_z_and_e() -> None:
    seal = parse_seal(samples.sample("UserV4.esl"))
    key = parse_holder(seal.maker_certificate).require_key()
    z = identity_digest(key.point, DEFAULT_ID)
    assert z.hex() == "5c92fdaead7c45e6eea2194573113a34568c9c28e300581e566048a7313d6468"
    e = sm3.digest(z + seal.signed_der)
    assert e.hex() == "93788669d714f0dbf04b1830ecd63a90b2146953fa1936e9454bafef360c6ded"


def test_seal_v4_of_ofdrw_verifies_over_its_info_and_not_as_v1_would() -> None:
    seal = parse_seal(samples.sample("UserV4.esl"))
    key = parse_holder(seal.maker_certificate).require_key()
    assert verify_value(key, seal.signature, seal.signed_der) is ValueForm.DER
    info, cert, algorithm, _ = parse_der(seal.der).children()
    with pytest.raises(SignatureInvalid):
        verify_value(key, seal.signature, sequence(info.raw, cert.raw, algorithm.raw))


def test_seal_v1_of_ofdrw_verifies_over_info_certificate_and_algorithm_and_not_over_info_alone() -> None:
    seal = parse_seal(samples.sample("UserV1.esl"))
    key = parse_holder(seal.maker_certificate).require_key()
    assert verify_value(key, seal.signature, seal.signed_der) is ValueForm.DER
    with pytest.raises(SignatureInvalid):
        verify_value(key, seal.signature, parse_der(seal.der).children()[0].raw)


@pytest.mark.parametrize("name", ["UserV1.esl", "UserV4.esl"])
def test_seal_of_ofdrw_without_a_configured_root_is_unknown_while_valid_and_invalid_today(name: str) -> None:
    seal = samples.sample(name)
    report = assess_seal(seal, at=WHILE_VALID, trust=NOTHING_TRUSTED)
    assert report.verdict is Verdict.UNKNOWN
    assert [each.code for each in report.findings if each.severity is Severity.UNKNOWN] == ["E162"]
    today = assess_seal(seal, at=TODAY, trust=NOTHING_TRUSTED)
    assert today.has(FindingCode.SEAL_NOT_VALID_AT_SIGNING)
    assert today.verdict is Verdict.INVALID


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("V4RideRight.ofd", "Sign_0"),
        ("allprotected.ofd", "Sign_0"),
        ("h.ofd", "Sign_0"),
        ("h.ofd", "Sign_1"),
    ],
)
def test_seal_signature_of_ofdrw_is_good_at_its_signing_time_and_its_chain_unknown(
    name: str, sign: str
) -> None:
    report = judge(name, sign)
    assert errors(report) == set()
    assert report.is_intact
    assert report.verdict is Verdict.UNKNOWN
    assert report.time_source is TimeSource.CLAIMED
    unknown = {each.code for each in report.findings if each.severity is Severity.UNKNOWN}
    assert unknown == {"E151", "E162"}


def test_seal_signature_of_ofdrw_signed_after_expiry_fails_on_time_alone() -> None:
    report = judge("SESV4SignDoc.ofd")
    assert report.is_intact
    assert {"E153", "E166"} <= errors(report) <= {"E153", "E162", "E166"}
    assert report.signed_at is not None
    assert report.signed_at.date().isoformat() == "2026-08-04"


def test_seal_signature_of_ofdrw_with_a_flipped_bit_is_refused() -> None:
    value = samples.sample_part("V4RideRight.ofd", f"{FOLDER}Sign_0/SignedValue.dat")
    digest = sm3.digest(samples.sample_part("V4RideRight.ofd", f"{FOLDER}Sign_0/Signature.xml"))
    for position in range(0, len(value), 397):
        changed = bytearray(value)
        changed[position] ^= 0x10
        report = assess_seal_signature(
            bytes(changed),
            data_hash=digest,
            property_info=f"/{FOLDER}Sign_0/Signature.xml",
            at=TODAY + timedelta(days=1),
            trust=NOTHING_TRUSTED,
        )
        assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize(
    ("name", "version"), [("UserV1.esl", SealVersion.V1), ("UserV4.esl", SealVersion.V4)]
)
def test_seal_of_ofdrw_is_described(name: str, version: SealVersion) -> None:
    described = describe_seal(parse_seal(samples.sample(name)))
    assert described["version"] == version.name
    assert described["maker"]["readable"] is True
    assert described["picture"]["problems"] == []
    assert len(described["signers"]["certificates"]) == 1


def test_seal_signature_of_ofdrw_is_described() -> None:
    report = judge("allprotected.ofd")
    assert report.signature is not None
    described = describe_seal_signature(report.signature)
    assert described["claimed_at"] == "2020-10-23T11:45:37Z"
    assert described["property_info"] == f"/{FOLDER}Sign_0/Signature.xml"
