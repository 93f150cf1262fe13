"""Attacks on seals by time, revocation and policy; what a signer refuses to make; every flipped bit."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import der, sm3
from signing.errors import EvidenceRefused
from signing.findings import FindingCode, Verdict
from signing.seals.errors import SealRefused
from signing.seals.model import SealExtension, SealVersion
from signing.seals.parse import parse_seal
from signing.seals.sign import prepare_seal_signer
from signing.seals.signature import (
    verify_seal_signature,
)
from signing.sm2 import PrivateKey, der_to_raw
from signing.trust import NOTHING_TRUSTED, JudgeAt, RevocationRule, TrustPolicy
from signing.x509.crl import RevokedEntry
from signing.x509.profiles import Profile
from tests.unit.signing.seals import pki, samples
from tests.unit.signing.seals.judging import (
    FUZZ_CASES,
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
