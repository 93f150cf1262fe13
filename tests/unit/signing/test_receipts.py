"""Batch-signed receipts: they verify offline, with nothing but a key, and nothing in them can be altered."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.canonical_json import build_canonical_json
from signing.errors import DecodeError, EncodeError, SigningError
from signing.merkle.errors import ReceiptRefused
from signing.merkle.hashing import HashSuite
from signing.merkle.receipt_format import MAX_RECEIPT_BYTES, parse_receipt
from signing.merkle.receipts import BatchSigner, TrustedKeys, build_key_id, verify_receipt
from signing.merkle.tree import MerkleTree
from signing.sm2 import PrivateKey, PublicKey

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))
KEY = PrivateKey.from_scalar(0x1357)
OTHER_KEY = PrivateKey.from_scalar(0x2468)
TRUST = TrustedKeys((OTHER_KEY.public_key, KEY.public_key))
AT = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)


def counting_bytes(count: int) -> bytes:
    return bytes(n * 7 % 256 for n in range(count))


SIGNER = BatchSigner(signer=KEY, issuer="数证 hub.example", clock=lambda: AT, random_bytes=counting_bytes)
PAYLOADS = [build_canonical_json({"case": f"2026-{n}", "answer": "match"}) for n in range(11)]
BATCH = SIGNER.sign(PAYLOADS)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 33])
def test_receipt_of_every_item_verifies_offline(size: int) -> None:
    payloads = [b"payload %d" % n for n in range(size)]
    batch = SIGNER.sign(payloads)
    assert len(batch) == size
    for index, receipt in enumerate(batch):
        verified = verify_receipt(receipt, trust=TRUST, payload=payloads[index])
        assert (verified.index, verified.size) == (index, size)
        assert (verified.issuer, verified.signed_at) == ("数证 hub.example", AT)
        assert verified.signer_key == KEY.public_key
        assert verified.payload_digest == HashSuite.SM3.digest(payloads[index])


@given(size=st.integers(1, 130))
@settings(max_examples=40, deadline=None)
def test_proofs_of_a_batch_are_those_of_rfc_9162(size: int) -> None:
    batch = SIGNER.sign([b"%d" % n for n in range(size)])
    salts = counting_bytes(16 * size)
    tree = MerkleTree.of_entries(
        [salts[16 * n : 16 * n + 16] + HashSuite.SM3.digest(b"%d" % n) for n in range(size)]
    )
    assert batch.head.root == tree.root()
    assert all(batch.proof(n) == tree.inclusion_proof(n) for n in range(size))


def test_receipt_is_canonical_json() -> None:
    for receipt in (*BATCH, BATCH.receipt(3, payload=PAYLOADS[3])):
        assert build_canonical_json(json.loads(receipt)) == receipt


def test_receipt_in_another_spelling_verifies_too() -> None:
    respelt = json.dumps(json.loads(BATCH.receipt(3)), indent=1, sort_keys=False).encode()
    verify_receipt(respelt, trust=TRUST, payload=PAYLOADS[3])


def test_embedded_payload_is_checked_without_being_given() -> None:
    receipt = BATCH.receipt(3, payload=PAYLOADS[3])
    assert parse_receipt(receipt).payload == PAYLOADS[3]
    verify_receipt(receipt, trust=TRUST)
    verify_receipt(receipt, trust=TRUST, payload=PAYLOADS[3])
    members = json.loads(receipt)
    members["payload"]["answer"] = "mismatch"
    with pytest.raises(ReceiptRefused):
        verify_receipt(json.dumps(members).encode(), trust=TRUST)
    with pytest.raises(ReceiptRefused):
        verify_receipt(receipt, trust=TRUST, payload=PAYLOADS[4])


def test_payload_of_another_item_cannot_be_embedded() -> None:
    with pytest.raises(EncodeError):
        BATCH.receipt(3, payload=PAYLOADS[4])
    odd = SIGNER.sign([b'{"b": 1}'])
    with pytest.raises(EncodeError):
        odd.receipt(0, payload=b'{"b": 1}')


def test_json_payloads_are_signed_in_canonical_form() -> None:
    batch = SIGNER.sign_json([{"b": 1, "a": "中"}])
    verify_receipt(batch.receipt(0), trust=TRUST, payload='{"a":"中","b":1}'.encode())


def test_receipt_with_another_payload_is_refused() -> None:
    with pytest.raises(ReceiptRefused):
        verify_receipt(BATCH.receipt(3), trust=TRUST, payload=PAYLOADS[4])


def test_receipt_of_an_untrusted_key_is_refused() -> None:
    for trust in (TrustedKeys(()), TrustedKeys((OTHER_KEY.public_key,))):
        with pytest.raises(ReceiptRefused):
            verify_receipt(BATCH.receipt(0), trust=trust)


def test_receipt_is_refused_when_trust_answers_with_another_key() -> None:
    class Careless:
        def find_key(self, receipt: object, /) -> PublicKey:
            return OTHER_KEY.public_key

    with pytest.raises(ReceiptRefused):
        verify_receipt(BATCH.receipt(0), trust=Careless())


def test_salts_hide_equal_payloads_of_neighbours() -> None:
    batch = BatchSigner(signer=KEY, issuer="hub", clock=lambda: AT).sign([b"same", b"same"])
    first, second = (parse_receipt(receipt) for receipt in batch)
    assert first.salt != second.salt
    assert first.proof != second.proof


def flip(text: str, bit: int) -> str:
    data = bytearray(base64.b64decode(text))
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    return base64.b64encode(data).decode()


def forge(members: dict[str, Any], where: str, bit: int) -> None:
    head = members["head"]
    if where in {"proof", "salt", "payload_digest", "signature"}:
        members[where] = flip(members[where], bit)
    elif where == "root":
        head["root"] = flip(head["root"], bit)
    elif where == "index":
        members["index"] ^= 1 << bit % 3
    elif where == "size":
        head["size"] += 1 + bit % 5
    elif where == "signed_at":
        head["signed_at"] = head["signed_at"].replace("2026", str(2027 + bit % 7))
    elif where == "issuer":
        head["issuer"] += "x"
    elif where == "key":
        head["key"] = build_key_id(OTHER_KEY.public_key)
    elif where == "other batch":
        members["head"] = json.loads(SIGNER.sign([b"%d" % bit]).receipt(0))["head"]


@given(
    where=st.sampled_from(
        [
            "proof",
            "salt",
            "payload_digest",
            "signature",
            "root",
            "index",
            "size",
            "signed_at",
            "issuer",
            "key",
            "other batch",
        ]
    ),
    index=st.integers(0, len(PAYLOADS) - 1),
    bit=st.integers(0, 5000),
)
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_receipt_altered_in_any_member_is_refused(where: str, index: int, bit: int) -> None:
    members = json.loads(BATCH.receipt(index))
    forge(members, where, bit)
    with pytest.raises(ReceiptRefused):
        verify_receipt(json.dumps(members).encode(), trust=TRUST, payload=PAYLOADS[index])


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_receipt_with_any_flipped_bit_is_refused(position: int, bit: int) -> None:
    data = bytearray(BATCH.receipt(6))
    data[position % len(data)] ^= 1 << bit
    with pytest.raises((DecodeError, ReceiptRefused)):
        verify_receipt(bytes(data), trust=TRUST, payload=PAYLOADS[6])


@pytest.mark.parametrize(
    "change",
    [
        {"format": "shuzheng-receipt/2"},
        {"extra": 1},
        {"index": -1},
        {"index": True},
        {"index": "1"},
        {"proof": "AAAA"},
        {"proof": base64.b64encode(bytes(64 * 32)).decode()},
        {"proof": ["AAAA"]},
        {"salt": "AAAA"},
        {"salt": "\u00e9"},
        {"signature": ""},
        {"payload_digest": None},
        {"head": []},
        {"certificates": "AAAA"},
        {"certificates": ["AAAA"] * 9},
        {"certificates": [1]},
    ],
)
def test_receipt_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        parse_receipt(json.dumps(json.loads(BATCH.receipt(0)) | change).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "sha-256"},
        {"issuer": 5},
        {"key": "AB" * 32},
        {"key": "ab"},
        {"signed_at": "2026-05-04T03:02:01Z"},
        {"signed_at": "2026-13-04T03:02:01.000000Z"},
        {"signed_at": 5},
        {"size": None},
        {"root": "AAAA"},
        {"extra": 1},
    ],
)
def test_receipt_with_a_head_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    members = json.loads(BATCH.receipt(0))
    members["head"] |= change
    with pytest.raises(DecodeError):
        parse_receipt(json.dumps(members).encode())


@pytest.mark.parametrize("member", sorted(json.loads(BATCH.receipt(0))))
def test_receipt_without_a_member_is_refused(member: str) -> None:
    members = json.loads(BATCH.receipt(0))
    del members[member]
    with pytest.raises(DecodeError):
        parse_receipt(json.dumps(members).encode())


def test_receipt_beyond_its_size_limit_is_refused() -> None:
    with pytest.raises(DecodeError):
        parse_receipt(b" " * MAX_RECEIPT_BYTES + BATCH.receipt(0))


def test_batch_of_nothing_cannot_be_signed() -> None:
    with pytest.raises(EncodeError):
        SIGNER.sign([])


@pytest.mark.parametrize("index", [-1, len(PAYLOADS)])
def test_receipt_of_no_item_cannot_be_written(index: int) -> None:
    with pytest.raises(IndexError):
        BATCH.receipt(index)


def test_certificates_travel_with_the_receipt() -> None:
    signer = BatchSigner(
        signer=KEY, issuer="hub", clock=lambda: AT, certificates=(b"\x30\x00", b"\x30\x01\x00")
    )
    receipt = signer.sign([b"x"]).receipt(0)
    assert parse_receipt(receipt).certificates == (b"\x30\x00", b"\x30\x01\x00")
    verify_receipt(receipt, trust=TRUST, payload=b"x")


@given(
    data=st.binary(max_size=300)
    | st.builds(lambda at, new: BATCH.receipt(0)[:at] + new, st.integers(0, 900), st.binary())
)
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_any_bytes_as_receipt_raise_our_errors_only(data: bytes) -> None:
    with pytest.raises(SigningError):
        verify_receipt(data, trust=TRUST, payload=PAYLOADS[1])
