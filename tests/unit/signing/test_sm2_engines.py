"""libcrypto and gmssl against each other, both ways, and both against hostile octets."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import sm2
from signing.curve import N
from signing.engine import load_engine
from signing.engines.protocol import Engine
from signing.errors import DecryptionFailed, ShuzhengError

LIBCRYPTO = load_engine("libcrypto")
GMSSL = load_engine("gmssl")
BOTH_WAYS = [
    pytest.param(LIBCRYPTO, GMSSL, id="libcrypto-to-gmssl"),
    pytest.param(GMSSL, LIBCRYPTO, id="back"),
]
FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "400"))

scalars = st.one_of(st.integers(1, N - 2), st.sampled_from((1, 2, 3, N - 2, N - 3, N // 2, N // 2 + 1)))
identities = st.one_of(st.just(sm2.DEFAULT_ID), st.binary(max_size=40))


def flip(octets: bytes, bit: int) -> bytes:
    """Flip one bit; the number wraps around, for signatures have no fixed size."""
    altered = bytearray(octets)
    altered[bit // 8 % len(altered)] ^= 1 << bit % 8
    return bytes(altered)


@pytest.mark.parametrize(("maker", "judge"), BOTH_WAYS)
@settings(max_examples=30)
@given(scalar=scalars, message=st.binary(max_size=200), identity=identities, bit=st.integers(0, 65535))
def test_sm2_signature_of_one_engine_is_good_to_the_other_until_a_bit_flips(
    maker: Engine, judge: Engine, scalar: int, message: bytes, identity: bytes, bit: int
) -> None:
    octets = scalar.to_bytes(32, "big")
    point = maker.derive_point(octets)
    assert judge.derive_point(octets) == point
    signature = maker.load_private(octets, point).sign(message, identity)
    public = judge.load_public(point)
    assert public.verify(signature, message, identity)
    assert not public.verify(flip(signature, bit), message, identity)
    assert not public.verify(signature, message + b"\x00", identity)
    assert not public.verify(signature, message, identity + b"\x00")


@pytest.mark.parametrize(("maker", "judge"), BOTH_WAYS)
@settings(max_examples=20)
@given(scalar=scalars, plaintext=st.binary(min_size=1, max_size=100), bit=st.integers(0, 65535))
def test_sm2_ciphertext_of_one_engine_opens_in_the_other_until_a_bit_flips(
    maker: Engine, judge: Engine, scalar: int, plaintext: bytes, bit: int
) -> None:
    octets = scalar.to_bytes(32, "big")
    point = maker.derive_point(octets)
    ciphertext = maker.load_public(point).encrypt(plaintext)
    private = judge.load_private(octets, point)
    assert private.decrypt(ciphertext) == plaintext
    with pytest.raises(DecryptionFailed):
        private.decrypt(flip(ciphertext, bit))


@pytest.mark.parametrize("engine", [LIBCRYPTO, GMSSL], ids=["libcrypto", "gmssl"])
def test_sm2_many_signatures_are_judged_in_order(engine: Engine) -> None:
    key = sm2.PrivateKey.generate()
    scalar = sm2.pkcs8.parse_private_key(key.to_pkcs8())[0].to_bytes(32, "big")
    messages = [f"message {number}".encode() for number in range(6)]
    signatures = engine.load_private(scalar, key.public_key.point).sign_many(messages, sm2.DEFAULT_ID)
    assert len(set(signatures)) == 6
    pairs = list(zip(signatures, messages, strict=True))
    pairs[2], pairs[4] = (signatures[2], b"another"), (b"", messages[4])
    verdicts = engine.load_public(key.public_key.point).verify_many(pairs, sm2.DEFAULT_ID)
    assert verdicts == [True, True, False, True, False, True]


@pytest.mark.parametrize("engine", [LIBCRYPTO, GMSSL], ids=["libcrypto", "gmssl"])
def test_sm2_one_octet_is_never_encrypted_with_a_zero_key_stream(engine: Engine) -> None:
    # One nonce in 256 gives such a stream; libcrypto's own function lets it pass.
    point = engine.derive_point((7).to_bytes(32, "big"))
    public = engine.load_public(point)
    count = 1500 if engine is LIBCRYPTO else 60
    assert all(public.encrypt(b"z")[-1:] != b"z" for _ in range(count))


def mutate(octets: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double, insert or replace a few octets; now and then begin from noise."""
    altered = bytearray(octets if chance.random() < 0.9 else chance.randbytes(chance.randrange(200)))
    for _ in range(chance.randrange(1, 5)):
        position = chance.randrange(len(altered) + 1)
        match chance.randrange(4):
            case 0 if altered:
                altered[position - 1] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 1:
                altered[position:position] = chance.randbytes(chance.randrange(1, 5))
            case 2:
                del altered[position : position + chance.randrange(1, 9)]
            case _:
                altered += altered[position : position + 40]
    return bytes(altered)


def test_sm2_signatures_mutated_at_random_get_the_same_verdict_from_both_engines() -> None:
    chance = random.Random(20261124)
    key = sm2.PrivateKey.generate()
    signature = key.sign(b"message")
    left, right = LIBCRYPTO.load_public(key.public_key.point), GMSSL.load_public(key.public_key.point)
    for _ in range(FUZZ_CASES):
        mutant = mutate(signature, chance)
        expected = mutant == signature
        assert left.verify(mutant, b"message", sm2.DEFAULT_ID) is expected, mutant.hex()
        assert right.verify(mutant, b"message", sm2.DEFAULT_ID) is expected, mutant.hex()


def test_sm2_ciphertexts_mutated_at_random_get_the_same_verdict_from_both_engines() -> None:
    chance = random.Random(20261125)
    scalar = (12345).to_bytes(32, "big")
    point = LIBCRYPTO.derive_point(scalar)
    ciphertext = LIBCRYPTO.load_public(point).encrypt(b"a key of 16 byte")
    handles = (LIBCRYPTO.load_private(scalar, point), GMSSL.load_private(scalar, point))
    for _ in range(FUZZ_CASES):
        mutant = mutate(ciphertext, chance)
        for handle in handles:
            try:
                assert handle.decrypt(mutant) == b"a key of 16 byte"
                assert mutant == ciphertext, mutant.hex()
            except DecryptionFailed:
                assert mutant != ciphertext


@pytest.mark.parametrize("reader", ["spki", "pkcs8", "encrypted", "point", "der_to_raw", "raw_to_der"])
def test_key_readers_given_mutated_octets_raise_only_our_errors(reader: str) -> None:
    chance = random.Random(reader)
    key = sm2.PrivateKey.from_scalar(0x1234567890ABCDEF)
    cheap = sm2.pkcs8.Protection(iterations=1, salt=bytes(8), iv=bytes(16))
    seeds = {
        "spki": (key.public_key.spki, sm2.PublicKey.from_spki),
        "point": (key.public_key.point, sm2.PublicKey.from_point),
        "pkcs8": (key.to_pkcs8(), sm2.PrivateKey.from_pkcs8),
        "encrypted": (key.to_pkcs8(b"p", protection=cheap), lambda o: sm2.PrivateKey.from_pkcs8(o, b"p")),
        "der_to_raw": (sm2.build_signature(N - 1, 1), sm2.der_to_raw),
        "raw_to_der": (bytes(64), sm2.raw_to_der),
    }
    seed, read = seeds[reader]
    assert read(seed) is not None
    for _ in range(FUZZ_CASES):
        mutant = mutate(seed, chance)
        try:
            read(mutant)
        except ShuzhengError as error:
            assert error.detail  # noqa: PT017 - whether one is raised depends on the mutant


def test_sm2_keys_shared_by_threads_sign_and_verify() -> None:
    key = sm2.PrivateKey.generate()

    def work(number: int) -> None:
        message = number.to_bytes(4, "big")
        key.public_key.verify(key.sign(message), message)
        assert key.decrypt(key.public_key.encrypt(message)) == message
        with pytest.raises(ShuzhengError):
            key.public_key.verify(key.sign(message), b"another")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_sm2_key_used_in_two_forked_processes_draws_different_nonces() -> None:
    # Both processes begin with the same memory; the same nonce twice would give the private key away.
    key = sm2.PrivateKey.generate()
    key.sign(b"warm the generator")
    signatures = [key.sign(b"m"), *(sign_in_a_child(key) for _ in range(2))]
    for signature in signatures:
        key.public_key.verify(signature, b"m")
    assert len({sm2.parse_signature(signature)[0] for signature in signatures}) == 3


def sign_in_a_child(key: sm2.PrivateKey) -> bytes:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write_end, key.sign(b"m"))
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        signature = pipe.read()
    os.waitpid(child, 0)
    return signature


def test_sm2_refusals_leave_nothing_in_the_error_queue_of_libcrypto() -> None:
    api = LIBCRYPTO._api  # type: ignore[attr-defined]
    import ctypes

    peek = ctypes.PyDLL(api.path).ERR_peek_error
    peek.restype, peek.argtypes = ctypes.c_ulong, ()
    key = sm2.PrivateKey.generate()
    public = LIBCRYPTO.load_public(key.public_key.point)
    for signature in (b"", b"\x30\x00", sm2.build_signature(1, 1), key.sign(b"another")):
        assert not public.verify(signature, b"message", sm2.DEFAULT_ID)
        assert peek() == 0
    ciphertext = public.encrypt(b"text")
    with pytest.raises(DecryptionFailed):
        key.decrypt(flip(ciphertext, 8 * len(ciphertext) - 1))
    assert peek() == 0
    with pytest.raises(ShuzhengError):
        LIBCRYPTO.load_public(b"\x04" + bytes(64))
    assert peek() == 0
