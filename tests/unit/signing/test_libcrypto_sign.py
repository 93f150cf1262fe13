"""Signing over libcrypto's arithmetic: the standard's own signature, and the nonces that will not do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing import sm2
from signing.curve import N, identity_digest
from signing.engine import load_engine
from signing.engines.encoding import join_signature
from signing.engines.libcrypto import LibcryptoPrivateHandle
from signing.engines.libcrypto_api import SM2_NID, Libcrypto
from signing.engines.libcrypto_sign import Group, SigningNumber, SigningSession
from signing.sm3 import digest_parts
from tests.unit.signing.test_libcrypto_objects import libcrypto
from tests.unit.signing.test_sm2_vectors import NONCE, SCALAR, R, S
from tests.vectors.sm2 import by_hand

KEY = sm2.PrivateKey.from_scalar(SCALAR)


class Told(Libcrypto):
    """A libcrypto whose nonces are told beforehand."""

    def __init__(self, path: str) -> None:
        self.nonces: list[int] = []
        super().__init__(path)
        self.BN_priv_rand_range = self._draw

    def _draw(self, number: int, _order: int) -> int:
        assert self.BN_bin2bn(self.nonces.pop(0).to_bytes(32, "big"), 32, number) == number
        return 1


def sign(digest: int, *nonces: int, scalar: int = SCALAR) -> tuple[int, int]:
    """Sign a hash with the first of the nonces that will do; all are to be used."""
    api = Told(libcrypto().path)
    api.nonces.extend(nonces)
    group = Group(api, api.EC_GROUP_new_by_curve_name(SM2_NID))
    session = SigningSession(SigningNumber(group, scalar.to_bytes(32, "big")))
    signature = session.sign(digest.to_bytes(32, "big"))
    assert api.nonces == []
    return sm2.parse_signature(signature)


def abscissa(nonce: int) -> int:
    return by_hand.public_point(nonce)[0]


def test_signature_of_the_standard_is_made() -> None:
    owner = identity_digest(KEY.public_key.point, sm2.DEFAULT_ID)
    digest = int.from_bytes(digest_parts((owner, b"message digest")), "big")
    assert sign(digest, NONCE) == (R, S)


@given(
    scalar=st.one_of(st.integers(1, N - 2), st.sampled_from((1, 2, N - 2))),
    nonce=st.one_of(st.integers(1, N - 1), st.sampled_from((1, N - 1))),
    digest=st.one_of(st.integers(0, 2**256 - 1), st.sampled_from((0, N - 1, N, 2**256 - 1))),
)
def test_signature_is_the_formula_of_the_standard(scalar: int, nonce: int, digest: int) -> None:
    r = (digest + abscissa(nonce)) % N
    s = pow(1 + scalar, -1, N) * (nonce - r * scalar) % N
    assert sign(digest, nonce, scalar=scalar) == (r, s)


@pytest.mark.parametrize(
    "r",
    [0, N - NONCE, NONCE * pow(SCALAR, -1, N) % N],
    ids=["r is zero", "r + k is n", "s is zero"],
)
def test_nonce_that_will_not_do_is_drawn_again(r: int) -> None:
    digest = (r - abscissa(NONCE)) % N
    again = (digest + abscissa(7)) % N
    assert sign(digest, NONCE, 0, 7) == (again, pow(1 + SCALAR, -1, N) * (7 - again * SCALAR) % N)


def test_key_of_libcrypto_is_not_pickled() -> None:
    handle = load_engine("libcrypto").load_private(SCALAR.to_bytes(32, "big"), KEY.public_key.point)
    with pytest.raises(TypeError):
        handle.__reduce__()


edge = st.sampled_from([1, 0x7F, 0x80, 0xFF, 0x100, 2**247, 2**248 - 1, 2**255 - 1, 2**255, N - 1])
numbers = st.integers(1, N - 1) | edge


@given(numbers, numbers)
def test_signature_joined_of_octets_is_the_one_built_of_numbers(r: int, s: int) -> None:
    assert join_signature(r.to_bytes(32, "big"), s.to_bytes(32, "big")) == sm2.build_signature(r, s)


def test_nothing_of_a_signature_is_left_in_the_numbers_that_wait_for_the_next() -> None:
    handle = load_engine("libcrypto").load_private(SCALAR.to_bytes(32, "big"), KEY.public_key.point)
    assert isinstance(handle, LibcryptoPrivateHandle)
    handle.sign(b"message", sm2.DEFAULT_ID)
    (session,) = handle._idle
    secret = (session._nonce, session._sum, session._s)
    assert [session._api.BN_is_zero(each) for each in secret] == [1, 1, 1]
    with ThreadPoolExecutor(4) as pool:
        signatures = list(pool.map(lambda n: handle.sign(b"%d" % n, sm2.DEFAULT_ID), range(40)))
    for number, signature in enumerate(signatures):
        KEY.public_key.verify(signature, b"%d" % number)
    assert 1 <= len(handle._idle) <= 4
