"""Private keys as octets: PKCS#8, plain or encrypted.

Written: PBES2 with SM4-CBC and PBKDF2-HMAC-SM3. Three object identifiers are in use for that PRF's
place, and no reader knows them all, so `Prf` lets the writer choose; every one of them is read.

Source: RFC 5208 (PKCS#8), RFC 5915 (ECPrivateKey), RFC 8018 (PBES2), GM/T 0091-2020 (HMAC-SM3 as PRF).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from signing import der, oids, sm4
from signing.curve import COMPRESSED_POINT_BYTES, FIELD_BYTES, POINT_BYTES
from signing.errors import DecodeError, DecryptionFailed, KeyUnusable

SALT_BYTES: Final = 16
DEFAULT_ITERATIONS: Final = 100_000
MAX_ITERATIONS: Final = 2_000_000
MAX_SALT_BYTES: Final = 1024

_HMAC_ARC: Final = "1.2.840.113549.2"
_ALGORITHM: Final = der.sequence(der.oid(oids.EC_PUBLIC_KEY), der.oid(oids.SM2_CURVE))
_SPKI_HEAD: Final = der.sequence(_ALGORITHM, der.bit_string(bytes(POINT_BYTES)))[:-POINT_BYTES]
_COMPRESSED_HEAD: Final = der.sequence(_ALGORITHM, der.bit_string(bytes(COMPRESSED_POINT_BYTES)))[
    :-COMPRESSED_POINT_BYTES
]


class Prf(StrEnum):
    """The pseudo-random function that stretches a password."""

    HMAC_SM3 = "hmac-sm3"
    """1.2.156.10197.1.401.3.1 (GM/T 0091-2020): read by OpenSSL 3.2 and later."""
    HMAC_SM3_KEYED = "hmac-sm3-keyed"
    """1.2.156.10197.1.401.2, the same function under the older identifier: read by Bouncy Castle and gmsm."""
    HMAC_SHA256 = "hmac-sha256"
    """Read by everything, OpenSSL 3.0 included, which knows no HMAC-SM3 here."""


_WRITTEN: Final = {
    Prf.HMAC_SM3: "1.2.156.10197.1.401.3.1",
    Prf.HMAC_SM3_KEYED: oids.HMAC_SM3,
    Prf.HMAC_SHA256: f"{_HMAC_ARC}.9",
}
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    _WRITTEN[Prf.HMAC_SM3]: hashes.SM3(),
    oids.HMAC_SM3: hashes.SM3(),
    oids.SM3: hashes.SM3(),
    f"{_HMAC_ARC}.7": hashes.SHA1(),  # noqa: S303 - PBKDF2's default in RFC 8018, read only
    f"{_HMAC_ARC}.8": hashes.SHA224(),
    f"{_HMAC_ARC}.9": hashes.SHA256(),
    f"{_HMAC_ARC}.10": hashes.SHA384(),
    f"{_HMAC_ARC}.11": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How a private key is encrypted; salt and initialisation vector must be fresh each time."""

    prf: Prf = Prf.HMAC_SM3
    iterations: int = DEFAULT_ITERATIONS
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(SALT_BYTES))
    iv: bytes = field(default_factory=lambda: secrets.token_bytes(sm4.BLOCK_BYTES))


# --------------------------------------------------------------------------------------- public keys


def build_spki(point: bytes) -> bytes:
    """Write a SubjectPublicKeyInfo: id-ecPublicKey on the SM2 curve, uncompressed point."""
    return _SPKI_HEAD + point


def parse_spki(spki: bytes) -> bytes:
    """Return the point's octets of a SubjectPublicKeyInfo; they are not checked yet.

    DER leaves exactly one way to write each of the two forms, so the head is compared, not parsed.
    """
    for head, size in ((_SPKI_HEAD, POINT_BYTES), (_COMPRESSED_HEAD, COMPRESSED_POINT_BYTES)):
        if spki.startswith(head) and len(spki) == len(head) + size:
            return spki[len(head) :]
    message = "not a SubjectPublicKeyInfo of an SM2 key (id-ecPublicKey on curve 1.2.156.10197.1.301)"
    raise DecodeError(message)


# -------------------------------------------------------------------------------------- private keys


def build_private_key(scalar: bytes, point: bytes) -> bytes:
    """Write a PrivateKeyInfo that holds the scalar (32 octets) and the public point."""
    key = der.sequence(der.integer(1), der.octet_string(scalar), der.explicit(1, der.bit_string(point)))
    return der.sequence(der.integer(0), _ALGORITHM, der.octet_string(key))


def parse_private_key(pkcs8: bytes) -> tuple[int, bytes | None]:
    """Read a PrivateKeyInfo: the scalar, and the public point's octets if it carries them.

    Neither is checked against the curve here. Raises DecodeError.
    """
    info = der.parse_der(pkcs8).expect(der.Tag.SEQUENCE, "PrivateKeyInfo").reader("PrivateKeyInfo")
    version = der.read_integer(info.take(der.Tag.INTEGER, "version"))
    algorithm = info.take(der.Tag.SEQUENCE, "privateKeyAlgorithm")
    if version not in (0, 1) or algorithm.raw != _ALGORITHM:
        message = "not the PKCS#8 of an SM2 key (id-ecPublicKey on curve 1.2.156.10197.1.301)"
        raise DecodeError(message)
    inner = der.read_octet_string(info.any(), "privateKey")
    info.optional(der.context(0))  # attributes
    info.optional(der.context(1), der.context(1, constructed=False))  # publicKey of RFC 5958
    info.finish()
    return parse_ec_private_key(inner)


def parse_ec_private_key(octets: bytes) -> tuple[int, bytes | None]:
    """Read an ECPrivateKey (RFC 5915). Scalars with more or fewer leading zeros than 32 octets are read."""
    key = der.parse_der(octets).expect(der.Tag.SEQUENCE, "ECPrivateKey").reader("ECPrivateKey")
    version = der.read_integer(key.take(der.Tag.INTEGER, "version"))
    scalar = der.read_octet_string(key.any(), "privateKey")
    parameters = key.optional(der.context(0))
    public = key.optional(der.context(1))
    key.finish()
    if version != 1 or not 1 <= len(scalar) <= FIELD_BYTES + 1:
        message = "ECPrivateKey: version 1 and a private key of 32 octets are expected"
        raise DecodeError(message)
    if parameters is not None and der.read_oid(parameters.only_child("parameters")) != oids.SM2_CURVE:
        message = "ECPrivateKey: the key belongs to another curve"
        raise DecodeError(message)
    point = None if public is None else der.read_bit_string(public.only_child("publicKey"), "publicKey")
    return int.from_bytes(scalar, "big"), point


# ---------------------------------------------------------------------------------------- encryption


def encrypt_private_key(pkcs8: bytes, password: bytes, protection: Protection | None = None) -> bytes:
    """Wrap a PrivateKeyInfo into an EncryptedPrivateKeyInfo: PBES2, PBKDF2, SM4-CBC."""
    if not password:
        message = "a password of at least one octet is needed to encrypt a private key"
        raise KeyUnusable(message)
    how = protection or Protection()
    kdf = der.sequence(
        der.octet_string(how.salt),
        der.integer(how.iterations),
        der.integer(sm4.KEY_BYTES),
        der.sequence(der.oid(_WRITTEN[how.prf]), der.null()),
    )
    scheme = der.sequence(
        der.oid(oids.PBES2),
        der.sequence(
            der.sequence(der.oid(oids.PBKDF2), kdf),
            der.sequence(der.oid(oids.SM4_CBC), der.octet_string(how.iv)),
        ),
    )
    key = _stretch(_HASHES[_WRITTEN[how.prf]], password, how.salt, how.iterations)
    return der.sequence(scheme, der.octet_string(sm4.encrypt_cbc(key, how.iv, pkcs8)))


def decrypt_private_key(encrypted: bytes, password: bytes) -> bytes:
    """Unwrap an EncryptedPrivateKeyInfo; raise KeyUnusable for a wrong password, DecodeError for others."""
    outer = der.parse_der(encrypted).expect(der.Tag.SEQUENCE, "EncryptedPrivateKeyInfo")
    fields = outer.reader("EncryptedPrivateKeyInfo")
    parameters = _open_algorithm(fields.any(), oids.PBES2, "encryptionAlgorithm").reader("PBES2-params")
    ciphertext = der.read_octet_string(fields.last(), "encryptedData")
    kdf = _open_algorithm(parameters.any(), oids.PBKDF2, "keyDerivationFunc")
    iv = der.read_octet_string(_open_algorithm(parameters.last(), oids.SM4_CBC, "encryptionScheme"), "iv")
    key = _derive_key(kdf, password)
    try:
        return sm4.decrypt_cbc(key, iv, ciphertext)
    except DecryptionFailed:
        raise wrong_password() from None


def is_encrypted(pkcs8: bytes) -> bool:
    """Tell an EncryptedPrivateKeyInfo (SEQUENCE first) from a PrivateKeyInfo (INTEGER first)."""
    outer = der.parse_der(pkcs8)
    return outer.tag == der.Tag.SEQUENCE and outer.reader("PKCS#8").peek() == der.Tag.SEQUENCE


def wrong_password() -> KeyUnusable:
    """Return the one error for every way in which a wrong password shows."""
    return KeyUnusable("the private key does not open with this password")


def _open_algorithm(node: der.Node, expected: str, what: str) -> der.Node:
    """Return the parameters of an AlgorithmIdentifier that must name `expected`."""
    fields = node.expect(der.Tag.SEQUENCE, what).reader(what)
    found = der.read_oid(fields.any(), what)
    if found != expected:
        message = f"{what} {found} is not supported; encrypt the key with PBES2, PBKDF2 and SM4-CBC"
        raise KeyUnusable(message)
    return fields.last()


def _derive_key(kdf: der.Node, password: bytes) -> bytes:
    fields = kdf.expect(der.Tag.SEQUENCE, "PBKDF2-params").reader("PBKDF2-params")
    salt = der.read_octet_string(fields.any(), "salt")
    iterations = der.read_integer(fields.any(), "iterationCount", max_bytes=8)
    if fields.peek() == der.Tag.INTEGER and der.read_integer(fields.any(), "keyLength") != sm4.KEY_BYTES:
        message = "PBKDF2-params: SM4 takes a key of 16 octets"
        raise DecodeError(message)
    algorithm = _read_prf(fields.any()) if fields.remaining else _HASHES[f"{_HMAC_ARC}.7"]
    fields.finish()
    if not 1 <= iterations <= MAX_ITERATIONS or len(salt) > MAX_SALT_BYTES:
        message = f"PBKDF2-params: 1 to {MAX_ITERATIONS} iterations and a short salt are accepted"
        raise DecodeError(message)
    return _stretch(algorithm, password, salt, iterations)


def _read_prf(node: der.Node) -> hashes.HashAlgorithm:
    fields = node.expect(der.Tag.SEQUENCE, "prf").reader("prf")
    dotted = der.read_oid(fields.any(), "prf")
    if fields.remaining:
        der.read_null(fields.last(), "prf parameters")
    algorithm = _HASHES.get(dotted)
    if algorithm is None:
        message = f"prf {dotted} is not supported; use HMAC with SM3 or SHA-2"
        raise KeyUnusable(message)
    return algorithm


def _stretch(algorithm: hashes.HashAlgorithm, password: bytes, salt: bytes, iterations: int) -> bytes:
    kdf = PBKDF2HMAC(algorithm=algorithm, length=sm4.KEY_BYTES, salt=salt, iterations=iterations)
    return kdf.derive(password)
