"""Attacks on seals and seal signatures, one test each, named after the attack."""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import der, oids, sm3
from signing.errors import EvidenceRefused
from signing.findings import FindingCode, Severity, Verdict
from signing.seals import encode
from signing.seals.assess import SealReport, assess_seal, verify_seal
from signing.seals.errors import SealRefused
from signing.seals.model import CertificateDigest, CertListType, SealExtension, SealVersion, TimeSource
from signing.seals.parse import parse_seal, parse_seal_signature
from signing.seals.sign import prepare_seal_signer
from signing.seals.signature import (
    SealSignatureReport,
    assess_seal_signature,
    verify_seal_signature,
)
from signing.sm2 import PrivateKey, der_to_raw
from signing.trust import NOTHING_TRUSTED, JudgeAt, RevocationRule, TrustPolicy
from signing.x509.authority import create_root
from signing.x509.crl import RevokedEntry
from signing.x509.names import Name
from signing.x509.profiles import Profile
from tests.unit.signing.seals import pki, samples

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "200"))
WORLD = pki.pki()
HASH = sm3.digest(pki.DATA)
VERSIONS = list(SealVersion)
MODERN = [SealVersion.V4, SealVersion.V5]


def judge(value: bytes, **changes: Any) -> SealSignatureReport:
    fields: dict[str, Any] = {
        "data_hash": HASH,
        "property_info": pki.PATH,
        "at": pki.NOW + timedelta(days=2),
        "trust": WORLD.trust(),
    }
    return assess_seal_signature(value, **{**fields, **changes})


def judge_seal(value: bytes, trust: TrustPolicy | None = None, **changes: Any) -> SealReport:
    return assess_seal(value, at=changes.get("at", pki.NOW), trust=trust or WORLD.trust())


def parts_of(value: bytes) -> list[bytes]:
    return [part.raw for part in der.parse_der(value).children()]


def forge_signature(seal: bytes, holder: pki.Holder, version: SealVersion = SealVersion.V4) -> bytes:
    """Assemble a signature without any of the checks that our own signer makes."""
    common: dict[str, Any] = {
        "version": int(version),
        "seal": seal,
        "signed_at": pki.NOW,
        "data_hash": HASH,
        "property_info": pki.PATH,
    }
    certificate = holder.certificate.der
    if version is SealVersion.V1:
        tbs = encode.encode_tbs_v1(**common, signer_certificate=certificate, algorithm=oids.SM2_WITH_SM3)
        return der.sequence(tbs, der.bit_string(holder.key.sign(tbs)))
    tbs = encode.encode_tbs_v4(**common, extensions=())
    value = holder.key.sign(tbs)
    return encode.encode_signature_v4(tbs, certificate, oids.SM2_WITH_SM3, value, None)


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


def forge_seal(
    *, version: SealVersion = SealVersion.V4, maker: pki.Holder | None = None, **changes: Any
) -> bytes:
    """Make a seal without any of the checks that our own maker makes."""
    sealed = parse_seal(pki.seal_of(version))
    fields: dict[str, Any] = {
        "version": version,
        "header": sealed.header,
        "seal_id": sealed.seal_id,
        "prop": sealed.property,
        "picture": sealed.picture,
        "extensions": sealed.extensions,
    }
    info = encode.encode_info(**{**fields, **changes})
    holder = maker or WORLD.maker
    certificate, algorithm = holder.certificate.der, oids.SM2_WITH_SM3
    if version is SealVersion.V1:
        value = holder.key.sign(encode.encode_seal_signed_v1(info, certificate, algorithm))
        return encode.encode_seal_v1(info, certificate, algorithm, value)
    return encode.encode_seal_v4(info, certificate, algorithm, holder.key.sign(info))


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


# ---------------------------------------------------------------------------------------- times


def test_seal_used_before_or_after_its_validity_is_refused() -> None:
    for at in (samples.CREATED - timedelta(seconds=1), samples.UNTIL + timedelta(seconds=1)):
        assert judge_seal(pki.seal_of(SealVersion.V4), at=at).has(FindingCode.SEAL_NOT_VALID_AT_SIGNING)
    for at in (samples.CREATED, samples.UNTIL):
        assert not judge_seal(pki.seal_of(SealVersion.V4), at=at).has(FindingCode.SEAL_NOT_VALID_AT_SIGNING)


def expired_signer() -> tuple[pki.Holder, bytes]:
    holder = WORLD.issue(130, "短期", Profile.SEAL_SIGNER, not_after=pki.NOW - timedelta(days=1))
    return holder, pki.make_seal(signers=(holder.certificate,))


def test_seal_signature_after_the_signers_certificate_ended_is_refused() -> None:
    holder, seal = expired_signer()
    report = judge(forge_signature(seal, holder))
    assert report.has(FindingCode.SIGNING_TIME_OUTSIDE_CERT)
    with pytest.raises(EvidenceRefused, match="E15"):
        pki.sign(seal=seal, signer=holder.key, signer_certificate=holder.certificate)


def test_seal_signature_is_judged_at_signing_or_now_or_a_given_time_as_the_policy_says() -> None:
    value = pki.signature_of(SealVersion.V4)
    later = samples.UNTIL + timedelta(days=1)
    lists = {"crls": (), "revocation": RevocationRule.IGNORE}
    assert judge(value, at=later, trust=WORLD.trust(**lists)).verdict is Verdict.VALID
    now = WORLD.trust(judge_at=JudgeAt.NOW, **lists)
    assert judge(value, at=later, trust=now).has(FindingCode.SEAL_NOT_VALID_AT_SIGNING)
    given_time = WORLD.trust(judge_at=JudgeAt.TIME, judge_time=pki.NOW, **lists)
    assert judge(value, at=later, trust=given_time).verdict is Verdict.VALID


def test_seal_signature_dated_in_the_future_is_refused() -> None:
    report = judge(pki.signature_of(SealVersion.V4), at=pki.NOW - timedelta(hours=1))
    assert report.verdict is Verdict.INVALID


def test_seal_signature_without_a_time_stamp_is_refused_where_the_policy_wants_one() -> None:
    report = judge(pki.signature_of(SealVersion.V4), trust=WORLD.trust(require_timestamp=True))
    assert report.has(FindingCode.TIMESTAMP_INVALID)


def short_maker_seal(version: SealVersion) -> bytes:
    maker = WORLD.issue(131, "短期制章者", Profile.SEAL_MAKER, not_after=samples.CREATED + timedelta(days=1))
    return forge_seal(version=version, maker=maker)


def test_seal_whose_maker_has_expired_since_is_refused_by_v4_and_noted_by_v5() -> None:
    refused = judge_seal(short_maker_seal(SealVersion.V4))
    assert refused.has(FindingCode.MAKER_CHAIN)
    lists = {"crls": (), "revocation": RevocationRule.IGNORE}
    noted = judge_seal(short_maker_seal(SealVersion.V5), WORLD.trust(**lists))
    assert noted.verdict is Verdict.VALID
    assert noted.has(FindingCode.MAKER_NOT_VALID_LATER)
    lenient = WORLD.trust(accept_maker_expired_after_creation=True, **lists)
    assert judge_seal(short_maker_seal(SealVersion.V4), lenient).verdict is Verdict.VALID


@pytest.mark.parametrize("version", VERSIONS)
def test_seal_made_after_its_makers_certificate_ended_is_refused(version: SealVersion) -> None:
    maker = WORLD.issue(132, "过期制章者", Profile.SEAL_MAKER, not_after=samples.CREATED - timedelta(days=1))
    report = judge_seal(forge_seal(version=version, maker=maker))
    assert report.has(FindingCode.MAKER_NOT_VALID_AT_CREATION)


# ---------------------------------------------------------------------------- trust, revocation


@pytest.mark.parametrize("version", VERSIONS)
def test_seal_signature_under_an_empty_policy_is_unknown_and_never_valid(version: SealVersion) -> None:
    report = judge(pki.signature_of(version), trust=NOTHING_TRUSTED)
    assert report.verdict is Verdict.UNKNOWN
    assert report.is_intact
    assert not report.is_acceptable
    with pytest.raises(EvidenceRefused, match="E151"):
        verify_seal_signature(
            pki.signature_of(version), data_hash=HASH, property_info=None, at=pki.NOW, trust=NOTHING_TRUSTED
        )


def revoked(holder: pki.Holder, days: int) -> TrustPolicy:
    entry = RevokedEntry(serial=holder.certificate.serial, revoked_at=pki.NOW + timedelta(days=days))
    at = pki.NOW + timedelta(days=max(days, 0))
    return WORLD.trust(crls=(pki.revocations(WORLD.authority, entry, at=at), WORLD.crls[1]))


def test_seal_signature_by_a_revoked_signer_is_refused_and_a_later_revocation_noted() -> None:
    value = pki.signature_of(SealVersion.V4)
    assert judge(value, trust=revoked(WORLD.signer, -5)).has(FindingCode.SIGNER_REVOKED)
    later = judge(value, trust=revoked(WORLD.signer, 1), at=pki.NOW + timedelta(days=3))
    assert later.has(FindingCode.REVOKED_LATER)
    assert later.verdict is Verdict.VALID_WITH_WARNINGS


def test_seal_by_a_revoked_maker_is_refused_and_for_v5_judged_at_its_making() -> None:
    trust = revoked(WORLD.maker, -5)
    assert judge_seal(pki.seal_of(SealVersion.V4), trust).has(FindingCode.MAKER_REVOKED)
    late = judge_seal(pki.seal_of(SealVersion.V5), trust)
    assert late.has(FindingCode.REVOKED_LATER)
    assert late.verdict is Verdict.VALID_WITH_WARNINGS


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        (RevocationRule.IGNORE, Verdict.VALID),
        (RevocationRule.WARN, Verdict.VALID_WITH_WARNINGS),
        (RevocationRule.UNKNOWN, Verdict.UNKNOWN),
        (RevocationRule.REFUSE, Verdict.INVALID),
    ],
)
def test_seal_signature_without_revocation_information_is_judged_by_policy(
    rule: RevocationRule, verdict: Verdict
) -> None:
    trust = WORLD.trust(crls=(), revocation=rule)
    report = judge(pki.signature_of(SealVersion.V4), trust=trust)
    assert report.verdict is verdict
    assert report.has(FindingCode.REVOCATION_UNKNOWN)


# ------------------------------------------------------------------------------------ switches


def test_seal_critical_extension_that_is_unknown_is_noted_or_refused_by_policy() -> None:
    extension = SealExtension(oid="1.3.6.1.5.5.7.1.4", critical=True, value=b"\x05\x00")
    seal = pki.make_seal(extensions=(extension,))
    assert judge_seal(seal).verdict is Verdict.VALID_WITH_WARNINGS
    strict = WORLD.trust(refuse_unknown_critical_extensions=True)
    assert judge_seal(seal, strict).verdict is Verdict.INVALID


@pytest.mark.parametrize("version", VERSIONS)
def test_seal_signature_value_as_bare_r_and_s_is_noted_or_refused_by_policy(version: SealVersion) -> None:
    *rest, value = parts_of(pki.signature_of(version))
    octets = der.read_bit_string(der.parse_der(value))
    raw = der.sequence(*rest, der.bit_string(der_to_raw(octets)))
    report = judge(raw)
    assert report.verdict is Verdict.VALID_WITH_WARNINGS
    assert report.has(FindingCode.SIGNATURE_RAW)
    assert judge(raw, trust=WORLD.trust(refuse_raw_signatures=True)).verdict is Verdict.INVALID
    for bad in (der_to_raw(octets)[:-1], der_to_raw(octets) + b"\x00", bytes(64)):
        assert judge(der.sequence(*rest, der.bit_string(bad))).has(FindingCode.SIGNATURE_INVALID)


# ------------------------------------------------------------------------------ preparing a signer


def test_seal_signer_prepared_once_signs_many_and_not_beyond_its_time() -> None:
    ready = prepare_seal_signer(
        seal=parse_seal(pki.seal_of(SealVersion.V4)),
        signer=WORLD.signer.key,
        certificate=WORLD.signer.certificate,
        at=pki.NOW,
        trust=WORLD.trust(),
    )
    for second in range(3):
        digest = sm3.digest(bytes([second]))
        value = ready.sign(
            data_hash=digest, property_info=pki.PATH, signed_at=pki.NOW + timedelta(seconds=second)
        )
        assert judge(value, data_hash=digest).verdict is Verdict.VALID
    for at in (pki.NOW - timedelta(seconds=1), pki.NOW + timedelta(minutes=11)):
        with pytest.raises(SealRefused, match="prepare it anew"):
            ready.sign(data_hash=HASH, property_info=pki.PATH, signed_at=at)
    assert "PrivateKey" not in repr(ready)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data_hash": bytes(20)}, "32 octets"),
        ({"property_info": "/文档/Signature.xml"}, "ASCII"),
        ({"property_info": ""}, "ASCII"),
        ({"signer": PrivateKey.from_scalar(7)}, "signer's key"),
        ({"extensions": (SealExtension(oid="1.2.3", critical=False, value=b""),) * 2}, "twice"),
    ],
)
def test_seal_signature_order_that_must_not_be_carried_out_is_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SealRefused, match=words):
        pki.sign(**changes)


def test_seal_signature_v1_with_extensions_or_time_stamp_is_refused() -> None:
    extension = SealExtension(oid="1.2.3", critical=False, value=b"")
    with pytest.raises(SealRefused, match="V1"):
        pki.sign(SealVersion.V1, extensions=(extension,))
    with pytest.raises(SealRefused, match="V1"):
        pki.sign(SealVersion.V1, timestamp=lambda imprint: imprint)


def test_seal_signature_under_a_seal_that_was_tampered_with_is_not_made() -> None:
    info, *rest = parts_of(pki.seal_of(SealVersion.V4))
    edited = der.sequence(info.replace("临江".encode(), "江临".encode()), *rest)
    with pytest.raises(EvidenceRefused, match="E161"):
        pki.sign(seal=edited)


# -------------------------------------------------------------------------------- flipped bits


def flip(value: bytes, position: int) -> bytes:
    changed = bytearray(value)
    changed[position // 8] ^= 1 << (position % 8)
    return bytes(changed)


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_seal_with_any_bit_flipped_is_refused(version: SealVersion, data: st.DataObject) -> None:
    """Outside what the maker signs in V4 and V5 lie only the maker's certificate and the algorithm.

    The certificate is signed by its issuer, so that a flipped bit in it breaks the chain; one algorithm is
    accepted. Nothing is left open.
    """
    whole = pki.seal_of(version)
    changed = flip(whole, data.draw(st.integers(0, 8 * len(whole) - 1)))
    assert judge_seal(changed).verdict is Verdict.INVALID


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_seal_signature_with_any_bit_flipped_is_refused(version: SealVersion, data: st.DataObject) -> None:
    """Outside TBS_Sign in V4 and V5 lie the signer's certificate, the algorithm and the time stamp.

    The seal's list pins the certificate octet by octet, one algorithm is accepted, and the value itself
    must verify; a time stamp is its authority's to protect (see the tests of time stamps).
    """
    whole = pki.signature_of(version)
    changed = flip(whole, data.draw(st.integers(0, 8 * len(whole) - 1)))
    assert judge(changed).verdict is Verdict.INVALID


@pytest.mark.parametrize("version", MODERN)
def test_seal_signature_flipped_in_its_outer_certificate_is_caught_by_the_list(version: SealVersion) -> None:
    whole = pki.signature_of(version)
    certificate = der.parse_der(whole).children()[1]
    for offset in range(certificate.start + certificate.header_len, certificate.end, 23):
        report = judge(flip(whole, 8 * offset))
        assert report.has(FindingCode.SIGNER_NOT_AUTHORISED)


def test_seal_examination_of_mutated_octets_reports_and_never_raises() -> None:
    chance = random.Random(31)
    for case in range(FUZZ_CASES):
        version = VERSIONS[case % 3]
        for whole, examine in ((pki.seal_of(version), judge_seal), (pki.signature_of(version), judge)):
            changed = bytearray(whole)
            for _ in range(chance.randint(1, 5)):
                at = chance.randrange(len(changed))
                if chance.random() < 0.3:
                    del changed[at]
                else:
                    changed[at] = chance.randrange(256)
            if bytes(changed) != whole:
                assert examine(bytes(changed)).verdict is Verdict.INVALID
