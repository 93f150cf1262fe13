"""SM2 keys: sign, verify, encrypt, decrypt.

Keys are immutable values that threads may share. Which implementation does the work is
`signing.engine`'s affair. Signatures are strict DER `SEQUENCE { r, s }` over SM3(Z ‖ message); the
distinguishing identifier is always explicit, `1234567812345678` unless the caller says otherwise.

Source: GB/T 32918.2-2016 (signatures), GB/T 32918.4-2016 (encryption), GB/T 35276-2017 (formats),
GM/T 0009-2012 clause 10 (default identifier).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, final

from signing import pkcs8
from signing.curve import FIELD_BYTES, N, parse_point, require_identity
from signing.engine import active_engine
from signing.engines.encoding import build_signature, der_to_raw, parse_signature, raw_to_der
from signing.engines.protocol import PrivateHandle, PublicHandle
from signing.errors import DecodeError, EncodeError, FieldError, KeyUnusable, SignatureInvalid

__all__ = (
    "DEFAULT_ID",
    "PrivateKey",
    "PublicKey",
    "build_signature",
    "der_to_raw",
    "parse_signature",
    "raw_to_der",
)

DEFAULT_ID: Final = b"1234567812345678"


@final
@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: `point` is 04 ‖ x ‖ y, 65 octets, known to lie on the curve.

    Equal points are equal keys. Building one from a bad point raises KeyUnusable.
    """

    point: bytes
    _handle: PublicHandle | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "point", parse_point(self.point))

    def __repr__(self) -> str:
        return f"PublicKey({self.point.hex()})"

    def __reduce__(self) -> tuple[type[PublicKey], tuple[bytes]]:
        return PublicKey, (self.point,)

    @classmethod
    def from_point(cls, octets: bytes) -> PublicKey:
        """Take 65 octets (04, x, y) or 33 (02 or 03, x); raise KeyUnusable for anything else."""
        return cls(octets)

    @classmethod
    def from_spki(cls, der: bytes) -> PublicKey:
        """Read a DER SubjectPublicKeyInfo; raise DecodeError, or KeyUnusable for a bad point."""
        return cls(pkcs8.parse_spki(der))

    @property
    def spki(self) -> bytes:
        """The DER SubjectPublicKeyInfo."""
        return pkcs8.build_spki(self.point)

    def verify(self, signature: bytes, message: bytes, *, id: bytes = DEFAULT_ID) -> None:  # noqa: A002
        """Return if the DER signature is this key's over `message`; raise SignatureInvalid if not.

        A malformed signature (BER, raw r ‖ s, trailing octets, r or s out of range) is an invalid one.
        """
        require_identity(id)
        if not self._engine_handle().verify(signature, message, id):
            raise SignatureInvalid(_INVALID)

    def verify_many(self, pairs: Iterable[tuple[bytes, bytes]], *, id: bytes = DEFAULT_ID) -> None:  # noqa: A002
        """Verify (signature, message) pairs; raise one SignatureInvalid that points at every bad one."""
        verdicts = self.assess_many(pairs, id=id)
        bad = [index for index, good in enumerate(verdicts) if not good]
        if bad:
            message = f"{len(bad)} of {len(verdicts)} SM2 signatures do not verify"
            errors = tuple(
                FieldError(pointer=f"/{index}", code=SignatureInvalid.code, detail=_INVALID) for index in bad
            )
            raise SignatureInvalid(message, errors=errors)

    def assess_many(self, pairs: Iterable[tuple[bytes, bytes]], *, id: bytes = DEFAULT_ID) -> list[bool]:  # noqa: A002
        """Judge (signature, message) pairs, in order; bad signatures do not raise."""
        require_identity(id)
        return self._engine_handle().verify_many(pairs, id)

    def encrypt(self, plaintext: bytes) -> bytes:
        """Encrypt to the holder of the private key: DER SM2Cipher, C1C3C2. Meant for keys, not files."""
        if not plaintext:
            message = "SM2 encrypts at least one octet"
            raise EncodeError(message)
        return self._engine_handle().encrypt(plaintext)

    def _engine_handle(self) -> PublicHandle:
        # Two threads may both build a handle; either is good, and the loser's is freed with its owner.
        handle = self._handle
        if handle is None:
            handle = active_engine().load_public(self.point)
            object.__setattr__(self, "_handle", handle)
        return handle


@final
class PrivateKey:
    """A private key with its public half. It satisfies `signing.signer.Signer`.

    It shows its public half only: not in repr, not in errors, not in a pickle does the scalar appear.
    """

    __slots__ = ("_handle", "_public_key", "_scalar")

    def __init__(self, scalar: int) -> None:
        """Take a scalar in [1, n-2]; prefer the named constructors. Raises KeyUnusable."""
        if not 1 <= scalar <= N - 2:
            message = "an SM2 private key lies between 1 and the group order minus 2"
            raise KeyUnusable(message)
        engine = active_engine()
        self._scalar: Final = scalar.to_bytes(FIELD_BYTES, "big")
        self._public_key: Final = PublicKey(engine.derive_point(self._scalar))
        self._handle: Final[PrivateHandle] = engine.load_private(self._scalar, self._public_key.point)

    @classmethod
    def generate(cls) -> PrivateKey:
        """Draw a new key from the operating system's generator."""
        return cls(1 + secrets.randbelow(N - 2))

    @classmethod
    def from_scalar(cls, scalar: int) -> PrivateKey:
        """Take a number in [1, n-2]; raise KeyUnusable otherwise."""
        return cls(scalar)

    @classmethod
    def from_pkcs8(cls, der: bytes, password: bytes | None = None) -> PrivateKey:
        """Read DER PKCS#8, encrypted or not.

        Raises DecodeError for octets that are no PKCS#8 of an SM2 key; KeyUnusable for a missing or wrong
        password, an unsupported encryption, a scalar out of range, or a public half that does not belong.
        """
        if not pkcs8.is_encrypted(der):
            return cls._from_plain(der)
        if password is None:
            message = "the private key is encrypted and needs its password"
            raise KeyUnusable(message)
        plain = pkcs8.decrypt_private_key(der, password)
        try:
            return cls._from_plain(plain)
        except DecodeError:
            # One wrong password in some 256 leaves padding that looks right.
            raise pkcs8.wrong_password() from None

    @classmethod
    def _from_plain(cls, der: bytes) -> PrivateKey:
        scalar, point = pkcs8.parse_private_key(der)
        key = cls(scalar)
        if point is not None and parse_point(point) != key.public_key.point:
            message = "the public key stored beside the private key belongs to another one"
            raise KeyUnusable(message)
        return key

    def to_pkcs8(self, password: bytes | None = None, *, protection: pkcs8.Protection | None = None) -> bytes:
        """Write DER PKCS#8: plain without a password, else PBES2 with SM4-CBC and PBKDF2-HMAC-SM3.

        OpenSSL reads HMAC-SM3 here from 3.2 on; for older ones give
        `Protection(prf=Prf.HMAC_SHA256)`.
        """
        plain = pkcs8.build_private_key(self._scalar, self._public_key.point)
        return plain if password is None else pkcs8.encrypt_private_key(plain, password, protection)

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public_key

    def sign(self, message: bytes, *, id: bytes = DEFAULT_ID) -> bytes:  # noqa: A002
        """Sign the message itself (not its hash): DER `SEQUENCE { r, s }`, different each time."""
        require_identity(id)
        return self._handle.sign(message, id)

    def sign_many(self, messages: Iterable[bytes], *, id: bytes = DEFAULT_ID) -> list[bytes]:  # noqa: A002
        """Sign each message, in order, with the set-up done once."""
        require_identity(id)
        return self._handle.sign_many(messages, id)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Open a DER SM2Cipher; raise DecryptionFailed, in the same words, whatever is wrong with it."""
        return self._handle.decrypt(ciphertext)

    def __repr__(self) -> str:
        return f"<PrivateKey of {self._public_key!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self._public_key == other._public_key

    def __hash__(self) -> int:
        return hash((PrivateKey, self._public_key))

    def __copy__(self) -> PrivateKey:
        return self

    def __deepcopy__(self, memo: object) -> PrivateKey:
        return self

    def __reduce__(self) -> str:
        message = "a private key cannot be pickled; hand over to_pkcs8(password) instead"
        raise TypeError(message)


_INVALID: Final = "the SM2 signature does not verify with this key over these octets"
