"""SM2 against the standard's worked example, and libcrypto against gmssl, in both directions."""

from __future__ import annotations

import copy
import pickle
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import sm2, sm3, sm4
from signing.engine import engine_report, load_engine
from signing.engines.protocol import Engine
from signing.errors import EngineUnavailable, KeyUnusable, SignatureInvalid, SigningError
from signing.sm2 import DEFAULT_ID, PrivateKey, PublicKey

# GB/T 32918.5 annex A: the recommended curve, this key, this message, this signature.
SCALAR = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
MESSAGE = b"message digest"
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
ENGINES = ("libcrypto", "gmssl")


@cache
def engine(name: str) -> Engine:
    try:
        return load_engine(name)
    except EngineUnavailable as reason:
        pytest.skip(f"{name} does not work on this machine: {reason}")


def der_signature(r: int, s: int) -> bytes:
    def integer(value: int) -> bytes:
        octets = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return bytes([2, len(octets)]) + octets

    body = integer(r) + integer(s)
    return bytes([0x30, len(body)]) + body


def accepts(name: str, point: bytes, signature: bytes, message: bytes, identity: bytes = DEFAULT_ID) -> bool:
    return engine(name).load_public(point).verify(signature, message, identity)


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.from_scalar(SCALAR)


@pytest.mark.parametrize("name", ENGINES)
def test_worked_example_of_the_standard_verifies(name: str, key: PrivateKey) -> None:
    assert key.public_key.point.hex().startswith("0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc07")
    assert accepts(name, key.public_key.point, der_signature(R, S), MESSAGE)
    assert not accepts(name, key.public_key.point, der_signature(R, S), MESSAGE + b"!")


def bad_signatures() -> dict[str, bytes]:
    good = der_signature(R, S)
    return {
        "r is zero": der_signature(0, S),
        "s is zero": der_signature(R, 0),
        "r is the order": der_signature(ORDER, S),
        "s is the order": der_signature(R, ORDER),
        "r over the order": der_signature(R + ORDER, S),
        "r + s is the order": der_signature(R, ORDER - R),
        "trailing octet": good + b"\x00",
        "octet missing": good[:-1],
        "raw r and s": R.to_bytes(32, "big") + S.to_bytes(32, "big"),
        "long-form length": bytes([0x30, 0x81, len(good) - 2]) + good[2:],
        "padded integer": bytes([0x30, len(good) - 1, 2, good[3] + 1, 0]) + good[4:],
        "empty": b"",
        "swapped": der_signature(S, R),
    }


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("case", bad_signatures())
def test_edge_signature_is_refused_by_both_engines(name: str, case: str, key: PrivateKey) -> None:
    assert not accepts(name, key.public_key.point, bad_signatures()[case], MESSAGE)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("identity", [b"", b"ALICE123@YAHOO.COM", b"1234567812345679"])
def test_signature_under_another_identity_is_refused(name: str, identity: bytes, key: PrivateKey) -> None:
    signature = key.sign(MESSAGE, id=identity)
    assert accepts(name, key.public_key.point, signature, MESSAGE, identity)
    assert not accepts(name, key.public_key.point, signature, MESSAGE)


@given(message=st.binary(max_size=200), signer=st.sampled_from(ENGINES), verifier=st.sampled_from(ENGINES))
@settings(max_examples=20, deadline=None)
def test_what_one_engine_signs_the_other_verifies(message: bytes, signer: str, verifier: str) -> None:
    made = PrivateKey.from_scalar(SCALAR)
    point = made.public_key.point
    handle = engine(signer).load_private(SCALAR.to_bytes(32, "big"), point)
    signature = handle.sign(message, DEFAULT_ID)
    assert accepts(verifier, point, signature, message)
    assert not accepts(verifier, point, signature, message + b"\x00")


@given(
    plaintext=st.binary(min_size=1, max_size=100),
    maker=st.sampled_from(ENGINES),
    opener=st.sampled_from(ENGINES),
)
@settings(max_examples=15, deadline=None)
def test_what_one_engine_encrypts_the_other_decrypts(plaintext: bytes, maker: str, opener: str) -> None:
    point = PrivateKey.from_scalar(SCALAR).public_key.point
    sealed = engine(maker).load_public(point).encrypt(plaintext)
    assert engine(opener).load_private(SCALAR.to_bytes(32, "big"), point).decrypt(sealed) == plaintext


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_any_flipped_bit_of_a_signature_is_refused(place: int, bit: int) -> None:
    made = PrivateKey.from_scalar(SCALAR)
    signature = bytearray(der_signature(R, S))
    signature[place % len(signature)] ^= 1 << bit
    with pytest.raises(SignatureInvalid):
        made.public_key.verify(bytes(signature), MESSAGE)


@pytest.mark.parametrize(
    "point",
    [
        b"",
        b"\x00",
        b"\x04" + b"\x00" * 64,
        b"\x04" + b"\xff" * 64,
        b"\x04" + b"\x01" * 64,
        b"\x02" + b"\x01" * 31,
    ],
)
def test_point_that_is_not_on_the_curve_is_refused(point: bytes) -> None:
    with pytest.raises(KeyUnusable):
        PublicKey.from_point(point)


def test_verify_many_and_sign_many_equal_one_by_one(key: PrivateKey) -> None:
    messages = [bytes([n]) * n for n in range(1, 20)]
    signatures = key.sign_many(messages)
    key.public_key.verify_many(zip(signatures, messages, strict=True))
    pairs = list(zip(signatures, messages[1:] + messages[:1], strict=True))
    assert key.public_key.assess_many(pairs) == [False] * len(messages)


def test_private_key_stays_out_of_repr_copies_and_pickles(key: PrivateKey) -> None:
    assert f"{SCALAR:x}" not in repr(key).lower()
    assert str(SCALAR) not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert copy.deepcopy(key) == key


@pytest.mark.parametrize("scalar", [0, -1, ORDER, ORDER - 1, ORDER + 5])
def test_scalar_outside_the_range_is_refused(scalar: int) -> None:
    with pytest.raises(KeyUnusable):
        PrivateKey.from_scalar(scalar)


@given(octets=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_octets_give_only_our_errors(octets: bytes) -> None:
    made = PrivateKey.from_scalar(SCALAR)
    for act in (
        lambda: PublicKey.from_spki(octets),
        lambda: PrivateKey.from_pkcs8(octets),
        lambda: PrivateKey.from_pkcs8(octets, b"password"),
        lambda: made.decrypt(octets),
        lambda: made.public_key.verify(octets, MESSAGE),
        lambda: sm2.raw_to_der(octets),
        lambda: sm2.der_to_raw(octets),
    ):
        try:
            act()
        except SigningError:
            continue


def test_key_survives_pkcs8_plain_and_encrypted(key: PrivateKey) -> None:
    assert PrivateKey.from_pkcs8(key.to_pkcs8()) == key
    sealed = key.to_pkcs8("口令".encode())
    assert PrivateKey.from_pkcs8(sealed, "口令".encode()) == key
    for password in (None, b"wrong"):
        with pytest.raises(KeyUnusable):
            PrivateKey.from_pkcs8(sealed, password)


def test_report_names_the_engine_that_runs() -> None:
    report = engine_report()
    assert report.name in ENGINES
    assert report.reason


def test_sm3_worked_examples() -> None:
    assert sm3.digest(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert (
        sm3.digest(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )
    assert sm3.digest_parts([b"ab", b"", b"c"]) == sm3.digest(b"abc")


@given(plaintext=st.binary(max_size=100), place=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_sm4_gcm_opens_what_it_sealed_and_nothing_altered(plaintext: bytes, place: int) -> None:
    master = bytes(range(16))
    sealed = sm4.seal_gcm(master, plaintext, associated_data=b"a")
    assert sm4.open_gcm(master, sealed, associated_data=b"a") == plaintext
    altered = bytearray(sealed)
    altered[place % len(altered)] ^= 1
    with pytest.raises(SigningError):
        sm4.open_gcm(master, bytes(altered), associated_data=b"a")
