"""Certificates as real authorities write them are read; certificates that contradict themselves are not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signing import der, oids
from signing.errors import DecodeError, KeyUnusable, SignatureInvalid
from signing.sm2 import der_to_raw
from signing.x509.certificate import MAX_CERTIFICATE_BYTES, Certificate
from signing.x509.extensions import BasicConstraints, Extension, KeyUsage
from signing.x509.names import MAX_NAME_BYTES, Name
from signing.x509.profiles import Profile
from tests.unit.signing.hierarchy import hierarchy, key
from tests.unit.signing.x509.world import NULL_PARAMETERS, Draft, draft

WORLD = hierarchy()
ISSUER = WORLD.issuing.certificate
SIGNER = key(2)


def plain(*extensions: Extension) -> Draft:
    return draft(70, issuer=ISSUER.subject, extensions=extensions)


def bare_extension(oid: str, value: bytes, flag: bytes = b"") -> bytes:
    return der.sequence(der.oid(oid), flag, der.octet_string(value))


def test_null_parameters_inside_and_outside_are_read_and_verified() -> None:
    written = plain().change(inner_algorithm=NULL_PARAMETERS, outer_algorithm=NULL_PARAMETERS).sign(SIGNER)
    assert written.signature_algorithm.parameters == der.null()
    written.verify_issued_by(ISSUER)


@pytest.mark.parametrize("inside", [True, False])
def test_algorithms_that_differ_inside_and_outside_are_refused(inside: bool) -> None:
    where = "inner_algorithm" if inside else "outer_algorithm"
    with pytest.raises(DecodeError):
        plain().change(**{where: NULL_PARAMETERS}).sign(SIGNER)


def test_explicit_ca_false_and_critical_false_are_read_and_verified_over_their_octets() -> None:
    explicit = bare_extension(
        oids.EXT_BASIC_CONSTRAINTS, der.sequence(der.boolean(False)), der.boolean(False)
    )
    written = plain().change(extensions=(explicit,)).sign(SIGNER)
    assert written.basic_constraints == BasicConstraints(False, None)
    assert written.critical_oids == frozenset()
    assert explicit in written.tbs
    written.verify_issued_by(ISSUER)


@pytest.mark.parametrize(
    ("bits", "usages"),
    [
        ("030200c0", {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION}),
        ("030206c0", {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION}),
        ("030300c000", {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION}),
        ("0303070080", {KeyUsage.DECIPHER_ONLY}),
        ("030100", set()),
    ],
)
def test_key_usage_padded_with_zero_bits_is_read(bits: str, usages: set[KeyUsage]) -> None:
    padded = bare_extension(oids.EXT_KEY_USAGE, bytes.fromhex(bits))
    assert plain().change(extensions=(padded,)).sign(SIGNER).key_usage == usages


def test_extension_that_is_not_understood_is_kept_and_shown_as_critical() -> None:
    unknown = Extension("1.2.86.11.7.1", True, der.utf8("91330000MA27U0"))
    written = plain(unknown).sign(SIGNER)
    assert written.extension("1.2.86.11.7.1") == unknown
    assert written.critical_oids == {"1.2.86.11.7.1"}


def test_names_in_every_string_type_of_the_field_are_read() -> None:
    strings = {
        "BMP": der.encode(der.Tag.BMP_STRING, "数据局".encode("utf-16-be")),
        "Teletex": der.encode(der.Tag.TELETEX_STRING, "Bureau é".encode("latin-1")),
        "Universal": der.encode(der.Tag.UNIVERSAL_STRING, "局".encode("utf-32-be")),
        "UTF8": der.utf8("数据局"),
    }
    for value in strings.values():
        encoded = der.sequence(der.set_of(der.sequence(der.oid(oids.COMMON_NAME), value)))
        read = Name.parse(encoded)
        assert read.der == encoded
        assert read.common_name


def test_name_shows_special_characters_escaped() -> None:
    assert str(Name.from_attributes((oids.COMMON_NAME, 'a,b+c"d\\e'))) == 'CN=a\\,b\\+c\\"d\\\\e'


def test_name_beyond_its_size_limit_is_refused() -> None:
    text = der.utf8("x" * MAX_NAME_BYTES)
    with pytest.raises(DecodeError, match="a name has at most"):
        Name.parse(der.sequence(der.set_of(der.sequence(der.oid(oids.COMMON_NAME), text))))


def test_version_one_without_extensions_is_read_and_is_no_authority() -> None:
    written = plain().change(version=b"").sign(SIGNER)
    assert written.version == 1
    assert not written.is_ca
    assert written.key_usage is None


def test_key_of_another_kind_is_shown_and_not_used() -> None:
    rsa = der.sequence(
        der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null()),
        der.bit_string(der.sequence(der.integer(5))),
    )
    written = plain().change(public_key_info=rsa).sign(SIGNER)
    assert written.public_key is None
    with pytest.raises(KeyUnusable):
        written.require_key()


def test_compressed_key_is_read_as_the_point_it_stands_for() -> None:
    point = key(70).public_key.point
    short = bytes((2 + point[-1] % 2,)) + point[1:33]
    info = der.sequence(
        der.sequence(der.oid(oids.EC_PUBLIC_KEY), der.oid(oids.SM2_CURVE)), der.bit_string(short)
    )
    assert plain().change(public_key_info=info).sign(SIGNER).public_key == key(70).public_key


TWICE = bare_extension(oids.EXT_KEY_USAGE, bytes.fromhex("030206c0"))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": der.explicit(0, der.integer(3))},
        {"version": der.explicit(0, der.integer(-1))},
        {"serial": b"\x02\x02\x00\x05"},
        {"serial": b"\x02\x00"},
        {"serial": der.integer(1 << 600)},
        {"extensions": (TWICE, TWICE)},
        {"extensions": (bare_extension(oids.EXT_KEY_USAGE, b"\x03\x02\x07\xff"),)},
        {"extensions": (bare_extension(oids.EXT_KEY_USAGE, TWICE, b"\x01\x01\x01"),)},
        {"extensions": (bare_extension(oids.EXT_BASIC_CONSTRAINTS, der.sequence(der.integer(-1))),)},
        {"extensions": (bare_extension(oids.EXT_EXTENDED_KEY_USAGE, der.sequence()),)},
        {"extensions": (bare_extension(oids.EXT_BASIC_CONSTRAINTS, der.sequence() + b"\x00"),)},
        {"public_key_info": key(70).public_key.spki[:-1] + bytes((key(70).public_key.spki[-1] ^ 1,))},
        {"unique_ids": der.null()},
    ],
)
def test_certificate_that_contradicts_the_standard_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        plain().change(**changes).sign(SIGNER)


def test_certificate_beyond_its_size_limit_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="at most"):
        Certificate.parse(b"\x30" + bytes(MAX_CERTIFICATE_BYTES))


def test_certificate_cut_short_or_with_an_octet_more_is_refused() -> None:
    octets = WORLD[Profile.SEAL_SIGNER].certificate.der
    for wrong in (*(octets[:size] for size in range(0, len(octets), 7)), octets + b"\x00"):
        with pytest.raises(DecodeError):
            Certificate.parse(wrong)


def test_certificate_with_any_octet_of_its_signed_part_changed_no_longer_verifies() -> None:
    good = WORLD[Profile.SEAL_SIGNER].certificate
    start = good.der.index(good.tbs)
    for place in range(start, start + len(good.tbs), 3):
        altered = good.der[:place] + bytes((good.der[place] ^ 0x01,)) + good.der[place + 1 :]
        try:
            certificate = Certificate.parse(altered)
        except DecodeError:
            continue
        with pytest.raises(SignatureInvalid):
            certificate.verify_issued_by(ISSUER)


def test_signature_as_raw_r_and_s_is_no_certificate_signature() -> None:
    with pytest.raises(SignatureInvalid):
        plain().change(signature=der_to_raw).sign(SIGNER).verify_issued_by(ISSUER)


def test_certificate_shows_its_validity_in_utc() -> None:
    written = plain().change(not_after=datetime(2051, 1, 1, tzinfo=UTC)).sign(SIGNER)
    assert written.is_valid_at(datetime(2050, 6, 1, tzinfo=UTC))
    assert not written.is_valid_at(datetime(2051, 6, 1, tzinfo=UTC))
