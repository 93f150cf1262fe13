"""Every code of the examination of a seal, each produced by evidence that deserves it and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from signing import der, oids
from signing.findings import Finding, FindingCode, Severity
from signing.seals.assess import assess_seal
from signing.seals.errors import SealRefused
from signing.seals.holders import MAKER, SIGNER, HolderRole, assess_holder
from signing.seals.model import SealPicture, SealVersion
from signing.seals.parse import parse_seal
from signing.sm2 import der_to_raw
from signing.x509 import profiles
from signing.x509.crl import RevokedEntry
from signing.x509.profiles import Profile
from tests.unit.signing.seals import pki, samples
from tests.unit.signing.seals.test_attacks import forge_seal, forge_signature, judge, parts_of

WORLD = pki.pki()
V4, V5 = SealVersion.V4, SealVersion.V5
DAY = timedelta(days=1)


def of_seal(value: bytes) -> tuple[Finding, ...]:
    return assess_seal(value, at=pki.NOW, trust=WORLD.trust()).findings


def seal_cut_short() -> tuple[Finding, ...]:
    return of_seal(pki.seal_of(V4)[:-1])


def seal_edited() -> tuple[Finding, ...]:
    info, *rest = parts_of(pki.seal_of(V4))
    return of_seal(der.sequence(info.replace("临江".encode(), "江临".encode()), *rest))


def seal_under_no_trusted_root() -> tuple[Finding, ...]:
    trust = WORLD.trust(roots=(pki.impostor_root(),), crls=())
    return assess_seal(pki.seal_of(V4), at=pki.NOW, trust=trust).findings


def seal_by_an_authority() -> tuple[Finding, ...]:
    return of_seal(forge_seal(maker=pki.Holder(WORLD.authority.signer, WORLD.authority.certificate)))  # type: ignore[arg-type]


def seal_by_a_maker_who_had_expired() -> tuple[Finding, ...]:
    old = WORLD.issue(150, "过期制章者", Profile.SEAL_MAKER, not_after=samples.CREATED - DAY)
    return of_seal(forge_seal(version=V5, maker=old))


def seal_by_a_revoked_maker() -> tuple[Finding, ...]:
    entry = RevokedEntry(serial=WORLD.maker.certificate.serial, revoked_at=pki.NOW - DAY)
    trust = WORLD.trust(crls=(pki.revocations(WORLD.authority, entry), WORLD.crls[1]))
    return assess_seal(pki.seal_of(V4), at=pki.NOW, trust=trust).findings


def seal_out_of_its_period() -> tuple[Finding, ...]:
    lists = (pki.revocations(WORLD.authority, at=samples.UNTIL), WORLD.crls[1])
    trust = WORLD.trust(crls=(*lists, *WORLD.crls))
    return assess_seal(pki.seal_of(V4), at=samples.UNTIL + timedelta(seconds=1), trust=trust).findings


def signature_by_one_not_listed() -> tuple[Finding, ...]:
    return judge(forge_signature(pki.seal_of(V4), WORLD.other)).findings


def signature_beside_another_seal_file() -> tuple[Finding, ...]:
    return judge(pki.signature_of(V4), seal_file=pki.seal_of(V5)).findings


def seal_with_a_broken_picture() -> tuple[Finding, ...]:
    broken = SealPicture(type="PNG", data=samples.png()[:-30], width_mm=40, height_mm=40)
    return of_seal(forge_seal(picture=broken))


def seal_with_a_foreign_time_stamp() -> tuple[Finding, ...]:
    return of_seal(pki.make_seal(V5, timestamp=lambda _: pki.stamp(bytes(32), at=samples.CREATED)))


def seal_made_after_its_time_stamp() -> tuple[Finding, ...]:
    return of_seal(pki.make_seal(V5, timestamp=partial(pki.stamp, at=samples.CREATED - timedelta(hours=1))))


PRODUCED: dict[FindingCode, Callable[[], tuple[Finding, ...]]] = {
    FindingCode.SEAL_INVALID: seal_cut_short,
    FindingCode.SEAL_SIGNATURE_INVALID: seal_edited,
    FindingCode.MAKER_CHAIN: seal_under_no_trusted_root,
    FindingCode.MAKER_KEY_USAGE: seal_by_an_authority,
    FindingCode.MAKER_NOT_VALID_AT_CREATION: seal_by_a_maker_who_had_expired,
    FindingCode.MAKER_REVOKED: seal_by_a_revoked_maker,
    FindingCode.SEAL_NOT_VALID_AT_SIGNING: seal_out_of_its_period,
    FindingCode.SIGNER_NOT_AUTHORISED: signature_by_one_not_listed,
    FindingCode.SEAL_FILE_MISMATCH: signature_beside_another_seal_file,
    FindingCode.SEAL_PICTURE: seal_with_a_broken_picture,
    FindingCode.SEAL_TIMESTAMP_INVALID: seal_with_a_foreign_time_stamp,
    FindingCode.SEAL_CREATED_AFTER_TIMESTAMP: seal_made_after_its_time_stamp,
}
ACCOMPANIED = {FindingCode.MAKER_NOT_VALID_AT_CREATION, FindingCode.SEAL_NOT_VALID_AT_SIGNING}


def test_codes_of_seals_are_all_produced_by_a_test() -> None:
    numbers = {*range(160, 170), 174, 175}
    usual = {code for code in FindingCode if int(code.value[1:]) in numbers and code.value[0] in "EW"}
    assert set(PRODUCED) == usual


@pytest.mark.parametrize("code", PRODUCED)
def test_code_of_a_seal_is_given_for_the_fault_it_names_and_alone(code: FindingCode) -> None:
    findings = PRODUCED[code]()
    weighty = {each.code for each in findings if each.severity is not Severity.INFO}
    assert code in weighty
    if code not in ACCOMPANIED:
        assert weighty == {code}
    for each in findings:
        assert each.message_zh.endswith("。")
        assert each.message_en.endswith(".")


# ----------------------------------------------------------------------- values and original octets


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_value_as_bare_r_and_s_is_noted_or_refused_by_policy(version: SealVersion) -> None:
    *outer, last = parts_of(pki.seal_of(version))
    inner = parts_of(last) if version is SealVersion.V1 else [last]
    octets = der.read_bit_string(der.parse_der(inner[-1]))
    inner[-1] = der.bit_string(der_to_raw(octets))
    raw = der.sequence(*outer, der.sequence(*inner) if version is SealVersion.V1 else inner[0])
    assert {each.code for each in of_seal(raw)} == {FindingCode.SIGNATURE_RAW}
    strict = assess_seal(raw, at=pki.NOW, trust=WORLD.trust(refuse_raw_signatures=True))
    assert {each.code for each in strict.findings} == {FindingCode.SIGNATURE_RAW_STRICT}


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_whose_encoding_ours_would_not_repeat_verifies_over_its_original_octets(
    version: SealVersion,
) -> None:
    """The maker writes `critical FALSE`, which DER would leave out, and a time with a fraction."""
    info, *_ = parts_of(pki.make_seal(version))
    bare = der.sequence(der.oid("1.2.3"), der.octet_string(b""))
    spelt = der.sequence(der.oid("1.2.4"), der.boolean(False), der.octet_string(b""))
    info = der.sequence(*parts_of(info), der.sequence(spelt, bare))
    certificate, algorithm = WORLD.maker.certificate.der, oids.SM2_WITH_SM3
    tail = (der.octet_string(certificate), der.oid(algorithm))
    signed = der.sequence(info, *tail) if version is SealVersion.V1 else info
    value = der.bit_string(WORLD.maker.key.sign(signed))
    rest = (der.sequence(*tail, value),) if version is SealVersion.V1 else (*tail, value)
    seal = der.sequence(info, *rest)
    assert of_seal(seal) == ()
    assert parse_seal(seal).signed_der == signed
    assert judge(pki.sign(version, seal=seal), seal_file=seal).is_acceptable
    without = seal.replace(spelt, der.sequence(der.oid("1.2.4"), der.octet_string(b"")))
    assert assess_seal(without, at=pki.NOW, trust=WORLD.trust()).findings


# ------------------------------------------------------------------- a hub's certificate seals nothing


@pytest.fixture
def receipts(monkeypatch: pytest.MonkeyPatch) -> pki.Holder:
    """A certificate of the profile HUB_SIGNER that bears an extended key usage of its own."""
    rules = profiles.RULES[Profile.HUB_SIGNER]
    purposes = rules.extended_key_usage or ("2.999.7.1",)
    monkeypatch.setitem(profiles.RULES, Profile.HUB_SIGNER, replace(rules, extended_key_usage=purposes))
    return WORLD.issue(160, "枢纽回执", Profile.HUB_SIGNER)


@pytest.mark.parametrize("role", [SIGNER, MAKER])
def test_holder_of_a_certificate_for_receipts_may_not_seal(role: HolderRole, receipts: pki.Holder) -> None:
    report = assess_holder(receipts.certificate.der, role=role, at=pki.NOW, trust=WORLD.trust())
    assert [each.code for each in report.findings] == [role.key_usage]
    with pytest.raises(SealRefused, match="may not sign"):
        pki.make_seal(signers=(receipts.certificate,))


@pytest.mark.parametrize("profile", [Profile.SEAL_SIGNER, Profile.SEAL_MAKER, Profile.ORGANISATION_SYSTEM])
def test_holder_of_a_certificate_with_another_purpose_or_none_may_seal(
    profile: Profile, receipts: pki.Holder
) -> None:
    """Real authorities give signers clientAuth, emailProtection or nothing at all."""
    holder = WORLD.issue(161, "外部签章", profile)
    seal = pki.make_seal(signers=(holder.certificate,))
    assert judge(forge_signature(seal, holder)).is_acceptable
