"""The openssl command judges our certificates, requests, lists and time stamps; we judge openssl's.

What openssl 3.0 cannot do with SM2 is left to others: `verify` reaches the distinguishing identifier of
the end certificate only (two levels, no more), `verify -crl_check` and `ocsp -verify` cannot set it, and
`ts -verify` checks the bare SM3 without Z.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signing import oids, sm3
from signing.sm2 import DEFAULT_ID, PrivateKey, PublicKey
from signing.timestamp.request import MessageImprint, TimeStampRequest
from signing.timestamp.response import TimeStampResponse
from signing.timestamp.token import verify_time_stamp
from signing.x509 import pem
from signing.x509.authority import Authority
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList, RevocationReason, RevokedEntry
from signing.x509.ocsp import CertStatus, OcspRequest, OcspResponse
from signing.x509.ocsp_responder import GOOD, StatusAnswer
from signing.x509.path import PathPolicy, RevocationMode, assess_path
from signing.x509.profiles import Profile
from signing.x509.request import CertificateRequest, build_request
from tests.interop import harness
from tests.unit.signing.hierarchy import NOW, POLICY, START, Hierarchy, hierarchy, issue, key, name

pytestmark = pytest.mark.interop

ID = "distid:1234567812345678"


@pytest.fixture(scope="module")
def openssl() -> str:
    tool = harness.require_tool("openssl")
    if "sm2" not in harness.run([tool, "list", "-signature-algorithms"]).lower():
        pytest.skip("this openssl has no SM2")
    return tool


@pytest.fixture(scope="module")
def world() -> Hierarchy:
    return hierarchy()


def write_key(path: Path, private_key: PrivateKey) -> None:
    path.write_text(pem.build_pem("PRIVATE KEY", private_key.to_pkcs8()))


def test_certificate_of_ours_is_printed_by_openssl(openssl: str, tmp_path: Path, world: Hierarchy) -> None:
    (tmp_path / "c").write_text(world[Profile.TSA].certificate.pem)
    printed = harness.run([openssl, "x509", "-in", "c", "-noout", "-text", "-nameopt", "utf8"], cwd=tmp_path)
    assert printed.count("Signature Algorithm: SM2-with-SM3") == 2
    assert "ASN1 OID: SM2" in printed
    assert re.search(r"Extended Key Usage: critical\s+Time Stamping", printed)
    assert re.search(r"Key Usage: critical\s+Digital Signature, Non Repudiation", printed)
    assert "URI:http://pki.shuzheng.example/issuing.crl" in printed
    assert "OCSP - URI:http://pki.shuzheng.example/ocsp" in printed
    assert "CN=测试 tsa" in printed


def test_two_level_chain_of_ours_is_verified_by_openssl(
    openssl: str, tmp_path: Path, world: Hierarchy
) -> None:
    leaf = issue(world.root, 60, Profile.SEAL_SIGNER)
    (tmp_path / "root").write_text(world.root.certificate.pem)
    (tmp_path / "leaf").write_text(leaf.certificate.pem)
    verify = [openssl, "verify", "-attime", str(int(NOW.timestamp())), "-vfyopt", ID, "-x509_strict"]
    assert "leaf: OK" in harness.run([*verify, "-CAfile", "root", "leaf"], cwd=tmp_path)
    (tmp_path / "other").write_text(world.issuing.certificate.pem)
    refused = harness.run([*verify, "-CAfile", "other", "-partial_chain", "leaf"], cwd=tmp_path, check=False)
    assert "leaf: OK" not in refused


def test_request_of_ours_is_verified_by_openssl(openssl: str, tmp_path: Path) -> None:
    (tmp_path / "r").write_text(build_request(name("申请单位"), key(61)).pem)
    command = [openssl, "req", "-in", "r", "-verify", "-noout", "-subject", "-nameopt", "utf8", "-vfyopt", ID]
    printed = harness.run(command, cwd=tmp_path)
    assert "verify OK" in printed
    assert "申请单位" in printed


def test_request_of_openssl_is_verified_and_issued_for(
    openssl: str, tmp_path: Path, world: Hierarchy
) -> None:
    write_key(tmp_path / "k", key(62))
    harness.run(
        [
            openssl,
            "req",
            "-new",
            "-key",
            "k",
            "-sm3",
            "-sigopt",
            ID,
            "-utf8",
            "-subj",
            "/C=CN/O=外部机构/CN=外部系统",
            "-addext",
            "keyUsage=critical,digitalSignature",
            "-out",
            "r",
        ],
        cwd=tmp_path,
    )
    request = CertificateRequest.parse((tmp_path / "r").read_bytes())
    issued = world.issuing.issue_for(
        request, profile=Profile.ORGANISATION_SYSTEM, not_before=START, not_after=START + timedelta(days=90)
    )
    assert issued.subject.common_name == "外部系统"
    assert issued.public_key == key(62).public_key
    assert [extension.oid for extension in request.extensions] == [oids.EXT_KEY_USAGE]


def test_chain_and_list_of_openssl_are_trusted(openssl: str, tmp_path: Path) -> None:
    """openssl plays a whole authority: root, end certificate, and a list that revokes it."""
    authority = play_authority(openssl, tmp_path)
    now = datetime.now(UTC)
    crls = []
    for revoke in (False, True):
        if revoke:
            harness.run([*authority, "-revoke", "leaf", "-crl_reason", "keyCompromise"], cwd=tmp_path)
        harness.run([*authority, "-gencrl", "-sigopt", ID, "-out", "crl"], cwd=tmp_path)
        crls.append((tmp_path / "crl").read_bytes())
    root = Certificate.parse((tmp_path / "root").read_bytes())
    leaf = Certificate.parse((tmp_path / "leaf").read_bytes())
    good = assess_path(leaf, roots=[root], at=now + timedelta(seconds=5), crls=crls[:1])
    assert good.trusted, good.problems
    bad = assess_path(leaf, roots=[root], at=now + timedelta(minutes=5), crls=crls[1:])
    assert bad.revoked
    assert bad.revocation[0].reason is RevocationReason.KEY_COMPROMISE


def play_authority(openssl: str, tmp_path: Path) -> list[str]:
    """Let openssl make a root and certify a key; return the command that goes on as the authority."""
    write_key(tmp_path / "root.key", key(63))
    write_key(tmp_path / "leaf.key", key(64))
    sign = ["-sm3", "-sigopt", ID]
    harness.run(
        [
            openssl,
            "req",
            "-x509",
            "-new",
            "-key",
            "root.key",
            *sign,
            "-days",
            "3650",
            "-out",
            "root",
            "-subj",
            "/C=CN/CN=Foreign root",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ],
        cwd=tmp_path,
    )
    harness.run(
        [openssl, "req", "-new", "-key", "leaf.key", *sign, "-subj", "/C=CN/CN=Leaf", "-out", "leaf.csr"],
        cwd=tmp_path,
    )
    (tmp_path / "database").touch()
    (tmp_path / "number").write_text("01\n")
    (tmp_path / "extensions").write_text("keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n")
    (tmp_path / "configuration").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=database\nserial=number\ncrlnumber=number\nnew_certs_dir=.\n"
        "default_md=sm3\npolicy=p\ndefault_crl_days=30\nunique_subject=no\n[p]\ncommonName=supplied\n"
    )
    authority = [openssl, "ca", "-config", "configuration", "-cert", "root", "-keyfile", "root.key"]
    harness.run(
        [
            *authority,
            "-batch",
            "-in",
            "leaf.csr",
            "-sigopt",
            ID,
            "-vfyopt",
            ID,
            "-days",
            "365",
            "-extfile",
            "extensions",
            "-out",
            "leaf",
            "-notext",
        ],
        cwd=tmp_path,
    )
    return authority


def test_list_of_ours_is_printed_by_openssl(openssl: str, tmp_path: Path, world: Hierarchy) -> None:
    entry = RevokedEntry(serial=0xABCDEF, revoked_at=NOW, reason=RevocationReason.CESSATION_OF_OPERATION)
    (tmp_path / "crl").write_text(RevocationList.parse(world.crls(entry)[1]).pem)
    printed = harness.run([openssl, "crl", "-in", "crl", "-noout", "-text"], cwd=tmp_path)
    assert "Serial Number: ABCDEF" in printed
    assert "Cessation Of Operation" in printed
    assert re.search(r"X509v3 CRL Number:\s+7", printed)


@dataclass(frozen=True)
class IdentifiedSigner:
    """A key that signs under the identifier of openssl's choice."""

    key: PrivateKey
    identity: bytes

    @property
    def public_key(self) -> PublicKey:
        return self.key.public_key

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, id=self.identity)


def identity_of(openssl: str, directory: Path) -> bytes:
    """Find the identifier that openssl takes where none can be given: none at all, or the standard's."""
    write_key(directory / "k", key(66))
    (directory / "message").write_bytes(b"message")
    harness.run([openssl, "dgst", "-sm3", "-sign", "k", "-out", "signature", "message"], cwd=directory)
    pair = ((directory / "signature").read_bytes(), b"message")
    taken = [each for each in (b"", DEFAULT_ID) if key(66).public_key.assess_many([pair], id=each)[0]]
    assert len(taken) == 1
    return taken[0]


def test_list_of_ours_revokes_for_openssl(openssl: str, tmp_path: Path, world: Hierarchy) -> None:
    """`verify -crl_check` takes no identifier for a list, so that the lists are signed under openssl's own.

    One signed under the standard's is then accepted by the openssl whose own that is, and by no other.
    """
    identity = identity_of(openssl, tmp_path)
    leaf = issue(world.root, 65, Profile.SEAL_SIGNER).certificate
    entry = RevokedEntry(serial=leaf.serial, revoked_at=START, reason=RevocationReason.KEY_COMPROMISE)
    stranger = RevokedEntry(serial=leaf.serial ^ 1, revoked_at=START)
    taken = Authority(world.root.certificate, IdentifiedSigner(key(1), identity))
    issuing = Authority(world.issuing.certificate, IdentifiedSigner(key(2), identity))
    (tmp_path / "root").write_text(world.root.certificate.pem)
    (tmp_path / "leaf").write_text(leaf.pem)

    def judge(crl: bytes) -> str:
        (tmp_path / "crl").write_text(pem.build_pem("X509 CRL", crl))
        command = [openssl, "verify", "-attime", str(int(NOW.timestamp()) + 60), "-vfyopt", ID, "-crl_check"]
        return harness.run(
            [*command, "-CAfile", "root", "-CRLfile", "crl", "leaf"], cwd=tmp_path, check=False
        )

    def revoke(authority: Authority, *entries: RevokedEntry, at: datetime = NOW) -> bytes:
        return authority.issue_crl(
            entries=entries, number=1, this_update=at, next_update=at + timedelta(days=30)
        )

    good = revoke(taken, stranger)
    assert judge(good) == "leaf: OK\n"
    assert "certificate revoked" in judge(revoke(taken, entry))
    assert "CRL signature failure" in judge(good[:-1] + bytes((good[-1] ^ 1,)))
    assert "unable to get certificate CRL" in judge(revoke(issuing, stranger))
    assert "CRL has expired" in judge(revoke(taken, stranger, at=START))
    standard = judge(revoke(world.root, stranger))
    assert ("leaf: OK" if identity == DEFAULT_ID else "CRL signature failure") in standard


def test_ocsp_request_of_openssl_is_answered_and_printed(
    openssl: str, tmp_path: Path, world: Hierarchy
) -> None:
    (tmp_path / "issuer").write_text(world.issuing.certificate.pem)
    (tmp_path / "leaf").write_text(world[Profile.SEAL_SIGNER].certificate.pem)
    command = [openssl, "ocsp", "-issuer", "issuer", "-cert", "leaf", "-serial", "0xabcdef", "-reqout", "q"]
    harness.run(command, cwd=tmp_path)
    request = OcspRequest.parse((tmp_path / "q").read_bytes())
    serial = world[Profile.SEAL_SIGNER].certificate.serial
    assert [cert_id.serial for cert_id in request.cert_ids] == [serial, 0xABCDEF]
    assert request.nonce is not None
    revoked = StatusAnswer(status=CertStatus.REVOKED, revoked_at=NOW, reason=RevocationReason.KEY_COMPROMISE)
    response = world.responder().respond(
        (tmp_path / "q").read_bytes(),
        lambda number: GOOD if number == serial else revoked,
        produced_at=NOW,
        next_update=NOW + timedelta(days=1),
    )
    (tmp_path / "r").write_bytes(response)
    printed = harness.run([openssl, "ocsp", "-respin", "r", "-noverify", "-resp_text"], cwd=tmp_path)
    assert "OCSP Response Status: successful (0x0)" in printed
    assert "Cert Status: good" in printed
    assert "Cert Status: revoked" in printed
    assert "keyCompromise" in printed
    assert request.nonce.hex().upper() in printed
    OcspResponse.parse(response).verify(issuer=world.issuing.certificate, nonce=request.nonce)


@pytest.mark.parametrize("certificates", [True, False])
def test_time_stamp_query_of_openssl_is_stamped_and_printed(
    openssl: str, tmp_path: Path, world: Hierarchy, certificates: bool
) -> None:
    (tmp_path / "data").write_bytes(b"stamped")
    wish = ["-cert"] if certificates else []
    harness.run([openssl, "ts", "-query", "-data", "data", "-sm3", *wish, "-out", "q"], cwd=tmp_path)
    request = TimeStampRequest.parse((tmp_path / "q").read_bytes())
    assert request.imprint.digest == sm3.digest(b"stamped")
    answer = world.tsa().respond((tmp_path / "q").read_bytes())
    (tmp_path / "r.tsr").write_bytes(answer)
    printed = harness.run([openssl, "ts", "-reply", "-in", "r.tsr", "-text"], cwd=tmp_path)
    assert "Status: Granted." in printed
    assert f"Policy OID: {POLICY}" in printed
    assert "Hash Algorithm: sm3" in printed
    assert "Time stamp: Jun  1 12:00:00 2026 GMT" in printed
    assert "Accuracy: 0x01 seconds" in printed
    # openssl pads what it prints to whole octets, so the number is compared and not its digits
    nonce = re.search(r"^Nonce: 0x([0-9A-F]+)$", printed, re.MULTILINE)
    assert nonce is not None
    assert int(nonce[1], 16) == request.nonce
    verified = verify_time_stamp(
        answer,
        digest=sm3.digest(b"stamped"),
        nonce=request.nonce,
        roots=world.roots,
        intermediates=(*world.intermediates, world[Profile.TSA].certificate),
        path_policy=PathPolicy(revocation=RevocationMode.IGNORE),
    )
    assert verified.info.generated_at == NOW
    token = TimeStampResponse.parse(answer).token
    assert token is not None
    (tmp_path / "token").write_bytes(token)
    printed = harness.run(
        [openssl, "cms", "-in", "token", "-inform", "DER", "-cmsout", "-print"], cwd=tmp_path
    )
    assert "SM2-with-SM3" in printed
    assert ("d.certificate" in printed) == certificates


def test_time_stamp_query_of_openssl_with_sha256_is_rejected(
    openssl: str, tmp_path: Path, world: Hierarchy
) -> None:
    (tmp_path / "data").write_bytes(b"stamped")
    harness.run([openssl, "ts", "-query", "-data", "data", "-sha256", "-out", "q"], cwd=tmp_path)
    (tmp_path / "r.tsr").write_bytes(world.tsa().respond((tmp_path / "q").read_bytes()))
    printed = harness.run([openssl, "ts", "-reply", "-in", "r.tsr", "-text"], cwd=tmp_path)
    assert "Status: Rejected." in printed
    assert "unrecognized or unsupported algorithm identifier" in printed


def test_time_stamp_query_of_ours_is_printed_by_openssl(openssl: str, tmp_path: Path) -> None:
    request = TimeStampRequest(
        imprint=MessageImprint.of_sm3(sm3.digest(b"x")), policy=POLICY, nonce=2**63, certificates_wanted=True
    )
    (tmp_path / "q").write_bytes(request.der)
    printed = harness.run([openssl, "ts", "-query", "-in", "q", "-text"], cwd=tmp_path)
    assert "Hash Algorithm: sm3" in printed
    assert f"Policy OID: {POLICY}" in printed
    assert "Nonce: 0x8000000000000000" in printed
    assert "Certificate required: yes" in printed
