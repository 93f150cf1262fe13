"""What authorities issue: the profiles of GM/T 0015, serial numbers, and what they refuse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from signing import der, oids
from signing.errors import EncodeError, SignatureInvalid
from signing.sm2 import PublicKey
from signing.x509.authority import Authority, create_root, random_serial
from signing.x509.certificate import Certificate, key_identifier
from signing.x509.errors import IssuanceRefused
from signing.x509.extensions import BasicConstraints, KeyUsage
from signing.x509.profiles import Profile
from signing.x509.request import CertificateRequest, build_request
from tests.unit.signing.hierarchy import END, NOW, PUBLICATION, START, hierarchy, issue, key, name

WORLD = hierarchy()
END_ENTITIES = [profile for profile in Profile if profile is not Profile.ISSUING_CA]
SIGNING = {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION}
PUBLIC_KEY_ALGORITHM = der.sequence(der.oid(oids.EC_PUBLIC_KEY), der.oid(oids.SM2_CURVE))
SIGNATURE_ALGORITHM = der.sequence(der.oid(oids.SM2_WITH_SM3))


@pytest.mark.parametrize("authority", [WORLD.root, WORLD.issuing], ids=["root", "issuing"])
def test_certificate_of_an_authority_signs_certificates_and_lists_and_nothing_else(
    authority: Authority,
) -> None:
    certificate = authority.certificate
    assert certificate.key_usage == {KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN}
    assert certificate.is_ca
    assert {oids.EXT_KEY_USAGE, oids.EXT_BASIC_CONSTRAINTS} == certificate.critical_oids
    assert certificate.version == 3


def test_certificate_of_the_issuing_authority_allows_no_further_one() -> None:
    assert WORLD.issuing.certificate.basic_constraints == BasicConstraints(True, 0)
    with pytest.raises(IssuanceRefused, match="no further authority"):
        issue(WORLD.issuing, 90, Profile.ISSUING_CA)


@pytest.mark.parametrize("profile", END_ENTITIES)
def test_certificate_of_an_end_entity_has_what_gmt_0015_prescribes(profile: Profile) -> None:
    certificate = WORLD[profile].certificate
    assert not certificate.is_ca
    assert certificate.basic_constraints == BasicConstraints(False, None)
    assert oids.EXT_BASIC_CONSTRAINTS not in certificate.critical_oids
    assert oids.EXT_KEY_USAGE in certificate.critical_oids
    assert certificate.key_usage is not None
    assert certificate.key_usage <= SIGNING
    assert certificate.policies
    assert certificate.subject_key_identifier == key_identifier(WORLD[profile].key.public_key)
    named = certificate.authority_key_identifier
    assert named is not None
    assert named.key_identifier == WORLD.issuing.certificate.subject_key_identifier
    assert certificate.ocsp_urls == PUBLICATION.ocsp_urls
    assert certificate.issuer_urls == PUBLICATION.issuer_urls


@pytest.mark.parametrize("profile", [each for each in END_ENTITIES if each is not Profile.OCSP_RESPONDER])
def test_certificate_of_an_end_entity_says_where_its_list_is(profile: Profile) -> None:
    assert WORLD[profile].certificate.crl_urls == PUBLICATION.crl_urls
    assert WORLD[profile].certificate.extension(oids.OCSP_NO_CHECK) is None


@pytest.mark.parametrize(
    ("profile", "purposes", "critical"),
    [
        (Profile.ORGANISATION_SYSTEM, (oids.EKU_CLIENT_AUTH,), False),
        (Profile.SEAL_MAKER, None, False),
        (Profile.SEAL_SIGNER, None, False),
        (Profile.OCSP_RESPONDER, (oids.EKU_OCSP_SIGNING,), False),
        (Profile.TSA, (oids.EKU_TIME_STAMPING,), True),
    ],
)
def test_certificate_profile_gives_the_purposes_of_its_standard(
    profile: Profile, purposes: tuple[str, ...] | None, critical: bool
) -> None:
    certificate = WORLD[profile].certificate
    assert certificate.extended_key_usage == purposes
    assert (oids.EXT_EXTENDED_KEY_USAGE in certificate.critical_oids) is critical


def test_certificate_of_a_responder_need_not_be_checked_itself() -> None:
    certificate = WORLD[Profile.OCSP_RESPONDER].certificate
    assert certificate.extension(oids.OCSP_NO_CHECK) is not None
    assert certificate.crl_urls == ()


@pytest.mark.parametrize("profile", END_ENTITIES)
def test_certificate_is_written_with_parameters_absent_and_the_same_algorithm_twice(profile: Profile) -> None:
    certificate = WORLD[profile].certificate
    assert certificate.der.count(SIGNATURE_ALGORITHM) == 2
    assert certificate.tbs.count(SIGNATURE_ALGORITHM) == 1
    assert certificate.spki.startswith(b"\x30\x59" + PUBLIC_KEY_ALGORITHM)


def test_serial_numbers_are_128_random_bits_and_positive() -> None:
    drawn = {random_serial() for _ in range(2000)}
    assert len(drawn) == 2000
    assert all(0 < serial < 1 << 128 for serial in drawn)
    assert max(serial.bit_length() for serial in drawn) == 128
    issued = [WORLD[profile].certificate.serial for profile in END_ENTITIES]
    assert len(set(issued)) == len(issued)
    assert min(serial.bit_length() for serial in issued) > 96


@pytest.mark.parametrize("year", [2049, 2050])
def test_validity_is_utc_time_through_2049_and_generalized_time_after(year: int) -> None:
    until = END.replace(year=year)
    root = create_root(name("长期根"), key(91), not_before=START, not_after=until)
    written = der.utc_time(until) if year == 2049 else der.generalized_time(until)
    assert written in root.tbs
    assert root.not_after == until


def test_names_are_utf8_with_a_printable_country() -> None:
    subject = WORLD[Profile.SEAL_SIGNER].certificate.subject
    assert der.printable("CN") in subject.der
    assert der.utf8("临江市数据局") in subject.der


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"not_before": START - timedelta(seconds=1)}, "period leaves"),
        ({"not_after": END + timedelta(days=1)}, "period leaves"),
        ({"not_before": NOW, "not_after": NOW - timedelta(seconds=1)}, "ends before it begins"),
        ({"serial": 0}, "serial number"),
        ({"serial": -1}, "serial number"),
        ({"serial": 1 << 159}, "serial number"),
        ({"subject": WORLD.issuing.certificate.subject}, "name other than"),
    ],
)
def test_certificate_that_must_not_be_issued_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(IssuanceRefused, match=words):
        issue(WORLD.issuing, 92, Profile.SEAL_SIGNER, **changes)


def test_largest_serial_number_is_issued_in_twenty_octets() -> None:
    holder = issue(WORLD.issuing, 93, Profile.SEAL_SIGNER, serial=(1 << 159) - 1)
    assert holder.certificate.serial == (1 << 159) - 1


def test_authority_with_another_key_or_an_end_certificate_is_refused() -> None:
    with pytest.raises(IssuanceRefused, match="do not belong together"):
        Authority(WORLD.issuing.certificate, key(94))
    holder = WORLD[Profile.SEAL_SIGNER]
    with pytest.raises(IssuanceRefused, match="does not allow it to sign certificates"):
        Authority(holder.certificate, holder.key)


def test_name_that_the_standard_has_no_room_for_is_refused() -> None:
    for words in ("", "x" * 65, " blank", "blank "):
        with pytest.raises(EncodeError):
            name(words)


# ------------------------------------------------------------------------------------- requests


def test_request_is_issued_for_its_key_and_none_of_its_wishes() -> None:
    wishes = WORLD[Profile.TSA].certificate.extensions
    request = CertificateRequest.parse(build_request(name("申请系统"), key(95), extensions=wishes).der)
    assert request.extensions == wishes
    issued = WORLD.issuing.issue_for(
        request, profile=Profile.ORGANISATION_SYSTEM, not_before=START, not_after=NOW
    )
    assert issued.public_key == key(95).public_key
    assert issued.extended_key_usage == (oids.EKU_CLIENT_AUTH,)
    assert issued.subject.common_name == "申请系统"
    issued.verify_issued_by(WORLD.issuing.certificate)


def test_request_signed_by_another_key_than_it_names_is_refused() -> None:
    class Thief:
        """Asks for a certificate over a key that it does not hold."""

        public_key: PublicKey = key(96).public_key

        def sign(self, message: bytes) -> bytes:
            return key(97).sign(message)

    with pytest.raises(SignatureInvalid):
        WORLD.issuing.issue_for(
            build_request(name("窃用"), Thief()),
            profile=Profile.ORGANISATION_SYSTEM,
            not_before=START,
            not_after=NOW,
        )


def test_request_and_certificate_come_back_from_pem() -> None:
    request = build_request(name("申请系统"), key(95))
    assert CertificateRequest.parse(request.pem.encode()) == request
    certificate = WORLD.issuing.certificate
    surrounded = f"subject=…\n{certificate.pem}trailing text\n".encode()
    assert Certificate.parse(surrounded) == certificate
