"""Certificates, requests, revocation lists and OCSP between us and Bouncy Castle, both ways."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signing import oids
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList, RevocationReason, RevokedEntry
from signing.x509.ocsp import CertStatus, OcspResponse, build_ocsp_request
from signing.x509.ocsp_responder import GOOD, UNKNOWN, StatusAnswer
from signing.x509.path import PathReason, assess_path
from signing.x509.profiles import Profile
from signing.x509.request import CertificateRequest, build_request
from tests.interop.signing.bouncy_castle import Castle, flips, flips_within, refused_here
from tests.unit.signing.hierarchy import NOW, START, Hierarchy, hierarchy, key, name

pytestmark = pytest.mark.interop

SECONDS = str(int(NOW.timestamp()) + 60)
REVOKED = RevokedEntry(serial=0xABCDEF, revoked_at=START, reason=RevocationReason.SUPERSEDED)


@pytest.fixture(scope="module")
def world() -> Hierarchy:
    return hierarchy()


@pytest.mark.parametrize("profile", [profile for profile in Profile if profile is not Profile.ISSUING_CA])
def test_chain_of_ours_is_validated_by_bouncy_castle(
    castle: Castle, world: Hierarchy, profile: Profile
) -> None:
    leaf = world[profile].certificate
    lists = [castle.write(f"crl-{n}", crl) for n, crl in enumerate(world.crls(REVOKED))]
    answer = castle.accepts("chain", "root", "issuing", profile.value, SECONDS, *lists)
    assert answer["serial"] == f"{leaf.serial:x}"
    assert f"CN={leaf.subject.common_name}" in answer["subject"]
    assert oids.EXT_KEY_USAGE in answer["critical"]


def test_chain_of_ours_is_refused_by_bouncy_castle_when_revoked_or_expired(
    castle: Castle, world: Hierarchy
) -> None:
    serial = world[Profile.SEAL_SIGNER].certificate.serial
    entry = RevokedEntry(serial=serial, revoked_at=START, reason=RevocationReason.KEY_COMPROMISE)
    lists = [castle.write(f"revoked-{n}", crl) for n, crl in enumerate(world.crls(entry))]
    path = ("chain", "root", "issuing", "seal_signer")
    late = str(int((NOW + timedelta(days=4 * 365)).timestamp()))
    revoked, listless, expired, other = castle(
        (*path, SECONDS, *lists),
        (*path, SECONDS, lists[0]),
        (*path, late),
        ("chain", "root", "bc-issuing", "seal_signer", SECONDS),
    )
    assert "revo" in revoked["refused"].lower()
    assert "refused" in listless
    assert "expired" in expired["refused"]
    assert "refused" in other


def test_certificate_of_ours_with_an_octet_changed_is_refused_by_both(
    castle: Castle, world: Hierarchy
) -> None:
    issuing, leaf = world.issuing.certificate, world[Profile.SEAL_SIGNER].certificate
    changed = flips(leaf.der, step=3)
    refused_here(changed, lambda variant: Certificate.parse(variant).verify_issued_by(issuing))
    assert leaf.public_key is not None
    changed = flips_within(leaf.der, leaf.subject.der[-8:], leaf.public_key.point, leaf.der[-32:])
    castle.refuses_every(changed, "chain", "root", "issuing", "*", SECONDS)


def test_chain_of_bouncy_castle_is_trusted_until_revoked(
    castle: Castle, foreign: dict[str, Certificate]
) -> None:
    crls = {each: castle.read(f"bc-{each}") for each in ("root-crl", "crl", "crl-revoked")}

    def judge(leaf: Certificate, issuing_crl: str) -> frozenset[PathReason]:
        return assess_path(
            leaf,
            roots=[foreign["root"]],
            intermediates=[foreign["issuing"]],
            at=NOW + timedelta(minutes=1),
            crls=[crls["root-crl"], crls[issuing_crl]],
        ).reasons

    assert foreign["signer"].subject.common_name == "外部签章者"
    assert judge(foreign["signer"], "crl") == frozenset()
    assert judge(foreign["signer"], "crl-revoked") == {PathReason.REVOKED}
    octets = foreign["signer"].der
    refused_here(
        flips(octets, step=3),
        lambda variant: Certificate.parse(variant).verify_issued_by(foreign["issuing"]),
    )
    castle.refuses_every(flips_within(octets, octets[-32:]), "chain", "bc-root", "bc-issuing", "*", SECONDS)


def test_request_of_ours_is_verified_by_bouncy_castle(castle: Castle) -> None:
    request = build_request(name("申请单位"), key(90)).der
    assert "CN=申请单位" in castle.accepts("csr", castle.write("csr", request))["subject"]
    refused_here(flips(request, step=2), lambda variant: CertificateRequest.parse(variant).verify())
    changed = flips_within(request, "申请单位".encode(), key(90).public_key.point, request[-32:])
    castle.refuses_every(changed, "csr", "*")


def test_request_of_bouncy_castle_is_verified_and_issued_for(
    castle: Castle, world: Hierarchy, foreign: dict[str, Certificate]
) -> None:
    octets = castle.read("bc-csr")
    issued = world.issuing.issue_for(
        CertificateRequest.parse(octets), profile=Profile.SEAL_SIGNER, not_before=START, not_after=NOW
    )
    assert issued.subject.common_name == "外部申请者"
    assert issued.public_key == foreign["signer"].public_key
    castle.write("issued", issued.der)
    castle.accepts("chain", "root", "issuing", "issued", str(int(START.timestamp()) + 60))
    refused_here(flips(octets, step=2), lambda variant: CertificateRequest.parse(variant).verify())


def test_list_of_ours_is_verified_by_bouncy_castle(castle: Castle, world: Hierarchy) -> None:
    plain = RevokedEntry(serial=5, revoked_at=START)
    octets = world.crls(REVOKED, plain)[1]
    answer = castle.accepts("crl", castle.write("crl", octets), "issuing")
    assert answer["number"] == "7"
    assert set(answer["entries"].split()) == {"abcdef:4", "5:none"}
    changed = flips_within(octets, b"\xab\xcd\xef", octets[-32:])
    castle.refuses_every(changed, "crl", "*", "issuing")
    castle.refuses_every([octets], "crl", "*", "root")
    issuing = world.issuing.certificate
    refused_here(
        flips(octets, step=3), lambda variant: RevocationList.parse(variant).verify_issued_by(issuing)
    )


def test_list_of_bouncy_castle_is_verified(castle: Castle, foreign: dict[str, Certificate]) -> None:
    octets = castle.read("bc-crl-revoked")
    crl = RevocationList.parse(octets)
    crl.verify_issued_by(foreign["issuing"])
    entry = crl.find(3)
    assert entry is not None
    assert (crl.number, entry.reason) == (9, RevocationReason.KEY_COMPROMISE)
    refused_here(
        flips(octets, step=3),
        lambda variant: RevocationList.parse(variant).verify_issued_by(foreign["issuing"]),
    )


@pytest.mark.parametrize("hash_oid", [oids.SM3, oids.SHA1])
@pytest.mark.parametrize("nonce", [None, bytes(range(16))])
def test_ocsp_request_and_response_of_ours_are_read_by_bouncy_castle(
    castle: Castle, world: Hierarchy, hash_oid: str, nonce: bytes | None
) -> None:
    request = build_ocsp_request(
        0xA1, 0xA2, 0xA3, issuer=world.issuing.certificate, nonce=nonce, hash_oid=hash_oid
    )
    wanted_nonce = nonce.hex() if nonce else "none"
    asked = castle.accepts("ocsp-request", castle.write("q", request), "issuing")
    assert asked == {"serials": "a1 a2 a3", "nonce": wanted_nonce}
    revoked = StatusAnswer(status=CertStatus.REVOKED, revoked_at=NOW, reason=RevocationReason.SUPERSEDED)
    answers = {0xA1: GOOD, 0xA2: revoked}
    response = world.responder().respond(
        request, lambda serial: answers.get(serial, UNKNOWN), produced_at=NOW
    )
    answer = castle.accepts("ocsp", castle.write("r", response), "issuing")
    assert answer["answers"] == "a1:good a2:revoked-4 a3:unknown"
    assert (answer["nonce"], answer["produced"]) == (wanted_nonce, str(int(NOW.timestamp())))
    parsed = OcspResponse.parse(response)
    changed = flips_within(response, parsed.signature)
    castle.refuses_every(changed, "ocsp", "*", "issuing")
    issuing = world.issuing.certificate
    refused_here(changed, lambda variant: OcspResponse.parse(variant).verify(issuer=issuing))


@pytest.mark.parametrize("hash_oid", [oids.SM3, oids.SHA1])
def test_ocsp_request_of_bouncy_castle_is_answered(castle: Castle, world: Hierarchy, hash_oid: str) -> None:
    castle.accepts("make-ocsp-request", "issuing", "seal_signer", hash_oid, "q")
    serial = world[Profile.SEAL_SIGNER].certificate.serial
    response = world.responder().respond(
        castle.read("q"), {serial: GOOD}.__getitem__, produced_at=NOW, next_update=NOW + timedelta(days=1)
    )
    answer = castle.accepts("ocsp", castle.write("r", response), "issuing")
    assert answer["answers"] == f"{serial:x}:good"
    assert answer["nonce"] == bytes(range(8)).hex()


@pytest.mark.parametrize("status", list(CertStatus)[:2])
@pytest.mark.parametrize("hash_name", ["sm3", "sha1"])
def test_ocsp_response_of_bouncy_castle_is_verified(
    castle: Castle, foreign: dict[str, Certificate], status: CertStatus, hash_name: str
) -> None:
    octets = castle.read(f"bc-ocsp-{status.value}-{hash_name}")
    response = OcspResponse.parse(octets)
    issuing = foreign["issuing"]
    response.verify(issuer=issuing, nonce=b"\x09" * 4)
    single = response.find(3, issuing)
    assert single is not None
    assert single.status is status
    report = assess_path(
        foreign["signer"],
        roots=[foreign["root"]],
        intermediates=[issuing],
        at=NOW + timedelta(minutes=1),
        crls=[castle.read("bc-root-crl")],
        ocsp_responses=[octets],
    )
    assert (report.trusted, report.revoked) == (status is CertStatus.GOOD, status is CertStatus.REVOKED)
    changed = flips_within(octets, response.signature, b"\x09" * 4)
    refused_here(changed, lambda variant: OcspResponse.parse(variant).verify(issuer=issuing))
    castle.refuses_every(changed, "ocsp", "*", "bc-issuing")
