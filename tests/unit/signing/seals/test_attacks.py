"""Attacks on seals and seal signatures, one test each, named after the attack."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from signing import der, oids, sm3
from signing.errors import EvidenceRefused
from signing.findings import FindingCode, Severity, Verdict
from signing.seals.assess import verify_seal
from signing.seals.errors import SealRefused
from signing.seals.model import CertificateDigest, CertListType, SealExtension, SealVersion, TimeSource
from signing.seals.parse import parse_seal, parse_seal_signature
from signing.seals.signature import (
    verify_seal_signature,
)
from signing.sm2 import PrivateKey
from signing.x509.authority import create_root
from signing.x509.names import Name
from signing.x509.profiles import Profile
from tests.unit.signing.seals import pki
from tests.unit.signing.seals.judging import (
    HASH,
    MODERN,
    VERSIONS,
    WORLD,
    forge_seal,
    forge_signature,
    judge,
    judge_seal,
    parts_of,
)

# ------------------------------------------------------------------------------------- the good


@pytest.mark.parametrize("version", VERSIONS)
def test_seal_signature_of_our_making_is_valid(version: SealVersion) -> None:
    report = judge(pki.signature_of(version), seal_file=pki.seal_of(version))
    assert [each.code for each in report.findings] == [FindingCode.TIME_CLAIMED]
    assert report.verdict is Verdict.VALID
    assert report.is_intact
    assert (report.time_source, report.signed_at) == (TimeSource.CLAIMED, pki.NOW)
    verified = verify_seal_signature(
        pki.signature_of(version),
        data_hash=HASH,
        property_info=pki.PATH,
        at=pki.NOW + timedelta(days=2),
        trust=WORLD.trust(),
    )
    assert verified.version is version


def test_seal_signature_with_extensions_keeps_them_under_the_signature() -> None:
    extension = SealExtension(oid="1.2.3", critical=False, value=b"\x05\x00")
    value = pki.sign(extensions=(extension,))
    assert parse_seal_signature(value).extensions == (extension,)
    assert judge(value).verdict is Verdict.VALID


# --------------------------------------------------------------------------------- who may sign


@pytest.mark.parametrize("version", VERSIONS)
def test_seal_signer_not_in_list_is_refused(version: SealVersion) -> None:
    report = judge(forge_signature(pki.seal_of(version), WORLD.other, version))
    assert [each.code for each in report.findings if each.severity is Severity.ERROR] == ["E167"]
    with pytest.raises(SealRefused, match="needs a new seal"):
        pki.sign(version, signer=WORLD.other.key, signer_certificate=WORLD.other.certificate)


def test_seal_signer_with_a_renewed_certificate_over_the_same_key_is_refused() -> None:
    renewed = WORLD.issue(104, "市发改委签章", Profile.SEAL_SIGNER)
    assert renewed.certificate.public_key == WORLD.signer.certificate.public_key
    report = judge(forge_signature(pki.seal_of(SealVersion.V4), renewed))
    assert report.has(FindingCode.SIGNER_NOT_AUTHORISED)


@pytest.mark.parametrize("version", MODERN)
def test_seal_signature_with_a_swapped_outer_certificate_of_the_same_key_is_refused(
    version: SealVersion,
) -> None:
    renewed = WORLD.issue(104, "冒名者", Profile.SEAL_SIGNER)
    tbs, _, algorithm, value = parts_of(pki.signature_of(version))
    swapped = der.sequence(tbs, der.octet_string(renewed.certificate.der), algorithm, value)
    report = judge(swapped)
    assert not report.has(FindingCode.SIGNATURE_INVALID)
    assert report.has(FindingCode.SIGNER_NOT_AUTHORISED)


def test_seal_signer_pinned_by_digest_is_accepted_and_another_is_refused() -> None:
    seal = pki.make_seal(list_type=CertListType.DIGESTS)
    assert judge(forge_signature(seal, WORLD.signer)).verdict is Verdict.VALID
    assert judge(forge_signature(seal, WORLD.other)).has(FindingCode.SIGNER_NOT_AUTHORISED)


def digest_seal(kind: str, value: bytes) -> bytes:
    """Make a seal with one digest entry of any kind, past our own maker's checks."""
    sealed = parse_seal(pki.seal_of(SealVersion.V4))
    prop = replace(
        sealed.property,
        list_type=CertListType.DIGESTS,
        certificates=(),
        digests=(CertificateDigest(type=kind, value=value),),
    )
    return forge_seal(prop=prop)


def test_seal_signer_pinned_by_sha256_is_refused_unless_named_and_accepted_by_policy() -> None:
    digest = hashlib.sha256(WORLD.signer.certificate.der).digest()
    named = forge_signature(digest_seal("SHA-256", digest), WORLD.signer)
    unnamed = forge_signature(digest_seal("x", digest), WORLD.signer)
    accepting = WORLD.trust(accept_sha256_digest_list=True)
    assert judge(named).has(FindingCode.SIGNER_NOT_AUTHORISED)
    assert judge(named, trust=accepting).verdict is Verdict.VALID
    assert judge(unnamed, trust=accepting).has(FindingCode.SIGNER_NOT_AUTHORISED)


def test_seal_with_short_digests_or_nobody_in_its_list_is_refused() -> None:
    assert judge_seal(digest_seal("SHA1", bytes(20))).has(FindingCode.SEAL_INVALID)
    nobody = replace(parse_seal(pki.seal_of(SealVersion.V4)).property, certificates=())
    assert judge_seal(forge_seal(prop=nobody)).has(FindingCode.SEAL_INVALID)


# ------------------------------------------------------------------------------- what was signed


@pytest.mark.parametrize("version", VERSIONS)
def test_seal_signature_moved_to_other_data_is_refused(version: SealVersion) -> None:
    report = judge(pki.signature_of(version), data_hash=sm3.digest(b"other"))
    assert report.has(FindingCode.DATA_HASH_MISMATCH)
    assert not report.is_intact


def test_seal_signature_moved_to_another_place_is_refused_and_only_noted_for_v1() -> None:
    moved = {"property_info": "/Doc_1/Signs/Sign_0/Signature.xml"}
    assert judge(pki.signature_of(SealVersion.V4), **moved).verdict is Verdict.INVALID
    old = judge(pki.signature_of(SealVersion.V1), **moved)
    assert old.verdict is Verdict.VALID_WITH_WARNINGS
    strict = WORLD.trust(refuse_property_info_mismatch_v1=True)
    assert judge(pki.signature_of(SealVersion.V1), trust=strict, **moved).verdict is Verdict.INVALID
    assert judge(pki.signature_of(SealVersion.V4), property_info=None).verdict is Verdict.VALID


def test_seal_file_swapped_beside_a_good_signature_is_refused() -> None:
    report = judge(pki.signature_of(SealVersion.V4), seal_file=pki.make_seal(name="另一枚印章"))
    assert report.has(FindingCode.SEAL_FILE_MISMATCH)


def test_seal_swapped_inside_a_signature_is_refused() -> None:
    tbs, *rest = parts_of(pki.signature_of(SealVersion.V4))
    version, _, *others = parts_of(tbs)
    other = der.sequence(der.sequence(version, pki.make_seal(name="另一枚印章"), *others), *rest)
    assert judge(other).has(FindingCode.SIGNATURE_INVALID)


@pytest.mark.parametrize("version", VERSIONS)
def test_seal_signature_over_a_seal_of_another_version_is_refused(version: SealVersion) -> None:
    other = SealVersion.V4 if version is not SealVersion.V4 else SealVersion.V1
    report = judge(forge_signature(pki.seal_of(other), WORLD.signer, version))
    assert report.verdict is Verdict.INVALID
    assert report.has(FindingCode.VERSION_INCONSISTENT)


def test_seal_with_another_mark_or_number_than_its_shape_is_reported() -> None:
    header = parse_seal(pki.seal_of(SealVersion.V4)).header
    assert judge_seal(forge_seal(header=replace(header, mark="EX"))).verdict is Verdict.INVALID
    odd = judge_seal(forge_seal(header=replace(header, version=2)))
    assert odd.verdict is Verdict.VALID_WITH_WARNINGS
    five = der.sequence(*parts_of(pki.seal_of(SealVersion.V4)), der.explicit(0, der.bit_string(b"x")))
    assert judge_seal(five).has(FindingCode.VERSION_INCONSISTENT)


# ----------------------------------------------------------------------------------- the maker


def test_seal_edited_after_it_was_made_is_refused() -> None:
    info, *rest = parts_of(pki.seal_of(SealVersion.V4))
    edited = der.sequence(info.replace("临江".encode(), "江临".encode()), *rest)
    report = judge_seal(edited)
    assert report.first_failure is not None
    assert report.first_failure.code == "E161"
    with pytest.raises(EvidenceRefused, match="E161"):
        verify_seal(edited, at=pki.NOW, trust=WORLD.trust())


def test_seal_swapped_maker_certificate_of_another_key_is_refused() -> None:
    info, _, *rest = parts_of(pki.seal_of(SealVersion.V4))
    swapped = der.sequence(info, der.octet_string(WORLD.other.certificate.der), *rest)
    assert judge_seal(swapped).has(FindingCode.SEAL_SIGNATURE_INVALID)


def test_seal_swapped_maker_certificate_of_the_same_key_is_caught_inside_a_signature() -> None:
    """V4's seal signature leaves the maker's certificate open; the signer's signature covers it."""
    twin = WORLD.issue(103, "另一制章者", Profile.SEAL_MAKER)
    info, _, *rest = parts_of(pki.seal_of(SealVersion.V4))
    swapped = der.sequence(info, der.octet_string(twin.certificate.der), *rest)
    assert judge_seal(swapped).verdict is Verdict.VALID
    whole = pki.signature_of(SealVersion.V4)
    tbs, *outer = parts_of(whole)
    version, _, *others = parts_of(tbs)
    report = judge(der.sequence(der.sequence(version, swapped, *others), *outer))
    assert report.has(FindingCode.SIGNATURE_INVALID)


def test_seal_v1_swapped_maker_certificate_of_the_same_key_is_refused() -> None:
    twin = WORLD.issue(103, "另一制章者", Profile.SEAL_MAKER)
    info, sign_info = parts_of(pki.seal_of(SealVersion.V1))
    _, *rest = parts_of(sign_info)
    swapped = der.sequence(info, der.sequence(der.octet_string(twin.certificate.der), *rest))
    assert judge_seal(swapped).has(FindingCode.SEAL_SIGNATURE_INVALID)


def test_seal_self_made_by_an_untrusted_maker_is_refused() -> None:
    key = PrivateKey.from_scalar(4242)
    root = create_root(Name.build(common_name="临江市测试根"), key, not_before=pki.START, not_after=pki.END)
    report = judge_seal(forge_seal(maker=pki.Holder(key, root)))
    assert report.verdict is Verdict.INVALID
    assert report.has(FindingCode.MAKER_CHAIN)


def test_seal_made_by_an_encryption_certificate_is_refused() -> None:
    report = judge_seal(
        forge_seal(maker=pki.Holder(PrivateKey.from_scalar(102), WORLD.authority.certificate))
    )
    assert report.has(FindingCode.MAKER_KEY_USAGE)


def test_seal_with_an_unreadable_maker_certificate_is_refused() -> None:
    info, _, *rest = parts_of(pki.seal_of(SealVersion.V4))
    for octets in (b"", b"\x30\x00", WORLD.maker.certificate.pem.encode()):
        report = judge_seal(der.sequence(info, der.octet_string(octets), *rest))
        assert report.has(FindingCode.SEAL_INVALID)
        assert report.verdict is Verdict.INVALID


def test_seal_with_an_unsupported_algorithm_is_refused() -> None:
    info, cert, _, value = parts_of(pki.seal_of(SealVersion.V4))
    for oid in ("1.2.840.113549.1.1.5", oids.SM2_SIGNATURE):
        report = judge_seal(der.sequence(info, cert, der.oid(oid), value))
        assert report.has(FindingCode.ALGORITHM_UNSUPPORTED)
    tbs, signer, _, octets = parts_of(pki.signature_of(SealVersion.V4))
    changed = judge(der.sequence(tbs, signer, der.oid("1.2.840.10045.4.3.2"), octets))
    assert changed.has(FindingCode.ALGORITHM_UNSUPPORTED)
