"""Signed data after GB/T 35275: both forms, the variants of the field, and what must be refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from signing import cms, der, oids, sm3
from signing.cms import SignedData, build_signed_data, parse_signed_data, verify_signed_data
from signing.errors import DecodeError, EncodeError, EvidenceRefused, ShuzhengError, SignatureInvalid
from signing.sm2 import der_to_raw
from signing.x509.algorithms import SM3
from signing.x509.profiles import Profile
from tests.unit.signing.hierarchy import NOW, hierarchy, issue, key

WORLD = hierarchy()
HOLDER = WORLD[Profile.SEAL_SIGNER]
CONTENT = sm3.digest(b"<ofd:Signature/>")


def signed(**changes: object) -> bytes:
    order: dict[str, object] = {"signer": HOLDER.key, "certificate": HOLDER.certificate, **changes}
    return build_signed_data(CONTENT, **order)  # type: ignore[arg-type]


def message(
    *,
    attributes: list[bytes] | None = None,
    content: bytes | None = CONTENT,
    content_type: str = oids.GM_DATA,
    digest_algorithm: bytes = SM3.der,
    signature_algorithm: bytes = der.sequence(der.oid(oids.SM2_SIGNATURE)),
    raw: bool = False,
    signed_bytes: bytes | None = None,
) -> bytes:
    """Write a message in a variant that `build_signed_data` does not write; attributes stand as given."""
    listed = b"".join(attributes or [])
    over = der.encode(der.Tag.SET, listed) if attributes else content or b""
    value = HOLDER.key.sign(over if signed_bytes is None else signed_bytes)
    info = der.sequence(
        der.integer(1),
        der.sequence(HOLDER.certificate.issuer.der, der.integer(HOLDER.certificate.serial)),
        digest_algorithm,
        der.encode(der.context(0), listed) if attributes else b"",
        signature_algorithm,
        der.octet_string(der_to_raw(value) if raw else value),
    )
    inner = der.explicit(0, der.octet_string(content)) if content is not None else b""
    data = der.sequence(
        der.integer(1),
        der.set_of(SM3.der),
        der.sequence(der.oid(content_type), inner),
        der.implicit(0, der.set_of(HOLDER.certificate.der)),
        der.set_of(info),
    )
    return der.sequence(der.oid(oids.GM_SIGNED_DATA), der.explicit(0, data))


def attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of(value))


KIND = attribute(oids.ATTR_CONTENT_TYPE, der.oid(oids.GM_DATA))
DIGEST = attribute(oids.ATTR_MESSAGE_DIGEST, der.octet_string(sm3.digest(CONTENT)))
TIME = attribute(oids.ATTR_SIGNING_TIME, der.time(NOW))


def verify(octets: bytes, content: bytes | None = None, **changes: object) -> SignedData:
    data = parse_signed_data(octets)
    verify_signed_data(data, content=content, **changes)  # type: ignore[arg-type]
    return data


def test_message_without_attributes_signs_the_content_itself() -> None:
    data = verify(signed(with_attributes=False))
    assert data.content == CONTENT
    assert data.signers[0].attributes is None
    HOLDER.key.public_key.verify(data.signers[0].signature, CONTENT)


def test_message_with_attributes_signs_them_as_a_set_and_holds_the_digest_and_the_time() -> None:
    data = verify(signed(signing_time=NOW))
    signer = data.signers[0]
    assert signer.signing_time == NOW
    assert signer.attribute(oids.ATTR_MESSAGE_DIGEST) == der.octet_string(sm3.digest(CONTENT))
    assert signer.signed_bytes is not None
    HOLDER.key.public_key.verify(signer.signature, signer.signed_bytes)


def test_message_is_written_as_gbt_35275_has_it() -> None:
    data = parse_signed_data(signed(signing_time=NOW))
    assert (data.type_oid, data.content_type) == (oids.GM_SIGNED_DATA, oids.GM_DATA)
    assert (data.version, data.signers[0].version) == (1, 1)
    assert data.signers[0].signature_algorithm.oid == oids.SM2_SIGNATURE
    assert data.signers[0].signature_algorithm.parameters is None
    listed = [each.der for each in data.signers[0].attributes or ()]
    assert listed == sorted(listed)
    assert not data.signers[0].signature_is_raw


@pytest.mark.parametrize("with_attributes", [True, False])
def test_detached_message_needs_its_content_and_that_one_only(with_attributes: bool) -> None:
    octets = signed(detached=True, with_attributes=with_attributes)
    assert verify(octets, CONTENT).content is None
    with pytest.raises(EvidenceRefused):
        verify(octets)
    with pytest.raises(SignatureInvalid):
        verify(octets, CONTENT + b".")


def test_digest_may_stand_for_the_content_only_where_attributes_hold_it() -> None:
    digest = sm3.digest(CONTENT)
    verify(signed(detached=True), digest=digest)
    with pytest.raises(SignatureInvalid):
        verify(signed(detached=True), digest=sm3.digest(b"other"))
    with pytest.raises(EvidenceRefused):
        verify(signed(detached=True, with_attributes=False), digest=digest)


def test_content_inside_must_be_the_content_given() -> None:
    with pytest.raises(EvidenceRefused, match="not the content given"):
        verify(signed(), b"another")


# ------------------------------------------------------------------------ variants of the field


@pytest.mark.parametrize(
    "octets",
    [
        message(attributes=[DIGEST, KIND]),
        message(attributes=[KIND, DIGEST]),
        message(attributes=[TIME, KIND, DIGEST]),
        message(attributes=[KIND, DIGEST], content_type=oids.CMS_DATA),
        message(attributes=[attribute(oids.ATTR_CONTENT_TYPE, der.oid(oids.CMS_DATA)), DIGEST]),
        message(signature_algorithm=der.sequence(der.oid(oids.SM2_WITH_SM3))),
        message(signature_algorithm=der.sequence(der.oid(oids.SM2_SIGNATURE), der.null())),
        message(digest_algorithm=der.sequence(der.oid(oids.SM3), der.null())),
        message(raw=True),
        message(attributes=[KIND, DIGEST], raw=True),
    ],
)
def test_message_in_a_variant_of_the_field_verifies(octets: bytes) -> None:
    assert verify(octets).content == CONTENT


def test_raw_signature_is_told_apart_and_refused_where_not_accepted() -> None:
    data = parse_signed_data(message(raw=True))
    assert data.signers[0].signature_is_raw
    with pytest.raises(EvidenceRefused, match="raw"):
        verify_signed_data(data, accept_raw=False)


# -------------------------------------------------------------------------------------- attacks


@pytest.mark.parametrize(
    "octets",
    [
        message(attributes=[DIGEST]),
        message(attributes=[KIND]),
        message(attributes=[KIND, attribute(oids.ATTR_MESSAGE_DIGEST, der.octet_string(bytes(32)))]),
        message(attributes=[attribute(oids.ATTR_CONTENT_TYPE, der.oid(oids.CT_TST_INFO)), DIGEST]),
        message(attributes=[KIND, DIGEST], signed_bytes=CONTENT),
        message(attributes=[DIGEST, KIND], signed_bytes=der.set_of(DIGEST, KIND)),
        message(signed_bytes=sm3.digest(CONTENT)),
        message(digest_algorithm=der.sequence(der.oid(oids.SHA256))),
        message(signature_algorithm=der.sequence(der.oid("1.2.840.10045.4.3.2"))),
        message(content=None),
        message(attributes=[KIND, DIGEST, KIND]),
        message(attributes=[KIND, der.sequence(der.oid(oids.ATTR_MESSAGE_DIGEST), der.set_of())]),
    ],
)
def test_message_that_does_not_bind_its_content_is_refused(octets: bytes) -> None:
    with pytest.raises(ShuzhengError):
        verify(octets)


def test_signed_attributes_passed_off_as_content_are_refused() -> None:
    """Without this check a signature over attributes would also be one over their octets as content."""
    genuine = parse_signed_data(signed()).signers[0]
    assert genuine.signed_bytes is not None
    moved = message(content=genuine.signed_bytes, signed_bytes=genuine.signed_bytes)
    with pytest.raises(EvidenceRefused, match="signed attributes"):
        verify(moved)


def test_message_with_an_octet_changed_is_refused_or_says_the_same() -> None:
    octets = signed(signing_time=NOW)
    good = verify(octets)
    for place in range(0, len(octets), 2):
        altered = octets[:place] + bytes((octets[place] ^ 1 << place % 8,)) + octets[place + 1 :]
        try:
            data = verify(altered, CONTENT)
        except ShuzhengError:
            continue
        assert data.content == good.content
        assert data.signers[0].signed_bytes == good.signers[0].signed_bytes


def test_signer_is_found_by_issuer_and_serial_and_not_by_place() -> None:
    other = WORLD[Profile.SEAL_MAKER].certificate
    octets = signed(chain=(other, WORLD.issuing.certificate))
    data = parse_signed_data(octets)
    turned = replace(data, certificates=tuple(reversed(data.certificates)))
    assert verify_signed_data(turned)[0].certificate == HOLDER.certificate
    with pytest.raises(EvidenceRefused, match="not at hand"):
        verify_signed_data(replace(data, certificates=(other,)))
    verify_signed_data(replace(data, certificates=()), certificates=[HOLDER.certificate])


def test_certificate_of_the_same_number_over_another_key_does_not_verify() -> None:
    serial = HOLDER.certificate.serial
    double = issue(WORLD.issuing, 280, Profile.SEAL_SIGNER, serial=serial).certificate
    data = parse_signed_data(signed())
    with pytest.raises(SignatureInvalid):
        verify_signed_data(replace(data, certificates=(double,)))


def test_message_without_signers_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="no signature"):
        verify_signed_data(replace(parse_signed_data(signed()), signers=()))


def test_message_with_one_bad_signature_of_two_is_refused() -> None:
    data = parse_signed_data(signed())
    bad = replace(data.signers[0], signature=key(9).sign(b"other"))
    with pytest.raises(SignatureInvalid):
        verify_signed_data(replace(data, signers=(*data.signers, bad)))


def test_order_that_cannot_be_signed_is_refused() -> None:
    with pytest.raises(EncodeError, match="signing time"):
        signed(with_attributes=False, signing_time=NOW)
    with pytest.raises(EncodeError, match="belong together"):
        signed(signer=key(281))


def test_content_of_another_type_is_no_signed_data() -> None:
    enveloped = der.sequence(der.oid(oids.GM_ENVELOPED_DATA), der.explicit(0, der.sequence()))
    with pytest.raises(DecodeError, match="not signed data"):
        parse_signed_data(enveloped)
    with pytest.raises(DecodeError):
        parse_signed_data(signed() + b"\x00")


def test_basic_attributes_are_content_type_and_digest() -> None:
    made = cms.basic_attributes(oids.GM_DATA, sm3.digest(CONTENT))
    assert {each.der for each in made} == {KIND, DIGEST}


def test_signing_time_beyond_2049_is_written_as_generalized_time() -> None:
    late = NOW + timedelta(days=365 * 40)
    assert parse_signed_data(signed(signing_time=late)).signers[0].signing_time == late
