"""The chain of a seal's certificates: what is left of a path report once the seal has taken its own part."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from signing.findings import FindingCode, Severity
from signing.seals import chains
from signing.seals.assess import assess_seal
from signing.seals.chains import assess_chain
from signing.seals.holders import MAKER, SIGNER, HolderRole, assess_holder
from signing.seals.model import SealVersion
from signing.trust import NOTHING_TRUSTED, RevocationRule
from signing.x509.crl import RevokedEntry
from signing.x509.path import PathReason
from tests.unit.signing.seals import pki

WORLD = pki.pki()
SIGNER_CERTIFICATE = WORLD.signer.certificate


def test_chain_reasons_all_have_a_sentence_in_chinese() -> None:
    assert set(chains._ZH) == set(PathReason)


def test_chain_to_a_trusted_root_is_trusted_and_its_revocation_known() -> None:
    report = assess_chain(SIGNER_CERTIFICATE, at=pki.NOW, trust=WORLD.trust())
    assert report.is_trusted is True
    assert report.path.chain == (SIGNER_CERTIFICATE, WORLD.authority.certificate, WORLD.root.certificate)
    assert report.is_revocation_known
    assert report.revoked_at is None
    assert report.reason_zh == report.reason_en == ""


def test_chain_without_roots_is_unknown() -> None:
    report = assess_chain(SIGNER_CERTIFICATE, at=pki.NOW, trust=NOTHING_TRUSTED)
    assert report.is_trusted is None
    assert report.reason_zh


def test_chain_without_its_intermediate_is_refused_with_a_reason_in_both_languages() -> None:
    report = assess_chain(SIGNER_CERTIFICATE, at=pki.NOW, trust=WORLD.trust(intermediates=()))
    assert report.is_trusted is False
    assert "上级证书" in report.reason_zh
    assert report.reason_en


def test_chain_leaves_the_certificates_own_period_and_revocation_to_the_caller() -> None:
    late = SIGNER_CERTIFICATE.not_after + timedelta(days=1)
    trust = WORLD.trust(crls=(), revocation=RevocationRule.IGNORE)
    assert assess_chain(SIGNER_CERTIFICATE, at=late, trust=trust).is_trusted is True
    entry = RevokedEntry(serial=SIGNER_CERTIFICATE.serial, revoked_at=pki.NOW - timedelta(days=3))
    revoked = WORLD.trust(crls=(pki.revocations(WORLD.authority, entry), WORLD.crls[1]))
    report = assess_chain(SIGNER_CERTIFICATE, at=pki.NOW, trust=revoked)
    assert report.is_trusted is True
    assert report.revoked_at == entry.revoked_at


def test_chain_over_a_revoked_issuer_is_refused() -> None:
    top = replace(WORLD.authority, certificate=WORLD.root.certificate, signer=WORLD.root.key)
    entry = RevokedEntry(serial=WORLD.authority.certificate.serial, revoked_at=pki.NOW - timedelta(days=3))
    trust = WORLD.trust(crls=(WORLD.crls[0], pki.revocations(top, entry)))
    report = assess_chain(SIGNER_CERTIFICATE, at=pki.NOW, trust=trust)
    assert report.is_trusted is False
    assert "撤销" in report.reason_zh


def test_chain_of_a_certificate_that_is_itself_a_root_is_trusted() -> None:
    trust = WORLD.trust(roots=(SIGNER_CERTIFICATE,), intermediates=(), crls=())
    assert assess_chain(SIGNER_CERTIFICATE, at=pki.NOW, trust=trust).is_trusted is True


@pytest.mark.parametrize("role", [SIGNER, MAKER])
def test_holder_of_a_ca_certificate_may_not_sign_seals(role: HolderRole) -> None:
    report = assess_holder(WORLD.authority.certificate.der, role=role, at=pki.NOW, trust=WORLD.trust())
    assert [each.code for each in report.findings] == [role.key_usage]


@pytest.mark.parametrize("role", [SIGNER, MAKER])
def test_holder_whose_certificate_cannot_be_read_is_reported(role: HolderRole) -> None:
    for octets in (b"", b"\x30\x03\x02\x01", WORLD.signer.certificate.pem.encode()):
        report = assess_holder(octets, role=role, at=pki.NOW, trust=WORLD.trust())
        assert [each.code for each in report.findings] == [role.unreadable]
        assert report.is_trusted is False


def test_seal_under_a_root_of_the_same_name_and_another_key_is_refused() -> None:
    impostor = pki.impostor_root()
    trust = WORLD.trust(roots=(impostor,), crls=())
    report = assess_seal(pki.seal_of(SealVersion.V4), at=pki.NOW, trust=trust)
    chain = [each for each in report.findings if each.code == FindingCode.MAKER_CHAIN]
    assert [each.severity for each in chain] == [Severity.ERROR]
