"""Sign with a device that takes digests: PKCS#11 tokens and GM/T 0018 (SDF) cards.

Such devices do not hash: they are given e = SM3(Z ‖ M) and answer with r ‖ s, each number in a field of its
own. This adapter does what lies between them and a `signing.signer.Signer`: Z and e before, strict DER after.
What the vendor's library calls the function, and under which session and PIN, stays with the caller:

* PKCS#11: `C_SignInit` with the token's mechanism for SM2 over a digest, then `C_Sign(e)`; the answer is 64
  octets.
* SDF: `SDF_InternalSign_ECC(session, key index, e)`; of the `ECCSignature` answered, `r` and `s` are 64
  octets each of which the last 32 count (`from_sdf`).

Source: GB/T 32918.2-2016 6.1 (e), GM/T 0018-2012 5.3 and 6.4 (ECCSignature, internal keys).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from signing import sm3
from signing.curve import FIELD_BYTES, identity_digest
from signing.engines.encoding import raw_to_der
from signing.errors import DecodeError, KeyUnusable, SignatureInvalid
from signing.sm2 import DEFAULT_ID, PublicKey

SDF_FIELD_BYTES: Final = 64
_PROBE: Final = b"shuzheng: is this the key of the certificate?"


@dataclass(frozen=True, slots=True)
class DigestSigner:
    """A `Signer` over a device that signs a digest of 32 octets and answers r ‖ s, 64 octets.

    `sign_digest` may block and may be called from several threads at once; where the device allows one call
    at a time, it takes a lock. What it raises is passed on, so it should raise errors of `signing.errors`.
    On construction one signature is made and verified: a key of another index, a wrong identifier or byte
    order shows then and not in a certificate. Raises KeyUnusable when it does not verify.
    """

    public_key: PublicKey
    sign_digest: Callable[[bytes], bytes] = field(repr=False)

    def __post_init__(self) -> None:
        try:
            self.public_key.verify(self.sign(_PROBE), _PROBE)
        except (DecodeError, SignatureInvalid) as error:
            message = "what the device signs does not verify with this public key"
            raise KeyUnusable(message) from error

    def sign(self, message: bytes) -> bytes:
        """Sign the message itself: DER `SEQUENCE { r, s }` under the default identifier.

        Raises DecodeError when the device answers with anything but 64 octets.
        """
        z = identity_digest(self.public_key.point, DEFAULT_ID)
        return raw_to_der(self.sign_digest(sm3.digest_parts((z, message))))


def from_sdf(r: bytes, s: bytes) -> bytes:
    """Join the two fields of an SDF `ECCSignature`, 64 octets each with leading zeros, into r ‖ s.

    Raises DecodeError when a field has another length or a number does not fit 32 octets.
    """
    for number in (r, s):
        if len(number) != SDF_FIELD_BYTES or any(number[:-FIELD_BYTES]):
            message = (
                f"a number of an SDF signature has {SDF_FIELD_BYTES} octets, the first half of them zero"
            )
            raise DecodeError(message)
    return r[-FIELD_BYTES:] + s[-FIELD_BYTES:]
