"""pkilint examines our certificates, revocation lists and OCSP responses."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from signing import der, oids
from signing.x509.crl import RevocationReason, RevokedEntry
from signing.x509.ocsp import CertStatus, build_ocsp_request
from signing.x509.ocsp_responder import GOOD, UNKNOWN, StatusAnswer
from signing.x509.profiles import Profile
from tests.interop import harness
from tests.unit.signing.hierarchy import NOW, START, hierarchy

pytestmark = pytest.mark.interop

# Every finding of notice level or above that is expected, each with its reason.
NAMED = {
    "pkix.unknown_subject_key_identifier_calculation_method": (
        "key identifiers are the leftmost 160 bits of SM3, which pkilint does not know; "
        "RFC 5280 4.2.1.2 allows other methods"
    )
}


@pytest.fixture(scope="module")
def linters() -> Path:
    return harness.python_venv("pkilint", ["pkilint==0.13.3"]).parent


def findings(linters: Path, tool: str, file: Path, *options: str) -> set[str]:
    """Run one linter and return the codes of its findings of notice level or above."""
    command = [
        linters / tool,
        "lint",
        *options,
        "-s",
        "NOTICE",
        "-f",
        "JSON",
        "--document-format",
        "DER",
        file,
    ]
    printed = harness.run(command, check=False)
    assert printed.startswith("{"), printed
    results = json.loads(printed)["results"]
    return {finding["code"] for result in results for finding in result["finding_descriptions"]}


@pytest.mark.parametrize("which", ["root", *Profile])
def test_certificate_has_named_findings_only(linters: Path, tmp_path: Path, which: str) -> None:
    world = hierarchy()
    authorities = {"root": world.root.certificate, Profile.ISSUING_CA: world.issuing.certificate}
    found = authorities.get(which)
    file = tmp_path / "certificate"
    file.write_bytes((found or world[Profile(which)].certificate).der)
    assert findings(linters, "lint_pkix_cert", file) <= set(NAMED)


def test_lint_tells_a_bad_certificate_from_a_good_one(linters: Path, tmp_path: Path) -> None:
    """The examination itself is examined: a negative serial number must be found."""
    good = hierarchy()[Profile.SEAL_SIGNER].certificate
    whole = der.integer(good.serial)
    negative = der.integer(-(1 << (8 * (len(whole) - 2) - 2)))
    assert len(negative) == len(whole)
    file = tmp_path / "certificate"
    file.write_bytes(good.der.replace(whole, negative, 1))
    assert findings(linters, "lint_pkix_cert", file) - set(NAMED)


def test_lists_have_no_findings(linters: Path, tmp_path: Path) -> None:
    revoked = (
        RevokedEntry(
            serial=5, revoked_at=NOW, reason=RevocationReason.KEY_COMPROMISE, invalid_since_at=START
        ),
        RevokedEntry(serial=6, revoked_at=NOW),
    )
    for number, crl in enumerate(hierarchy().crls(*revoked)):
        file = tmp_path / f"{number}.crl"
        file.write_bytes(crl)
        assert not findings(linters, "lint_crl", file, "-t", "CRL", "-p", "PKIX")


@pytest.mark.parametrize("hash_oid", [oids.SM3, oids.SHA1])
@pytest.mark.parametrize("nonce", [None, b"n" * 32])
def test_ocsp_responses_have_no_findings(
    linters: Path, tmp_path: Path, hash_oid: str, nonce: bytes | None
) -> None:
    world = hierarchy()
    answers = {
        1: GOOD,
        2: StatusAnswer(status=CertStatus.REVOKED, revoked_at=NOW, reason=RevocationReason.SUPERSEDED),
    }
    request = build_ocsp_request(1, 2, 3, issuer=world.issuing.certificate, nonce=nonce, hash_oid=hash_oid)
    file = tmp_path / "response"
    file.write_bytes(
        world.responder().respond(
            request,
            lambda serial: answers.get(serial, UNKNOWN),
            produced_at=NOW,
            next_update=NOW + timedelta(days=1),
        )
    )
    assert not findings(linters, "lint_ocsp_response", file)
