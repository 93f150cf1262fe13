"""SM2 keys of a client: assertions in place of a secret (RFC 7523), and signed requests (RFC 9421).

Nothing here needs the server's packages. The arithmetic of `GmsslKey` is that of the package `gmssl` (extra
`sm2`), whose running time depends on the key; whoever keeps the key in a device or another library implements
`ClientKey` instead.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import Any, Final, Protocol

import httpx

N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_S: Final = 120
ALGORITHM: Final = "sm2-sm3"
TAG: Final = "shuzheng"
_COVERED: Final = (
    "authorization",
    "content-digest",
    "content-type",
    "idempotency-key",
    "shuzheng-service-item",
    "shuzheng-case-number",
    "shuzheng-operator",
    "shuzheng-on-behalf-of",
)


class ClientKey(Protocol):
    """An SM2 key that an administrator registered for this system, under a credential's id."""

    @property
    def credential_id(self) -> str:
        """The credential's id, as the hub gave it."""

    def sign(self, message: bytes) -> bytes:
        """Sign the message itself with SM3 and the default identifier: r ‖ s, 64 octets."""


class GmsslKey:
    """A private key in memory, 64 hexadecimal digits; needs `pip install shuzheng[sm2]`."""

    def __init__(self, credential_id: str, private_key: str) -> None:
        from gmssl.sm2 import CryptSM2  # noqa: PLC0415 - only who signs needs it

        if not 1 <= int(private_key, 16) <= N - 2:
            msg = "an SM2 private key lies between 1 and the group order minus 2"
            raise ValueError(msg)
        self.credential_id = credential_id
        self._sm2 = CryptSM2(private_key=f"{int(private_key, 16):064x}", public_key="")
        # Set afterwards: the constructor takes leading digits 0 and 4 for a prefix.
        self._sm2.public_key = self._sm2._kg(int(private_key, 16), self._sm2.ecc_table["g"])

    def __repr__(self) -> str:
        return f"GmsslKey({self.credential_id!r})"

    def __reduce__(self) -> str:
        msg = "a private key cannot be pickled"
        raise TypeError(msg)

    @property
    def public_point(self) -> bytes:
        """The public key: 04 ‖ x ‖ y, 65 octets."""
        return b"\x04" + bytes.fromhex(self._sm2.public_key)

    def sign(self, message: bytes) -> bytes:
        """Sign under a fresh nonce of the operating system's generator."""
        digest = bytes.fromhex(self._sm2._sm3_z(message))
        signature = None
        while signature is None:
            signature = self._sm2.sign(digest, f"{1 + secrets.randbelow(N - 1):064x}")
        return bytes.fromhex(signature)


def verify_with_gmssl(public_point: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether r ‖ s is a signature of the message by the key 04 ‖ x ‖ y; needs the extra `sm2`."""
    from gmssl.sm2 import CryptSM2  # noqa: PLC0415 - only who verifies needs it

    if len(signature) != 64 or len(public_point) != 65:
        return False
    sm2 = CryptSM2(private_key="", public_key="")
    # Set afterwards: the constructor takes leading digits 0 and 4 for a prefix.
    sm2.public_key = public_point[1:].hex()
    return bool(sm2.verify(signature.hex(), bytes.fromhex(sm2._sm3_z(message))))


def build_assertion(key: ClientKey, *, client_id: str, audience: str) -> str:
    """Make an assertion that is good once, for two minutes."""
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": secrets.token_urlsafe(24),
        "iat": now,
        "exp": now + ASSERTION_LIFE_S,
    }
    signed = f"{_encode({'alg': ALGORITHM, 'typ': 'JWT', 'kid': key.credential_id})}.{_encode(claims)}"
    return f"{signed}.{_base64url(key.sign(signed.encode()))}"


def sign_request(request: httpx.Request, key: ClientKey) -> None:
    """Add Content-Digest (where there is a body), Signature-Input and Signature to a request.

    A body that streams is read into memory here, for its digest, unless the request has a Content-Digest.
    """
    if "Content-Digest" not in request.headers and (body := request.read()):
        request.headers["Content-Digest"] = write_digest(hashlib.sha256(body).digest())
    covered = ["@method", "@target-uri", *(name for name in _COVERED if name in request.headers)]
    names = " ".join(f'"{name}"' for name in covered)
    params = (
        f'({names});created={int(time.time())};nonce="{secrets.token_urlsafe(18)}"'
        f';keyid="{key.credential_id}";alg="{ALGORITHM}";tag="{TAG}"'
    )
    values = {"@method": request.method, "@target-uri": str(request.url)}
    lines = [f'"{name}": {values.get(name) or request.headers[name].strip()}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    request.headers["Signature-Input"] = f"sig1={params}"
    request.headers["Signature"] = f"sig1=:{_base64(key.sign(base.encode('ascii')))}:"


def write_digest(sha256: bytes) -> str:
    """Write the field Content-Digest (RFC 9530) of a body's SHA-256."""
    return f"sha-256=:{_base64(sha256)}:"


def _encode(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
