"""Errors of the Merkle sub-package.

EvidenceRefused
├── ProofRefused          an inclusion or consistency proof that does not hold
├── CheckpointRefused     a signed tree head that must not be trusted
└── ReceiptRefused        a receipt that does not vouch for what it was shown with
"""

from __future__ import annotations

from signing.errors import EvidenceRefused, SigningError


class ProofRefused(EvidenceRefused):
    """An inclusion or consistency proof that does not lead to the given root."""

    code = "SIGNING-PROOF-REFUSED"
    title = "Proof refused"


class CheckpointRefused(EvidenceRefused):
    """A checkpoint without a valid signature of a trusted key, or of another log."""

    code = "SIGNING-CHECKPOINT-REFUSED"
    title = "Checkpoint refused"


class ReceiptRefused(EvidenceRefused):
    """A receipt that does not vouch for the payload, or whose signer is not trusted."""

    code = "SIGNING-RECEIPT-REFUSED"
    title = "Receipt refused"


class TreeRangeError(SigningError):
    """A leaf index or tree size outside the tree: the caller asked for what cannot exist."""

    code = "SIGNING-TREE-RANGE"
    title = "Outside the tree"
