"""SM2 keys as values and as PKCS#8: what they carry, and what they never show."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import curve, der, oids, pkcs8
from signing.errors import DecodeError, EncodeError, KeyUnusable, SignatureInvalid
from signing.pkcs8 import Prf, Protection
from signing.signer import Signer
from signing.sm2 import PrivateKey, PublicKey, raw_to_der

SCALAR = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
QUICK = Protection(iterations=10, salt=bytes(16), iv=bytes(16))


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.from_scalar(SCALAR)


def shows_scalar(text: str | bytes) -> bool:
    octets = SCALAR.to_bytes(32, "big")
    seen = text.encode() if isinstance(text, str) else text
    return any(
        form in seen
        for form in (octets, octets.hex().encode(), octets.hex().upper().encode(), str(SCALAR).encode())
    )


def test_private_key_in_repr_str_and_log_shows_its_public_half_only(
    key: PrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("test").warning("key %s %r %s", key, key, [key])
    for text in (repr(key), str(key), f"{key}", caplog.text):
        assert key.public_key.point.hex() in text
        assert not shows_scalar(text)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_private_key_pickled_is_refused(key: PrivateKey, protocol: int) -> None:
    for value in (key, [key], key._handle):
        with pytest.raises(TypeError, match="pickle") as refused:
            pickle.dumps(value, protocol)
        assert not shows_scalar(str(refused.value))


def test_private_key_copied_is_itself(key: PrivateKey) -> None:
    assert copy.copy(key) is key
    assert copy.deepcopy([key])[0] is key


def test_private_key_is_a_signer(key: PrivateKey) -> None:
    assert isinstance(key, Signer)


def test_private_keys_are_equal_when_their_public_halves_are(key: PrivateKey) -> None:
    again = PrivateKey.from_scalar(SCALAR)
    assert again == key
    assert hash(again) == hash(key)
    assert PrivateKey.from_scalar(SCALAR + 1) != key
    assert key != key.public_key


def test_public_key_pickled_comes_back_equal_and_works(key: PrivateKey) -> None:
    public = pickle.loads(pickle.dumps(key.public_key))
    assert public == key.public_key
    public.verify(key.sign(b"message"), b"message")


def test_public_key_cannot_be_changed(key: PrivateKey) -> None:
    with pytest.raises(AttributeError):
        key.public_key.point = bytes(65)  # type: ignore[misc]


@pytest.mark.parametrize("scalar", [0, -1, curve.N - 1, curve.N, curve.N + 1, 1 << 256])
def test_private_key_out_of_range_is_refused(scalar: int) -> None:
    with pytest.raises(KeyUnusable, match="between 1 and") as refused:
        PrivateKey.from_scalar(scalar)
    assert str(scalar) not in str(refused.value) or scalar in (0, -1)


@pytest.mark.parametrize("scalar", [1, 2, curve.N - 2])
def test_private_key_at_the_edge_of_the_range_signs(scalar: int) -> None:
    key = PrivateKey.from_scalar(scalar)
    key.public_key.verify(key.sign(b"edge"), b"edge")


def test_generated_keys_differ() -> None:
    assert PrivateKey.generate() != PrivateKey.generate()


@given(st.integers(1, curve.N - 2))
@settings(max_examples=50)
def test_private_key_through_pkcs8_and_public_key_through_every_form_come_back(scalar: int) -> None:
    key = PrivateKey.from_scalar(scalar)
    assert PrivateKey.from_pkcs8(key.to_pkcs8()) == key
    point = key.public_key.point
    compressed = bytes((2 + point[-1] % 2,)) + point[1:33]
    assert PublicKey.from_point(compressed) == PublicKey.from_spki(key.public_key.spki) == key.public_key


@pytest.mark.parametrize("prf", list(Prf))
def test_private_key_encrypted_opens_with_its_password_only(key: PrivateKey, prf: Prf) -> None:
    octets = key.to_pkcs8("口令".encode(), protection=Protection(prf=prf, iterations=10))
    assert PrivateKey.from_pkcs8(octets, "口令".encode()) == key
    assert not shows_scalar(octets)
    for password in (b"", b"guess", "口令 ".encode()):
        with pytest.raises(KeyUnusable, match="does not open with this password"):
            PrivateKey.from_pkcs8(octets, password)
    with pytest.raises(KeyUnusable, match="needs its password"):
        PrivateKey.from_pkcs8(octets)


def test_private_key_tried_with_a_thousand_wrong_passwords_says_the_same_each_time(key: PrivateKey) -> None:
    # Some wrong passwords leave padding that looks right; what comes out then must not be told apart.
    octets = key.to_pkcs8(b"right", protection=QUICK)
    for number in range(1000):
        with pytest.raises(KeyUnusable, match="does not open with this password"):
            PrivateKey.from_pkcs8(octets, str(number).encode())


def test_private_key_encrypted_by_default_is_sm4_with_hmac_sm3_and_fresh_salt(key: PrivateKey) -> None:
    first, second = key.to_pkcs8(b"password"), key.to_pkcs8(b"password")
    assert first != second
    for dotted in (oids.PBES2, oids.PBKDF2, oids.SM4_CBC, "1.2.156.10197.1.401.3.1"):
        assert der.oid(dotted) in first
    assert der.integer(100_000) in first


def test_private_key_with_an_empty_password_is_not_written(key: PrivateKey) -> None:
    with pytest.raises(KeyUnusable, match="at least one octet"):
        key.to_pkcs8(b"")


def build_pkcs8(scalar: bytes, *extras: bytes, version: int = 0, curve_oid: str = oids.SM2_CURVE) -> bytes:
    inner = der.sequence(der.integer(1), der.octet_string(scalar), *extras)
    algorithm = der.sequence(der.oid(oids.EC_PUBLIC_KEY), der.oid(curve_oid))
    return der.sequence(der.integer(version), algorithm, der.octet_string(inner))


def test_pkcs8_without_public_key_or_with_parameters_is_read(key: PrivateKey) -> None:
    scalar = SCALAR.to_bytes(32, "big")
    parameters = der.explicit(0, der.oid(oids.SM2_CURVE))
    public = der.explicit(1, der.bit_string(key.public_key.point))
    for extras in ((), (parameters,), (public,), (parameters, public)):
        assert PrivateKey.from_pkcs8(build_pkcs8(scalar, *extras)) == key


def test_pkcs8_with_a_short_or_padded_scalar_is_read() -> None:
    key = PrivateKey.from_scalar(5)
    for scalar in (b"\x05", bytes(31) + b"\x05", bytes(32) + b"\x05"):
        assert PrivateKey.from_pkcs8(build_pkcs8(scalar)) == key


def test_pkcs8_with_another_public_key_is_refused() -> None:
    other = der.explicit(1, der.bit_string(PrivateKey.from_scalar(7).public_key.point))
    with pytest.raises(KeyUnusable, match="belongs to another"):
        PrivateKey.from_pkcs8(build_pkcs8(SCALAR.to_bytes(32, "big"), other))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30\x00",
        build_pkcs8(b""),
        build_pkcs8(bytes(34)),
        build_pkcs8(b"\x05", version=2),
        build_pkcs8(b"\x05", curve_oid="1.2.840.10045.3.1.7"),
        build_pkcs8(b"\x05", der.explicit(0, der.oid("1.2.840.10045.3.1.7"))),
        build_pkcs8(b"\x05", der.null()),
        build_pkcs8(b"\x05") + b"\x00",
        b"-----BEGIN PRIVATE KEY-----",
    ],
)
def test_pkcs8_that_is_no_sm2_key_is_refused(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        PrivateKey.from_pkcs8(octets)


def encrypted_with(kdf_oid: str, cipher_oid: str, iterations: int, prf_oid: str | None) -> bytes:
    prf = b"" if prf_oid is None else der.sequence(der.oid(prf_oid), der.null())
    kdf = der.sequence(der.octet_string(bytes(8)), der.integer(iterations), prf)
    parameters = der.sequence(
        der.sequence(der.oid(kdf_oid), kdf), der.sequence(der.oid(cipher_oid), der.octet_string(bytes(16)))
    )
    return der.sequence(der.sequence(der.oid(oids.PBES2), parameters), der.octet_string(bytes(32)))


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (encrypted_with("1.3.6.1.4.1.11591.4.11", oids.SM4_CBC, 1, None), "not supported"),
        (encrypted_with(oids.PBKDF2, "2.16.840.1.101.3.4.1.42", 1, None), "not supported"),
        (encrypted_with(oids.PBKDF2, oids.SM4_CBC, 1, "1.2.840.113549.2.5"), "not supported"),
        (encrypted_with(oids.PBKDF2, oids.SM4_CBC, 0, None), "iterations"),
        (encrypted_with(oids.PBKDF2, oids.SM4_CBC, pkcs8.MAX_ITERATIONS + 1, None), "iterations"),
        (encrypted_with(oids.PBKDF2, oids.SM4_CBC, -1, None), "iterations"),
    ],
)
def test_pkcs8_encrypted_in_a_way_not_supported_is_refused_with_the_reason(octets: bytes, words: str) -> None:
    with pytest.raises((DecodeError, KeyUnusable), match=words):
        PrivateKey.from_pkcs8(octets, b"password")


def test_verify_many_with_bad_signatures_points_at_each(key: PrivateKey) -> None:
    messages = [b"a", b"b", b"c"]
    signatures = key.sign_many(messages)
    pairs = list(zip(signatures, messages, strict=True))
    key.public_key.verify_many(pairs)
    pairs[0], pairs[2] = (signatures[0], b"x"), (b"", b"c")
    with pytest.raises(SignatureInvalid, match="2 of 3") as refused:
        key.public_key.verify_many(pairs)
    assert [error.pointer for error in refused.value.errors] == ["/0", "/2"]
    assert key.public_key.assess_many(pairs) == [False, True, False]


def test_identifier_too_long_for_its_length_field_is_refused(key: PrivateKey) -> None:
    longest = bytes(curve.MAX_ID_BYTES)
    key.public_key.verify(key.sign(b"message", id=longest), b"message", id=longest)
    for use in (
        lambda identity: key.sign(b"message", id=identity),
        lambda identity: key.sign_many([b"message"], id=identity),
        lambda identity: key.public_key.verify(b"", b"message", id=identity),
        lambda identity: key.public_key.verify_many([], id=identity),
    ):
        with pytest.raises(EncodeError):
            use(longest + b"x")


def test_nothing_is_encrypted_into_nothing(key: PrivateKey) -> None:
    with pytest.raises(EncodeError):
        key.public_key.encrypt(b"")


@pytest.mark.parametrize("size", [0, 63, 65, 70])
def test_raw_signature_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(DecodeError, match="64 octets"):
        raw_to_der(bytes(size))
