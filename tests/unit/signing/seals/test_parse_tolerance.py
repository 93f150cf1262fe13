"""What real seals write otherwise than the standard, and how far a reader goes along."""

from __future__ import annotations

import pytest

from signing import der
from signing.errors import DecodeError
from signing.seals.model import CertListType, SealExtension, SealVersion
from signing.seals.parse import parse_seal, parse_seal_signature
from tests.unit.signing.seals.drafts import (
    ALGORITHM,
    AT,
    EXTENSION_FALSE,
    info,
    property_with,
    signature,
    with_extensions,
)

# --------------------------------------------------------------------------------------- tolerance


EXTENSION_ABSENT = der.sequence(der.oid("1.2.3"), der.octet_string(b"v"))


@pytest.mark.parametrize("extension", [EXTENSION_FALSE, EXTENSION_ABSENT], ids=["explicit", "absent"])
@pytest.mark.parametrize("shape", ["bare", "explicit", "implicit"])
def test_seal_extensions_are_read_bare_or_tagged_with_and_without_critical(
    extension: bytes, shape: str
) -> None:
    bare = der.sequence(extension)
    tagged = {"bare": bare, "explicit": der.explicit(0, bare), "implicit": der.implicit(0, bare)}[shape]
    parsed = parse_seal(with_extensions(tagged))
    assert parsed.extensions == (SealExtension(oid="1.2.3", critical=False, value=b"v"),)
    assert tagged in parsed.signed_der


@pytest.mark.parametrize("tagged", [der.sequence(), der.explicit(0, der.sequence())])
def test_seal_with_an_empty_list_of_extensions_is_read(tagged: bytes) -> None:
    assert parse_seal(with_extensions(tagged)).extensions == ()


ENTRIES = der.sequence(der.octet_string(b"signer"))
TIME_FORMS = {
    "UTCTime": der.utc_time(AT),
    "GeneralizedTime": der.generalized_time(AT),
    "GeneralizedTime with fraction": der.encode(der.Tag.GENERALIZED_TIME, b"20260506070809.25Z"),
    "UTCTime in a BIT STRING": der.bit_string(der.utc_time(AT)),
    "GeneralizedTime in an OCTET STRING": der.octet_string(der.generalized_time(AT)),
    "local text": der.bit_string(b"2026-05-06 15:08:09"),
    "text with zone": der.bit_string(b"2026-05-06T07:08:09.377Z"),
    "text with offset": der.octet_string(b"2026-05-06T15:08:09+08:00"),
    "digits": der.bit_string(b"20260506070809Z"),
}


@pytest.mark.parametrize("form", TIME_FORMS)
@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_time_is_read_in_every_form_seen_in_the_field(version: SealVersion, form: str) -> None:
    parsed = parse_seal(property_with(version, entries=ENTRIES, times=TIME_FORMS[form]))
    assert parsed.property.valid_until.replace(microsecond=0) == AT


@pytest.mark.parametrize(
    "time",
    [
        der.bit_string(b"2026-13-40 00:00:00"),
        der.bit_string(b"sometime in May"),
        der.bit_string(b"2026-05-06T15:08:09+25:61"),
        der.bit_string(b"0001-01-01 00:00:00"),
        der.bit_string(b"2026-05-06 15:08:09", 0)[:-1] + b"\xff",
        der.bit_string(der.sequence(der.integer(1))),
        der.integer(1),
        der.encode(der.Tag.UTC_TIME, b"2605060708Z"),
        der.encode(der.Tag.GENERALIZED_TIME, b"20260506070809+0800"),
    ],
)
def test_seal_time_in_any_other_form_is_refused(time: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=ENTRIES, times=time))


def test_seal_v1_signer_list_written_as_ia5_strings_is_read() -> None:
    entries = der.sequence(der.encode(der.Tag.IA5_STRING, b"\x30\x03abc"))
    parsed = parse_seal(property_with(SealVersion.V1, entries=entries, times=der.utc_time(AT)))
    assert parsed.property.certificates == (b"\x30\x03abc",)
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=entries, times=der.utc_time(AT)))


@pytest.mark.parametrize("number", [0, 3, -1, 2**40])
def test_seal_with_an_unknown_kind_of_signer_list_is_refused(number: int) -> None:
    with pytest.raises(DecodeError, match="certListType"):
        parse_seal(
            property_with(
                SealVersion.V4, entries=ENTRIES, times=der.utc_time(AT), list_type=der.integer(number)
            )
        )


def test_seal_whose_list_is_of_the_other_kind_than_it_says_is_refused() -> None:
    digests = der.sequence(der.sequence(der.printable("SM3"), der.octet_string(bytes(32))))
    time = der.generalized_time(AT)
    good = property_with(SealVersion.V4, entries=digests, times=time, list_type=der.integer(2))
    assert parse_seal(good).property.list_type is CertListType.DIGESTS
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=digests, times=time))
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=ENTRIES, times=time, list_type=der.integer(2)))


def test_seal_values_written_as_octet_strings_are_read() -> None:
    whole = der.sequence(info(), der.octet_string(b"maker"), der.oid(ALGORITHM), der.octet_string(b"value"))
    assert parse_seal(whole).signature == b"value"


@pytest.mark.parametrize(
    "tagged",
    [
        der.explicit(0, der.bit_string(b"token")),
        der.explicit(0, der.octet_string(b"token")),
        der.implicit(0, der.bit_string(b"token")),
    ],
)
def test_seal_signature_time_stamp_is_read_tagged_either_way(tagged: bytes) -> None:
    parts = [part.raw for part in der.parse_der(signature(SealVersion.V4)).children()]
    assert parse_seal_signature(der.sequence(*parts, tagged)).timestamp == b"token"


def test_seal_signature_v1_may_hold_a_token_in_place_of_its_time() -> None:
    token = der.sequence(der.oid("1.2.3"), der.null())
    whole = signature(SealVersion.V1).replace(
        der.bit_string(der.utc_time(AT)), der.bit_string(token.ljust(15, b"\x00")[:15])
    )
    with pytest.raises(DecodeError):
        parse_seal_signature(whole)
    token = der.sequence(der.octet_string(bytes(11)))
    whole = signature(SealVersion.V1).replace(der.bit_string(der.utc_time(AT)), der.bit_string(token))
    parsed = parse_seal_signature(whole)
    assert (parsed.claimed_at, parsed.time_token) == (None, token)


def test_seal_signature_v4_with_a_token_in_place_of_its_time_is_refused() -> None:
    token = der.bit_string(der.sequence(der.octet_string(bytes(10))))
    whole = signature(SealVersion.V4)
    assert len(token) == len(der.generalized_time(AT))
    with pytest.raises(DecodeError, match="timeInfo"):
        parse_seal_signature(whole.replace(der.generalized_time(AT), token))
