"""The format of a batch-signed receipt: what it holds, and how it is read.

A receipt is a JSON object:

    format          "shuzheng-receipt/1"
    head            hash "sm3", issuer, key (SM3 of the signer's SubjectPublicKeyInfo, in hex), root,
                    signed_at, size
    signature       SM2 over "shuzheng-receipt-head/v1" LF canonical-JSON(head): r || s
    index, proof    the leaf's place, and the hashes of its inclusion proof one after another
    salt            16 bytes
    payload_digest  SM3 of the payload
    payload         only where embedded: the payload itself, whose canonical JSON was digested
    certificates    only where embedded: the signer's certificate and those above it, DER

Bytes are base64. What is written here is canonical JSON; any other spelling of the same values verifies too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from signing.canonical_json import JsonValue, build_canonical_json, parse_json
from signing.errors import DecodeError
from signing.merkle.hashing import HASH_BYTES, HashSuite
from signing.merkle.notes import encode_base64, parse_base64
from signing.merkle.proofs import MAX_TREE_SIZE, Proof

RECEIPT_FORMAT: Final = "shuzheng-receipt/1"
HEAD_CONTEXT: Final = b"shuzheng-receipt-head/v1\n"
SALT_BYTES: Final = 16
SIGNATURE_BYTES: Final = 64
MAX_RECEIPT_BYTES: Final = 1 << 20
MAX_PROOF_HASHES: Final = 63
MAX_CERTIFICATES: Final = 8

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
_KEY_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEAD_MEMBERS: Final = frozenset({"hash", "issuer", "key", "root", "signed_at", "size"})
_MEMBERS: Final = frozenset({"format", "head", "index", "payload_digest", "proof", "salt", "signature"})
_OPTIONAL_MEMBERS: Final = frozenset({"certificates", "payload"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHead:
    """What is signed for a batch: who vouches, when, and for which tree."""

    issuer: str
    key_id: str
    root: bytes
    signed_at: datetime
    size: int

    @property
    def json(self) -> dict[str, JsonValue]:
        """The head as it stands in receipts."""
        return {
            "hash": HashSuite.SM3.value,
            "issuer": self.issuer,
            "key": self.key_id,
            "root": encode_base64(self.root),
            "signed_at": self.signed_at.astimezone(UTC).strftime(_TIME_FORMAT),
            "size": self.size,
        }

    @property
    def message(self) -> bytes:
        """The bytes that are signed."""
        return HEAD_CONTEXT + build_canonical_json(self.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt as parsed: well formed, but nothing in it verified. `payload` is canonical JSON, or None."""

    head: BatchHead
    signature: bytes
    index: int
    proof: Proof
    salt: bytes
    payload_digest: bytes
    payload: bytes | None = None
    certificates: tuple[bytes, ...] = ()


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt of at most 1 MiB, without verifying it; raise DecodeError for anything else."""
    if len(data) > MAX_RECEIPT_BYTES:
        message = f"A receipt has at most {MAX_RECEIPT_BYTES} bytes."
        raise DecodeError(message)
    members = _take_object(parse_json(data), required=_MEMBERS, optional=_OPTIONAL_MEMBERS)
    if members["format"] != RECEIPT_FORMAT:
        message = f"Only receipts of the format {RECEIPT_FORMAT} can be read here."
        raise DecodeError(message)
    proof = _take_bytes(members["proof"])
    if len(proof) % HASH_BYTES or len(proof) > HASH_BYTES * MAX_PROOF_HASHES:
        message = f"The proof of a receipt is a sequence of {HASH_BYTES}-byte hashes."
        raise DecodeError(message)
    return Receipt(
        head=_parse_head(members["head"]),
        signature=_take_bytes(members["signature"], SIGNATURE_BYTES),
        index=_take_count(members["index"]),
        proof=tuple(proof[at : at + HASH_BYTES] for at in range(0, len(proof), HASH_BYTES)),
        salt=_take_bytes(members["salt"], SALT_BYTES),
        payload_digest=_take_bytes(members["payload_digest"], HASH_BYTES),
        payload=build_canonical_json(members["payload"]) if "payload" in members else None,
        certificates=_take_certificates(members.get("certificates", [])),
    )


def _parse_head(value: JsonValue) -> BatchHead:
    members = _take_object(value, required=_HEAD_MEMBERS)
    issuer, key_id = members["issuer"], members["key"]
    named = isinstance(issuer, str) and isinstance(key_id, str) and _KEY_ID.fullmatch(key_id)
    if members["hash"] != HashSuite.SM3.value or not named:
        message = "The head of a receipt names its hash (sm3), its issuer and the key that signed it."
        raise DecodeError(message)
    return BatchHead(
        issuer=str(issuer),
        key_id=str(key_id),
        root=_take_bytes(members["root"], HASH_BYTES),
        signed_at=_take_time(members["signed_at"]),
        size=_take_count(members["size"]),
    )


def _take_object(
    value: JsonValue, *, required: frozenset[str], optional: frozenset[str] = frozenset()
) -> Mapping[str, JsonValue]:
    if not isinstance(value, Mapping) or not required <= value.keys() <= required | optional:
        message = f"An object with the members {', '.join(sorted(required))} belongs here."
        raise DecodeError(message)
    return value


def _take_bytes(value: JsonValue, length: int | None = None) -> bytes:
    if not isinstance(value, str):
        message = "Text in base64 belongs here."
        raise DecodeError(message)
    data = parse_base64(value)
    if length is not None and len(data) != length:
        message = f"A value of {length} bytes belongs here; this one has {len(data)}."
        raise DecodeError(message)
    return data


def _take_count(value: JsonValue) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_TREE_SIZE:
        message = "A whole number that is not negative belongs here."
        raise DecodeError(message)
    return value


def _take_time(value: JsonValue) -> datetime:
    message = "A time of the form 2026-05-04T03:02:01.000000Z belongs here."
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise DecodeError(message)
    try:
        return datetime.strptime(value, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise DecodeError(message) from error


def _take_certificates(value: JsonValue) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > MAX_CERTIFICATES:
        message = f"A receipt carries an array of at most {MAX_CERTIFICATES} certificates."
        raise DecodeError(message)
    return tuple(map(_take_bytes, value))
