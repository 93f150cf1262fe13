"""SM2 signatures over libcrypto's curve arithmetic: what `EVP_DigestSign` does, with less to do for each.

`(1 + d)⁻¹` belongs to the key and is computed once, where `EVP_DigestSign` computes it for every signature,
and with it s = (1 + d)⁻¹ · (k - r·d) is (1 + d)⁻¹ · (k + r) - r: one product, and d itself is not touched
again. That is a twentieth of a signature; the rest is the multiple of the base point.

Secret numbers never leave libcrypto's BIGNUMs, which are wiped when they are given back. The nonce comes
from its private generator (which notices a fork), the multiple from its constant-time ladder, the inverse
from its constant-time power (Fermat's, to the public exponent n - 2), the product from the function with
which libcrypto's own SM2 multiplies.

Source: GB/T 32918.2-2016 6.1 (A3 to A6); the OpenSSL 3.0 manual, BN_rand(3), EC_POINT_add(3).
"""

from __future__ import annotations

import ctypes
from typing import Final

from signing.curve import FIELD_BYTES, N
from signing.engines import encoding
from signing.engines.libcrypto_api import Libcrypto
from signing.errors import SigningError


class Group:
    """The curve inside libcrypto, and its order; shared by threads, freed with its last user."""

    __slots__ = ("address", "api", "order")

    def __init__(self, api: Libcrypto, address: int) -> None:
        self.api = api
        self.address = address
        self.order: Final[int | None] = api.EC_GROUP_get0_order(address)

    def __del__(self) -> None:
        self.api.EC_GROUP_free(self.address)


class SigningNumber:
    """The number `(1 + d)⁻¹` of one key, which threads may share."""

    __slots__ = ("address", "group")

    def __init__(self, group: Group, scalar: bytes) -> None:
        """Take d in [1, n-2], 32 octets. Raises SigningError where libcrypto refuses."""
        api = group.api
        self.group = group
        self.address: int | None = None
        number = api.BN_bin2bn(scalar, len(scalar), None)
        exponent = api.BN_bin2bn((N - 2).to_bytes(FIELD_BYTES, "big"), FIELD_BYTES, None)
        inverse, context = api.BN_new(), api.BN_CTX_new()
        try:
            if not (number and exponent and inverse and context):
                raise refusal(api, "allocate")
            done = api.BN_add_word(number, 1) == 1 and (
                api.BN_mod_exp_mont_consttime(inverse, number, exponent, group.order, context, None) == 1
            )
            if not done:
                raise refusal(api, "prepare an SM2 key")
            self.address, inverse = inverse, None
        finally:
            for each in (number, exponent, inverse):
                api.BN_clear_free(each)
            api.BN_CTX_free(context)

    def __del__(self) -> None:
        self.group.api.BN_clear_free(self.address)

    def __reduce__(self) -> str:
        message = "a private key cannot be pickled"
        raise TypeError(message)


class SigningSession:
    """The numbers that signing works with: used by one thread at a time, and wiped between its uses."""

    __slots__ = ("_api", "_buffer", "_context", "_group", "_key", "_nonce", "_point", "_r", "_s", "_sum")

    def __init__(self, key: SigningNumber) -> None:
        """Raises SigningError where libcrypto has no memory."""
        self._key, self._group = key, key.group
        self._api = api = key.group.api
        self._buffer = ctypes.create_string_buffer(FIELD_BYTES)
        self._context = api.BN_CTX_new()
        self._point = api.EC_POINT_new(self._group.address)
        self._nonce, self._r, self._sum, self._s = (api.BN_new() for _ in range(4))
        if not (self._context and self._point and self._nonce and self._r and self._sum and self._s):
            raise refusal(api, "allocate")

    def __del__(self) -> None:
        for each in (self._nonce, self._r, self._sum, self._s):
            self._api.BN_clear_free(each)
        self._api.EC_POINT_free(self._point)
        self._api.BN_CTX_free(self._context)

    def __reduce__(self) -> str:
        message = "numbers of a private key cannot be pickled"
        raise TypeError(message)

    def wipe(self) -> None:
        """Wipe what the last signature was made of."""
        for each in (self._nonce, self._sum, self._s):
            self._api.BN_clear(each)

    def sign(self, digest: bytes) -> bytes:
        """Sign e = SM3(Z ‖ M), 32 octets, as DER `SEQUENCE { r, s }`. Raises SigningError."""
        while not self._try(digest):
            pass
        return encoding.join_signature(self._read(self._r), self._read(self._s))

    def _try(self, digest: bytes) -> bool:
        """Draw a nonce and compute r and s; False for one of the few nonces that will not do."""
        api, group, order, context = self._api, self._group.address, self._group.order, self._context
        nonce, r, total, s = self._nonce, self._r, self._sum, self._s
        if api.BN_priv_rand_range(nonce, order) != 1:
            raise refusal(api, "draw a nonce")
        if api.BN_is_zero(nonce):
            return False
        done = (
            api.EC_POINT_mul(group, self._point, nonce, None, None, context) == 1
            and api.EC_POINT_get_affine_coordinates(group, self._point, r, None, context) == 1
            and api.BN_bin2bn(digest, len(digest), s)
            and api.BN_mod_add(r, r, s, order, context) == 1
            and api.BN_mod_add(total, nonce, r, order, context) == 1
            and api.BN_mod_mul(s, self._key.address, total, order, context) == 1
            and api.BN_mod_sub(s, s, r, order, context) == 1
        )
        if not done:
            raise refusal(api, "sign")
        return not (api.BN_is_zero(r) or api.BN_is_zero(total) or api.BN_is_zero(s))

    def _read(self, number: int | None) -> bytes:
        if self._api.BN_bn2binpad(number, self._buffer, FIELD_BYTES) != FIELD_BYTES:
            raise refusal(self._api, "sign")
        return self._buffer.raw


def refusal(api: Libcrypto, action: str) -> SigningError:
    """Empty the error queue and say what could not be done; libcrypto's own words stay inside."""
    api.ERR_clear_error()
    return SigningError(f"{api.version} refused to {action}")
