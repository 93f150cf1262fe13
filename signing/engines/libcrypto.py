"""SM2 by OpenSSL's libcrypto (3.0 or later) through ctypes.

Rules kept here, each of them a mistake that is easy to make:

* the distinguishing identifier is set on every context, always: the default differs between
  OpenSSL 3 (empty) and 4;
* 1 is success, 0 and negative numbers are failure; after a failure the calling thread's error queue
  is emptied, for Python's own `ssl` looks into the same queue;
* the pkey context given to `EVP_MD_CTX_set_pkey_ctx` stays ours and is freed by us.

An `EVP_PKEY` is shared by all threads; contexts are not, so each call, or each batch, makes its own
(4 µs of 250). Signing is in `signing.engines.libcrypto_sign`.

Source: the OpenSSL 3.0 manual, EVP_SIGNATURE-SM2(7) and EVP_PKEY_fromdata(3).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from signing import curve, sm3
from signing.engines import encoding
from signing.engines.libcrypto_api import (
    SELECT_KEYPAIR,
    SELECT_PUBLIC_KEY,
    SM2_NID,
    UNCOMPRESSED,
    Libcrypto,
    build_key_params,
)
from signing.engines.libcrypto_sign import Group, SigningNumber, SigningSession, refusal
from signing.errors import DecodeError, DecryptionFailed, EngineUnavailable


class LibcryptoEngine:
    """An SM2 engine over one loaded libcrypto."""

    name: Final = "libcrypto"

    def __init__(self, api: Libcrypto) -> None:
        self._api = api
        self._group = Group(api, api.EC_GROUP_new_by_curve_name(SM2_NID))
        if not self._group.order or not api.sm3:
            api.ERR_clear_error()
            message = f"{api.version} was built without SM2 or SM3"
            raise EngineUnavailable(message)

    @property
    def version(self) -> str:
        """What the library calls itself."""
        return self._api.version

    @property
    def path(self) -> str:
        """Where the library was found."""
        return self._api.path

    def derive_point(self, scalar: bytes) -> bytes:
        """Multiply the base point (constant time inside libcrypto)."""
        api, group = self._api, self._group.address
        number = api.BN_bin2bn(scalar, len(scalar), None)
        point = api.EC_POINT_new(group)
        try:
            if not number or not point:
                raise refusal(api, "allocate")
            if api.EC_POINT_mul(group, point, number, None, None, None) != 1:
                raise refusal(api, "multiply a point")
            buffer = ctypes.create_string_buffer(curve.POINT_BYTES)
            size = api.EC_POINT_point2oct(group, point, UNCOMPRESSED, buffer, len(buffer), None)
        finally:
            api.EC_POINT_free(point)
            api.BN_clear_free(number)
        if size != curve.POINT_BYTES:
            raise refusal(api, "write a point")
        return buffer.raw

    def load_public(self, point: bytes) -> LibcryptoPublicHandle:
        """Make an `EVP_PKEY` of a point."""
        return LibcryptoPublicHandle(self._api, _load_key(self._api, point, None))

    def load_private(self, scalar: bytes, point: bytes) -> LibcryptoPrivateHandle:
        """Make an `EVP_PKEY` of a scalar and its point, and the number that signs."""
        key = _load_key(self._api, point, scalar)
        return LibcryptoPrivateHandle(key, SigningNumber(self._group, scalar), point)


class _Key:
    """An owned `EVP_PKEY`."""

    __slots__ = ("_free", "address")

    def __init__(self, address: int, free: Callable[[int], None]) -> None:
        self.address = address
        self._free = free

    def __del__(self) -> None:
        self._free(self.address)

    def __reduce__(self) -> str:
        message = "a key inside libcrypto cannot be pickled"
        raise TypeError(message)


def _load_key(api: Libcrypto, point: bytes, scalar: bytes | None) -> _Key:
    params, owned = build_key_params(point, scalar)
    selection = SELECT_PUBLIC_KEY if scalar is None else SELECT_KEYPAIR
    key = ctypes.c_void_p()
    context = api.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
    try:
        if not context or api.EVP_PKEY_fromdata_init(context) != 1:
            raise refusal(api, "prepare an SM2 key")
        if api.EVP_PKEY_fromdata(context, ctypes.byref(key), selection, params) != 1 or not key.value:
            raise refusal(api, "load an SM2 key")
    finally:
        api.EVP_PKEY_CTX_free(context)
        if scalar is not None:
            ctypes.memset(owned[-1], 0, len(owned[-1]))
    return _Key(key.value, api.EVP_PKEY_free)


class _Session:
    """A digest context and a pkey context bound to one key: used by one thread, for one batch."""

    __slots__ = ("_api", "_digest", "_identity", "_key", "_pkey")

    def __init__(self, api: Libcrypto, key: _Key, identity: bytes) -> None:
        self._api, self._key, self._identity = api, key, identity
        self._digest = api.EVP_MD_CTX_new()
        self._pkey = api.EVP_PKEY_CTX_new(key.address, None)
        if self._digest and self._pkey:
            api.EVP_MD_CTX_set_pkey_ctx(self._digest, self._pkey)

    def __enter__(self) -> _Session:
        if not (self._digest and self._pkey):
            self._free()
            raise refusal(self._api, "allocate")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free()

    def _free(self) -> None:
        self._api.EVP_MD_CTX_free(self._digest)
        self._api.EVP_PKEY_CTX_free(self._pkey)

    def _set_identity(self) -> None:
        """Set the identifier; only possible between an Init and the first data (OpenSSL 3.0)."""
        if self._api.EVP_PKEY_CTX_set1_id(self._pkey, self._identity, len(self._identity)) != 1:
            raise refusal(self._api, "set the distinguishing identifier")

    def verify(self, signature: bytes, message: bytes) -> bool:
        api = self._api
        if api.EVP_DigestVerifyInit(self._digest, None, api.sm3, None, self._key.address) != 1:
            raise refusal(api, "begin to verify")
        self._set_identity()
        if api.EVP_DigestVerify(self._digest, signature, len(signature), message, len(message)) == 1:
            return True
        api.ERR_clear_error()
        return False


class LibcryptoPublicHandle:
    """A public key as an `EVP_PKEY`."""

    __slots__ = ("_api", "_key")

    def __init__(self, api: Libcrypto, key: _Key) -> None:
        self._api = api
        self._key = key

    def verify(self, signature: bytes, message: bytes, identity: bytes) -> bool:
        """Tell whether the signature is good (libcrypto is strict about its DER)."""
        with _Session(self._api, self._key, identity) as session:
            return session.verify(signature, message)

    def verify_many(self, pairs: Iterable[tuple[bytes, bytes]], identity: bytes) -> list[bool]:
        """Judge (signature, message) pairs with one pair of contexts."""
        with _Session(self._api, self._key, identity) as session:
            return [session.verify(signature, message) for signature, message in pairs]

    def encrypt(self, plaintext: bytes) -> bytes:
        """Encrypt; tried again in the rare case that the key stream left the text as it was.

        GB/T 32918.4 6.1 A5 demands a key stream that is not all zero; libcrypto 3.0 does not look.
        """
        while True:
            with _cipher_context(self._api, self._key, self._api.EVP_PKEY_encrypt_init) as context:
                ciphertext = _run_cipher(self._api.EVP_PKEY_encrypt, context, plaintext)
            if ciphertext is None:
                raise refusal(self._api, "encrypt")
            if encoding.parse_ciphertext(ciphertext).masked != plaintext:
                return ciphertext


class LibcryptoPrivateHandle:
    """A private key as an `EVP_PKEY`, and as the number that signs."""

    __slots__ = ("_api", "_idle", "_key", "_number", "_point")

    def __init__(self, key: _Key, number: SigningNumber, point: bytes) -> None:
        self._api = number.group.api
        self._key = key
        self._number = number
        self._point = point
        self._idle: list[SigningSession] = []  # as many as threads have signed at once

    def __reduce__(self) -> str:
        message = "a private key cannot be pickled"
        raise TypeError(message)

    def sign(self, message: bytes, identity: bytes) -> bytes:
        """Sign; the nonce comes from libcrypto's generator, which notices a fork."""
        return self.sign_many((message,), identity)[0]

    def sign_many(self, messages: Iterable[bytes], identity: bytes) -> list[bytes]:
        """Sign each message with one set of numbers."""
        owner = curve.identity_digest(self._point, identity)
        try:
            session = self._idle.pop()
        except IndexError:
            session = SigningSession(self._number)
        try:
            return [session.sign(sm3.digest_parts((owner, message))) for message in messages]
        finally:
            session.wipe()
            self._idle.append(session)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Decrypt; raise DecryptionFailed. libcrypto's DER reader is lenient, so ours goes first."""
        try:
            parts = encoding.parse_ciphertext(ciphertext)
        except DecodeError:
            raise DecryptionFailed from None
        with _cipher_context(self._api, self._key, self._api.EVP_PKEY_decrypt_init) as context:
            plaintext = _run_cipher(self._api.EVP_PKEY_decrypt, context, ciphertext)
        if plaintext is None or plaintext == parts.masked:
            self._api.ERR_clear_error()
            raise DecryptionFailed
        return plaintext


@contextmanager
def _cipher_context(api: Libcrypto, key: _Key, begin: Callable[[int], int]) -> Iterator[int]:
    context = api.EVP_PKEY_CTX_new(key.address, None)
    try:
        if not context or begin(context) != 1:
            raise refusal(api, "begin to encrypt or decrypt")
        yield context
    finally:
        api.EVP_PKEY_CTX_free(context)


def _run_cipher(run: Callable[..., int], context: int, data: bytes) -> bytes | None:
    """Ask for the size, then for the octets; None when libcrypto refuses."""
    size = ctypes.c_size_t(0)
    if run(context, None, ctypes.byref(size), data, len(data)) != 1:
        return None
    buffer = ctypes.create_string_buffer(max(size.value, 1))
    if run(context, buffer, ctypes.byref(size), data, len(data)) != 1:
        return None
    return buffer.raw[: size.value]
