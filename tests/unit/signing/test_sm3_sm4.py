"""SM3, HMAC-SM3 and SM4 against the standards' examples and a second implementation."""

from __future__ import annotations

import pytest
from gmssl import sm3 as gmssl_sm3
from gmssl import sm4 as gmssl_sm4
from hypothesis import given
from hypothesis import strategies as st

from signing import sm3, sm4
from signing.errors import DecryptionFailed, EncodeError
from tests.vectors.sm2 import by_hand

KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_example_of_gbt_32905_gives_its_digest(message: bytes, expected: str) -> None:
    assert sm3.digest(message).hex() == expected
    assert sm3.digest_parts(message[i : i + 3] for i in range(0, len(message), 3)).hex() == expected
    running = sm3.hasher()
    running.update(message)
    assert running.finalize().hex() == expected


@given(st.binary(max_size=300))
def test_sm3_of_any_message_equals_two_other_implementations(message: bytes) -> None:
    assert sm3.digest(message) == by_hand.sm3(message)
    assert sm3.digest(message).hex() == gmssl_sm3.sm3_hash(list(message))


@given(st.binary(max_size=150), st.binary(max_size=100))
def test_hmac_sm3_equals_its_definition_over_another_sm3(key: bytes, message: bytes) -> None:
    block = (by_hand.sm3(key) if len(key) > 64 else key).ljust(64, b"\x00")
    inner = by_hand.sm3(bytes(octet ^ 0x36 for octet in block) + message)
    assert sm3.hmac(key, message) == by_hand.sm3(bytes(octet ^ 0x5C for octet in block) + inner)


def test_sm4_example_of_gbt_32907_gives_its_block() -> None:
    ciphertext = sm4.encrypt_cbc(KEY, bytes(16), KEY)
    assert ciphertext[:16].hex() == "681edf34d206965e86b3e94f536e4246"


def test_sm4_a_million_times_gives_the_block_of_gbt_32907() -> None:
    # CBC over zero blocks encrypts the previous block again and again, beginning with the IV.
    chained = sm4.encrypt_cbc(KEY, KEY, bytes(16_000_000))
    assert chained[15_999_984:16_000_000].hex() == "595298c7c6fd271f0402f804c33d3f66"


def test_sm4_gcm_example_of_rfc_8998_gives_its_ciphertext_and_tag() -> None:
    nonce = bytes.fromhex("00001234567800000000abcd")
    associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plaintext = b"".join(bytes((octet,)) * 8 for octet in bytes.fromhex("aabbccddeeffeeaa"))
    sealed = sm4.encrypt_gcm(KEY, nonce, plaintext, associated_data=associated)
    assert sealed[:16].hex() == "17f399f08c67d5ee19d0dc9969c4bb7d"
    assert sealed[-16:].hex() == "83de3541e4c2b58177e065a9bf7b62ec"
    assert sm4.decrypt_gcm(KEY, nonce, sealed, associated_data=associated) == plaintext


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.binary(max_size=100))
def test_sm4_cbc_equals_gmssl_and_opens_again(key: bytes, iv: bytes, plaintext: bytes) -> None:
    ciphertext = sm4.encrypt_cbc(key, iv, plaintext)
    other = gmssl_sm4.CryptSM4()
    other.set_key(key, gmssl_sm4.SM4_ENCRYPT)
    assert other.crypt_cbc(iv, plaintext) == ciphertext
    assert sm4.decrypt_cbc(key, iv, ciphertext) == plaintext


@given(st.binary(max_size=60), st.binary(max_size=20), st.data())
def test_sm4_gcm_with_any_bit_flipped_is_refused(
    plaintext: bytes, associated: bytes, data: st.DataObject
) -> None:
    sealed = sm4.seal_gcm(KEY, plaintext, associated_data=associated)
    assert sm4.open_gcm(KEY, sealed, associated_data=associated) == plaintext
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    altered = bytearray(sealed)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecryptionFailed):
        sm4.open_gcm(KEY, bytes(altered), associated_data=associated)
    with pytest.raises(DecryptionFailed):
        sm4.open_gcm(KEY, sealed, associated_data=associated + b".")


@pytest.mark.parametrize("sealed", [b"", bytes(12), bytes(27), bytes(28)])
def test_sm4_gcm_cut_short_is_refused(sealed: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        sm4.open_gcm(KEY, sealed)


@pytest.mark.parametrize("ciphertext", [b"", bytes(15), bytes(16), bytes(17)])
def test_sm4_cbc_of_wrong_size_or_padding_is_refused(ciphertext: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        sm4.decrypt_cbc(KEY, bytes(16), ciphertext)


@pytest.mark.parametrize(("key", "nonce"), [(bytes(15), bytes(12)), (bytes(16), bytes(11)), (b"", b"")])
def test_sm4_with_a_key_or_nonce_of_wrong_size_is_refused(key: bytes, nonce: bytes) -> None:
    with pytest.raises(EncodeError):
        sm4.encrypt_gcm(key, nonce, b"text")


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=4))
def test_keyed_hash_answers_as_hmac_does_however_often_it_is_asked(key: bytes, messages: list[bytes]) -> None:
    compute = sm3.keyed_hmac(key)
    assert [compute(each) for each in messages] == [sm3.hmac(key, each) for each in messages]
