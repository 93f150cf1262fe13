"""Trust in a receipt's signer by his certificate, so that a receipt verifies with the CA certificate alone.

The rules for certificate paths are not here: `verify_path` is handed in, with its roots, revocation lists and
policy already bound, and raises where the path must not be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from signing.errors import DecodeError, EvidenceRefused, KeyUnusable, SignatureInvalid
from signing.merkle.errors import ReceiptRefused
from signing.merkle.receipt_format import Receipt
from signing.merkle.receipts import build_key_id
from signing.sm2 import PublicKey
from signing.x509.certificate import Certificate

VerifyPath = Callable[[Certificate, Sequence[Certificate], datetime], object]
MaySign = Callable[[Certificate], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedPath:
    """Trust in whoever holds a certificate under trusted roots and is one of those who may sign receipts.

    `verify_path(certificate, intermediates, at)` raises an error of `signing` for a path that does not hold.
    `may_sign` picks the certificates whose holders vouch for batches (by name, say): under one CA there are
    certificates for many purposes. `at` is when the path must hold; without it, when the receipt was signed.
    A thief of the key can date receipts back: whoever fears that gives `at`.
    """

    verify_path: VerifyPath
    may_sign: MaySign
    at: datetime | None = None

    def find_key(self, receipt: Receipt, /) -> PublicKey:
        """Return the key of the receipt's first certificate, once it is the named one and its path holds."""
        if not receipt.certificates:
            message = "The receipt carries no certificate; verify it with the signer's public key."
            raise ReceiptRefused(message)
        try:
            signer, *intermediates = map(Certificate.parse, receipt.certificates)
            key = signer.require_key()
            if build_key_id(key) != receipt.head.key_id or not self.may_sign(signer):
                message = "The receipt's certificate is not that of a signer of receipts and of its key."
                raise ReceiptRefused(message)
            self.verify_path(signer, intermediates, self.at or receipt.head.signed_at)
        except (DecodeError, KeyUnusable, SignatureInvalid) as error:
            message = "The certificates of the receipt cannot be read, or do not belong together."
            raise ReceiptRefused(message) from error
        except ReceiptRefused:
            raise
        except EvidenceRefused as error:
            message = f"The certificate of the receipt's signer is not trusted: {error.detail}"
            raise ReceiptRefused(message) from error
        return key
