"""Batch-signed receipts: many items, one SM2 signature, and for each item a receipt that verifies offline.

The items of a batch become leaves of an SM3 tree; only its head is signed. A leaf is the 16-byte salt of the
item followed by the SM3 digest of its payload: the salt keeps the holder of one receipt from guessing his
neighbours' payloads out of the hashes in his proof. The format is described in `receipt_format`.
"""

from __future__ import annotations

import secrets
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Protocol

from signing import sm2, sm3
from signing.canonical_json import JsonValue, build_canonical_json, parse_json
from signing.errors import EncodeError, SignatureInvalid
from signing.merkle.errors import ProofRefused, ReceiptRefused
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import encode_base64
from signing.merkle.proofs import Proof, verify_inclusion
from signing.merkle.receipt_format import RECEIPT_FORMAT, SALT_BYTES, BatchHead, Receipt, parse_receipt
from signing.signer import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """A receipt that holds: this issuer vouched at that time for the payload of this digest."""

    issuer: str
    signed_at: datetime
    signer_key: sm2.PublicKey
    payload_digest: bytes
    index: int
    size: int


class SignerTrust(Protocol):
    """Decides whose signature on a batch counts."""

    def find_key(self, receipt: Receipt, /) -> sm2.PublicKey:
        """Return the trusted key that the receipt's head names, or raise ReceiptRefused."""


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Trust in given public keys, whatever certificates a receipt may carry."""

    keys: tuple[sm2.PublicKey, ...]

    def find_key(self, receipt: Receipt, /) -> sm2.PublicKey:
        """Return the key that the head names, if it is one of ours."""
        for key in self.keys:
            if build_key_id(key) == receipt.head.key_id:
                return key
        message = "The receipt is signed by a key that is not among the trusted ones."
        raise ReceiptRefused(message)


def build_key_id(key: sm2.PublicKey) -> str:
    """Name a key: SM3 of its SubjectPublicKeyInfo, in hex."""
    return sm3.digest(key.spki).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSigner:
    """Signs batches. `certificates` (DER, the signer's first) are put into every receipt.

    `clock` gives the aware time of each signature; `random_bytes` the salts. May be used by several threads.
    """

    signer: Signer
    issuer: str
    clock: Callable[[], datetime]
    certificates: tuple[bytes, ...] = ()
    random_bytes: Callable[[int], bytes] = field(default=secrets.token_bytes)

    def sign(self, payloads: Sequence[bytes]) -> SignedBatch:
        """Sign a batch of at least one payload; each payload is vouched for as these very bytes."""
        if not payloads:
            message = "A batch has at least one item."
            raise EncodeError(message)
        suite = HashSuite.SM3
        salts = self.random_bytes(SALT_BYTES * len(payloads))
        digests = list(map(suite.digest, payloads))
        entries = [salts[SALT_BYTES * n : SALT_BYTES * (n + 1)] + digest for n, digest in enumerate(digests)]
        levels = _build_levels(suite, list(map(suite.leaf_hash, entries)))
        head = BatchHead(
            issuer=self.issuer,
            key_id=build_key_id(self.signer.public_key),
            root=levels[-1][0],
            signed_at=self.clock(),
            size=len(payloads),
        )
        signature = sm2.der_to_raw(self.signer.sign(head.message))
        return SignedBatch(
            head=head, signature=signature, certificates=self.certificates, entries=entries, levels=levels
        )

    def sign_json(self, payloads: Sequence[object]) -> SignedBatch:
        """Sign a batch of JSON values, each as its canonical form."""
        return self.sign(list(map(build_canonical_json, payloads)))


class SignedBatch:
    """A signed batch, from which receipts are written when asked for (a few microseconds each)."""

    __slots__ = ("_entries", "_levels", "_pieces", "certificates", "head", "signature")

    def __init__(
        self,
        *,
        head: BatchHead,
        signature: bytes,
        certificates: tuple[bytes, ...],
        entries: list[bytes],
        levels: list[list[bytes]],
    ) -> None:
        self.head = head
        self.signature = signature
        self.certificates = certificates
        self._entries = entries
        self._levels = levels
        self._pieces = self._build_shared_pieces()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[bytes]:
        return map(self.receipt, range(len(self)))

    def proof(self, index: int) -> Proof:
        """Build the inclusion proof of one item."""
        proof = []
        for level in self._levels:
            sibling = index ^ 1
            if sibling < len(level):
                proof.append(level[sibling])
            index >>= 1
        return tuple(proof)

    def receipt(self, index: int, *, payload: bytes | None = None) -> bytes:
        """Write the receipt of one item as canonical JSON.

        `payload` is embedded where given: the item's canonical JSON, the same bytes that were signed. Raises
        IndexError for an item that is not in the batch, EncodeError for a payload that is not the item's.
        """
        if not 0 <= index < len(self._entries):
            raise IndexError(index)
        entry = self._entries[index]
        embedded = b"" if payload is None else self._embed(entry, payload)
        before, after = self._pieces
        proof = b2a_base64(b"".join(self.proof(index)), newline=False)
        digest = b2a_base64(entry[SALT_BYTES:], newline=False)
        salt = b2a_base64(entry[:SALT_BYTES], newline=False)
        return b'%b%d,%b"payload_digest":"%b","proof":"%b","salt":"%b"%b' % (
            before, index, embedded, digest, proof, salt, after,
        )  # fmt: skip

    def _embed(self, entry: bytes, payload: bytes) -> bytes:
        if HashSuite.SM3.digest(payload) != entry[SALT_BYTES:]:
            message = "This payload is not the one that was signed at this place of the batch."
            raise EncodeError(message)
        if build_canonical_json(parse_json(payload)) != payload:
            message = "Only a payload in canonical JSON can be embedded in its receipt."
            raise EncodeError(message)
        return b'"payload":%b,' % payload

    def _build_shared_pieces(self) -> tuple[bytes, bytes]:
        """Write what all receipts of the batch share: all before the index, and all after the salt."""
        shared: dict[str, JsonValue] = {"format": RECEIPT_FORMAT, "head": self.head.json}
        if self.certificates:
            shared["certificates"] = [encode_base64(each) for each in self.certificates]
        before = build_canonical_json(shared).removesuffix(b"}") + b',"index":'
        return before, b',"signature":"%b"}' % b2a_base64(self.signature, newline=False)


def verify_receipt(data: bytes, *, trust: SignerTrust, payload: bytes | None = None) -> VerifiedReceipt:
    """Check a receipt offline; raise DecodeError if it is malformed, ReceiptRefused if it does not hold.

    1. The payload, embedded or given or both, has the digest of the receipt. Without either, only the digest
    is vouched for, and the caller compares it. 2. Salt and digest are the leaf at `index` of the tree in the
    head. 3. The key that the head names is trusted. 4. That key has signed the head.
    """
    receipt = parse_receipt(data)
    _check_payload(receipt, payload)
    _check_inclusion(receipt)
    key = trust.find_key(receipt)
    if build_key_id(key) != receipt.head.key_id:
        message = "The trusted key is not the one that the receipt names."
        raise ReceiptRefused(message)
    try:
        key.verify(sm2.raw_to_der(receipt.signature), receipt.head.message)
    except SignatureInvalid as error:
        message = "The signature over the head of the receipt's batch does not verify."
        raise ReceiptRefused(message) from error
    return VerifiedReceipt(
        issuer=receipt.head.issuer,
        signed_at=receipt.head.signed_at,
        signer_key=key,
        payload_digest=receipt.payload_digest,
        index=receipt.index,
        size=receipt.head.size,
    )


def _check_payload(receipt: Receipt, payload: bytes | None) -> None:
    for each in (receipt.payload, payload):
        if each is not None and not compare_digest(HashSuite.SM3.digest(each), receipt.payload_digest):
            message = "The payload is not the one that the receipt was given for."
            raise ReceiptRefused(message)


def _check_inclusion(receipt: Receipt) -> None:
    suite = HashSuite.SM3
    try:
        verify_inclusion(
            suite,
            leaf_hash=suite.leaf_hash(receipt.salt + receipt.payload_digest),
            index=receipt.index,
            size=receipt.head.size,
            proof=receipt.proof,
            root=receipt.head.root,
        )
    except ProofRefused as error:
        message = "The proof of the receipt does not lead to the signed head of its batch."
        raise ReceiptRefused(message) from error


def _build_levels(suite: HashSuite, level: list[bytes]) -> list[list[bytes]]:
    """Hash leaves up to the root, level by level.

    The odd node at the end of a level is carried up as it is. That gives RFC 9162's tree, and makes every
    sibling of a proof one lookup.
    """
    node_hash = suite.node_hash
    levels = [level]
    while len(level) > 1:
        above = list(map(node_hash, level[0:-1:2], level[1::2]))
        if len(level) & 1:
            above.append(level[-1])
        levels.append(level := above)
    return levels
