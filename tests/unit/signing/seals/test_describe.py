"""Descriptions of seals are JSON, whatever the seal holds."""

from __future__ import annotations

import json

import pytest

from signing import sm3
from signing.findings import FindingCode, build_finding
from signing.seals.describe import describe_finding, describe_seal, describe_seal_signature
from signing.seals.model import CertListType, SealExtension, SealVersion
from signing.seals.parse import parse_seal, parse_seal_signature
from tests.unit.signing.seals import pki, test_parse


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_description_is_json_and_names_maker_and_signers(version: SealVersion) -> None:
    described = describe_seal(parse_seal(pki.seal_of(version)))
    assert json.loads(json.dumps(described)) == described
    assert "印章制作中心" in described["maker"]["subject"]
    assert (
        described["signers"]["certificates"][0]["sm3"] == sm3.digest(pki.pki().signer.certificate.der).hex()
    )
    assert described["valid_from"] == "2026-03-01T08:00:00Z"
    assert described["picture"]["pixels"] == [80, 80]


def test_seal_description_by_digest_list_shows_digests_and_extensions() -> None:
    extension = SealExtension(oid="1.2.3", critical=True, value=b"\x05\x00")
    described = describe_seal(
        parse_seal(pki.make_seal(list_type=CertListType.DIGESTS, extensions=(extension,)))
    )
    assert described["signers"]["digests"][0]["type"] == "SM3"
    assert described["extensions"] == [{"oid": "1.2.3", "critical": True, "value": "0500"}]


def test_seal_description_of_unreadable_certificates_says_so() -> None:
    described = describe_seal(parse_seal(test_parse.seal()))
    assert described["maker"]["readable"] is False
    assert described["signers"]["certificates"][0]["readable"] is False


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_signature_description_is_json(version: SealVersion) -> None:
    described = describe_seal_signature(parse_seal_signature(pki.signature_of(version)))
    assert json.loads(json.dumps(described)) == described
    assert described["seal"]["version"] == described["version"] == version.name


def test_finding_description_holds_both_sentences() -> None:
    described = describe_finding(build_finding(FindingCode.SEAL_INVALID, "seal"))
    assert described["code"] == "E160"
    assert described["severity"] == "error"
    assert set(described) == {"code", "severity", "subject", "message_zh", "message_en"}
