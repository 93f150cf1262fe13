"""gmsm (Go) judges our certificates, requests, lists, signed data and ciphertexts; we judge gmsm's.

The harness in tests/interop/go-gmsm is pinned to v0.41.1, the newest release that the module proxy serves
under its name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from signing import cms
from signing.errors import SignatureInvalid
from signing.pkcs8 import Prf, Protection
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationReason, RevokedEntry
from signing.x509.path import PathPolicy, RevocationMode, assess_path
from signing.x509.profiles import Profile
from signing.x509.request import CertificateRequest, build_request
from tests.interop import harness
from tests.unit.signing.hierarchy import NOW, START, Hierarchy, hierarchy, key, name

pytestmark = pytest.mark.interop

CONTENT = "共享数据，一次录入".encode() * 100


@pytest.fixture(scope="module")
def gmsm() -> Path:
    return harness.go_binary(Path(__file__).resolve().parents[1] / "go-gmsm")


@pytest.fixture(scope="module")
def world() -> Hierarchy:
    return hierarchy()


@pytest.fixture
def files(tmp_path: Path, world: Hierarchy) -> Path:
    """Lay out the hierarchy, a signer's key and some content as files."""
    signer = world[Profile.SEAL_SIGNER]
    contents = {
        "root.cer": world.root.certificate.der,
        "issuing.cer": world.issuing.certificate.der,
        "signer.cer": signer.certificate.der,
        "other.cer": world[Profile.SEAL_MAKER].certificate.der,
        "signer.key": signer.key.to_pkcs8(),
        "content": CONTENT,
    }
    for file, octets in contents.items():
        (tmp_path / file).write_bytes(octets)
    return tmp_path


@pytest.mark.parametrize("profile", [profile for profile in Profile if profile is not Profile.ISSUING_CA])
def test_chain_of_ours_is_verified_by_gmsm(
    gmsm: Path, files: Path, world: Hierarchy, profile: Profile
) -> None:
    leaf = world[profile].certificate
    (files / "leaf.cer").write_bytes(leaf.der)
    printed = harness.run([gmsm, "chain", "root.cer", "issuing.cer", "leaf.cer", NOW.isoformat()], cwd=files)
    assert "length 3" in printed
    assert f"subject {leaf.subject.common_name}" in printed
    assert f"serial {leaf.serial:x}\n" in printed


def test_expired_chain_of_ours_is_refused_by_gmsm(gmsm: Path, files: Path) -> None:
    command = [gmsm, "chain", "root.cer", "issuing.cer", "signer.cer", "2031-01-01T00:00:00Z"]
    assert "expired" in harness.run(command, cwd=files, check=False)


def test_list_of_ours_is_verified_by_gmsm(gmsm: Path, files: Path, world: Hierarchy) -> None:
    entry = RevokedEntry(serial=0xABCDEF, revoked_at=START, reason=RevocationReason.SUPERSEDED)
    (files / "issuing.crl").write_bytes(world.crls(entry)[1])
    printed = harness.run([gmsm, "crl", "issuing.crl", "issuing.cer"], cwd=files)
    assert "number 7" in printed
    assert "revoked abcdef 4" in printed
    refused = harness.run([gmsm, "crl", "issuing.crl", "root.cer"], cwd=files, check=False)
    assert "refused" in refused


def test_request_of_ours_is_verified_by_gmsm(gmsm: Path, files: Path) -> None:
    (files / "request").write_bytes(build_request(name("申请单位"), key(90)).der)
    assert "subject 申请单位" in harness.run([gmsm, "csr", "request"], cwd=files)


def test_request_of_gmsm_is_verified_and_issued_for(gmsm: Path, files: Path, world: Hierarchy) -> None:
    harness.run([gmsm, "make-csr", "signer.key", "request"], cwd=files)
    request = CertificateRequest.parse((files / "request").read_bytes())
    issued = world.issuing.issue_for(
        request, profile=Profile.ORGANISATION_SYSTEM, not_before=START, not_after=NOW
    )
    assert issued.subject.common_name == "外部申请者"
    assert issued.public_key == world[Profile.SEAL_SIGNER].key.public_key


def test_root_of_gmsm_is_read_and_trusted(gmsm: Path, files: Path) -> None:
    harness.run([gmsm, "make-ca", "signer.key", "foreign.cer"], cwd=files)
    foreign = Certificate.parse((files / "foreign.cer").read_bytes())
    foreign.verify_issued_by(foreign)
    assert foreign.is_ca
    assert foreign.not_after.year == 2056
    report = assess_path(
        foreign, roots=[foreign], at=NOW, policy=PathPolicy(revocation=RevocationMode.REQUIRE)
    )
    assert report.trusted


@pytest.mark.parametrize("mode", ["attributes", "bare", "detached"])
def test_signed_data_of_ours_is_verified_by_gmsm(
    gmsm: Path, files: Path, world: Hierarchy, mode: str
) -> None:
    signer = world[Profile.SEAL_SIGNER]
    message = cms.build_signed_data(
        CONTENT,
        signer=signer.key,
        certificate=signer.certificate,
        signing_time=None if mode == "bare" else NOW,
        with_attributes=mode != "bare",
        detached=mode == "detached",
        chain=world.intermediates,
    )
    (files / "message").write_bytes(message)
    content = "content" if mode == "detached" else "-"
    printed = harness.run([gmsm, "p7", "message", content], cwd=files)
    assert "signers 1" in printed
    assert f"octets {len(CONTENT)}" in printed


@pytest.mark.parametrize("mode", ["attributes", "bare", "detached"])
def test_signed_data_of_gmsm_is_verified(gmsm: Path, files: Path, world: Hierarchy, mode: str) -> None:
    harness.run([gmsm, "make-p7", "signer.cer", "signer.key", "content", mode, "message"], cwd=files)
    signed = cms.parse_signed_data((files / "message").read_bytes())
    content = CONTENT if mode == "detached" else None
    (verified,) = cms.verify_signed_data(signed, content=content)
    assert verified.certificate == world[Profile.SEAL_SIGNER].certificate
    assert not verified.info.signature_is_raw
    assert (verified.info.attributes is None) == (mode == "bare")


def test_signature_of_ours_is_verified_by_gmsm(gmsm: Path, files: Path, world: Hierarchy) -> None:
    (files / "signature").write_bytes(world[Profile.SEAL_SIGNER].key.sign(CONTENT))
    harness.run([gmsm, "verify", "signer.cer", "content", "signature"], cwd=files)
    refused = harness.run([gmsm, "verify", "other.cer", "content", "signature"], cwd=files, check=False)
    assert "refused" in refused


def test_signature_of_gmsm_is_verified(gmsm: Path, files: Path, world: Hierarchy) -> None:
    harness.run([gmsm, "sign", "signer.key", "content", "signature"], cwd=files)
    signature = (files / "signature").read_bytes()
    public_key = world[Profile.SEAL_SIGNER].key.public_key
    public_key.verify(signature, CONTENT)
    with pytest.raises(SignatureInvalid):
        public_key.verify(signature, CONTENT + b"!")


def test_ciphertext_of_ours_is_opened_by_gmsm(gmsm: Path, files: Path, world: Hierarchy) -> None:
    (files / "sealed").write_bytes(world[Profile.SEAL_SIGNER].key.public_key.encrypt(CONTENT))
    harness.run([gmsm, "decrypt", "signer.key", "sealed", "content"], cwd=files)


def test_ciphertext_of_gmsm_is_opened(gmsm: Path, files: Path, world: Hierarchy) -> None:
    harness.run([gmsm, "encrypt", "signer.cer", "content", "sealed"], cwd=files)
    assert world[Profile.SEAL_SIGNER].key.decrypt((files / "sealed").read_bytes()) == CONTENT


@pytest.mark.parametrize("prf", [Prf.HMAC_SM3_KEYED, Prf.HMAC_SHA256])
def test_encrypted_key_of_ours_is_opened_by_gmsm(gmsm: Path, files: Path, world: Hierarchy, prf: Prf) -> None:
    # Of the identifiers in use for HMAC-SM3, gmsm 0.41.1 knows 1.2.156.10197.1.401.2 alone.
    locked = world[Profile.SEAL_SIGNER].key.to_pkcs8(b"correct horse", protection=Protection(prf=prf))
    (files / "locked.key").write_bytes(locked)
    harness.run([gmsm, "key", "locked.key", "correct horse", "signer.cer"], cwd=files)
    refused = harness.run([gmsm, "key", "locked.key", "wrong", "signer.cer"], cwd=files, check=False)
    assert "refused" in refused
