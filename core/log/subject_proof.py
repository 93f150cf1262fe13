"""The proof that a list of leaves about a subject is complete: its format, and its verification offline."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from core.log.chain import split_entry
from core.log.heads import HeadVerifier
from core.log.leaf_body import read_body
from core.log.model import Checkpoint
from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json, parse_json
from signing.errors import DecodeError
from signing.merkle.errors import ProofRefused
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import Proof, verify_inclusion
from signing.merkle.receipt_format import parse_receipt
from signing.merkle.receipts import SignerTrust, verify_receipt

PROOF_FORMAT: Final = "shuzheng-subject-proof/1"
STATEMENT_KIND: Final = "shuzheng-subject-statement/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectLeaf:
    """One leaf of a subject's chain with its inclusion proof; `entry` is None where it was dropped."""

    number: int
    leaf_index: int
    leaf_hash: bytes
    entry: bytes | None
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class MassReading:
    """How many readings of a whole resource there were; `chain` is the keyed hash that counts them."""

    resource: str
    chain: bytes
    leaves: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectProof:
    """All leaves about a subject in the tree of a signed head, and the hub's statement of their number."""

    subject_hmac: bytes
    note: str
    leaves: tuple[SubjectLeaf, ...]
    statement: bytes

    def to_json(self) -> dict[str, object]:
        """Render as a JSON document that `parse_subject_proof` reads."""
        return {
            "format": PROOF_FORMAT,
            "subject_hmac": self.subject_hmac.hex(),
            "checkpoint": self.note,
            "leaves": [
                {
                    "number": leaf.number,
                    "index": leaf.leaf_index,
                    "leaf_hash": leaf.leaf_hash.hex(),
                    "entry": None if leaf.entry is None else leaf.entry.decode(),
                    "proof": [base64.b64encode(node).decode() for node in leaf.proof],
                }
                for leaf in self.leaves
            ],
            "statement": parse_json(self.statement),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSubject:
    """A complete list: how many leaves in the tree of which size, and how many of them were dropped.

    `mass_readings` are the resources read in mass; each is proven in full by a proof of its own.
    """

    leaves: int
    dropped: int
    tree_size: int
    stated_at: datetime
    mass_readings: tuple[MassReading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What the hub signed: how many leaves are about a subject, which is the last, and mass readings."""

    subject_hmac: bytes
    subject_sm3: str
    leaves: int
    last_leaf_hash: bytes | None
    tree_size: int
    root: bytes
    mass_readings: tuple[MassReading, ...]
    stated_at: datetime


def build_statement(
    *,
    number: str,
    subject_hmac: bytes,
    count: int,
    last_leaf_hash: bytes | None,
    mass_readings: Sequence[MassReading],
    head: Checkpoint,
    stated_at: datetime,
) -> dict[str, JsonValue]:
    """Build what the hub signs: so many leaves about this subject are in that tree, and this is the last.

    `subject_sm3` lets who knows the number see that the statement is about it; the keyed hash salts it.
    """
    return {
        "kind": STATEMENT_KIND,
        "subject_hmac": subject_hmac.hex(),
        "subject_sm3": digest_subject(subject_hmac, number),
        "leaves": count,
        "last_leaf_hash": None if last_leaf_hash is None else last_leaf_hash.hex(),
        "mass_readings": [
            {"resource": each.resource, "chain": each.chain.hex(), "leaves": each.leaves}
            for each in mass_readings
        ],
        "tree_size": head.tree_size,
        "root": head.root_hash.hex(),
        "stated_at": stated_at.isoformat(),
    }


def digest_subject(subject_hmac: bytes, number: str) -> str:
    """Tie a number to its keyed hash: SM3 of the hash and the number, in hex."""
    return sm3.digest(subject_hmac + number.strip().upper().encode()).hex()


def parse_subject_proof(document: Mapping[str, Any]) -> SubjectProof:
    """Read a proof. Raises DecodeError for anything else."""
    try:
        if document["format"] != PROOF_FORMAT:
            msg = f"Only proofs of the format {PROOF_FORMAT} can be read here."
            raise DecodeError(msg)
        return SubjectProof(
            subject_hmac=bytes.fromhex(document["subject_hmac"]),
            note=str(document["checkpoint"]),
            leaves=tuple(_parse_leaf(each) for each in document["leaves"]),
            statement=build_canonical_json(document["statement"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as wrong:
        msg = "This is not the proof of a subject's leaves."
        raise DecodeError(msg) from wrong


def _parse_leaf(leaf: Mapping[str, Any]) -> SubjectLeaf:
    entry = leaf["entry"]
    return SubjectLeaf(
        number=int(leaf["number"]),
        leaf_index=int(leaf["index"]),
        leaf_hash=bytes.fromhex(leaf["leaf_hash"]),
        entry=None if entry is None else str(entry).encode(),
        proof=tuple(base64.b64decode(node, validate=True) for node in leaf["proof"]),
    )


def verify_subject_proof(
    proof: SubjectProof,
    *,
    heads: HeadVerifier,
    suite: HashSuite,
    trust: SignerTrust,
    number: str | None = None,
) -> VerifiedSubject:
    """Check that a proof holds every leaf about a subject; raise an error of `signing` otherwise.

    1. The head bears the log's signature. 2. Each leaf stands in its tree, and in the order of the tree. 3.
    Each entry is that of its hash, is about the subject, bears the next number, counted from 1, and names the
    hash before. 4. The hub's signed statement names this tree, this many leaves and the last of them. 5.
    Where `number` is given: the statement is about it. A dropped leaf is held in its place by its hash, which
    the next leaf and the tree name.
    """
    head = heads.read(proof.note)
    previous: bytes | None = None
    last_index = -1
    for expected, leaf in enumerate(proof.leaves, start=1):
        if leaf.number != expected or leaf.leaf_index <= last_index:
            _refuse(f"leaf {expected} of the subject's chain is left out or out of its order")
        verify_inclusion(
            suite,
            leaf_hash=leaf.leaf_hash,
            index=leaf.leaf_index,
            size=head.size,
            proof=leaf.proof,
            root=head.root,
        )
        if leaf.entry is not None:
            _check_entry(leaf, previous, suite=suite, subject=proof.subject_hmac)
        previous, last_index = leaf.leaf_hash, leaf.leaf_index
    said = _check_statement(proof, head.size, head.root, trust=trust, number=number)
    return VerifiedSubject(
        leaves=len(proof.leaves),
        dropped=sum(leaf.entry is None for leaf in proof.leaves),
        tree_size=head.size,
        stated_at=said.stated_at,
        mass_readings=said.mass_readings,
    )


def _check_entry(leaf: SubjectLeaf, previous: bytes | None, *, suite: HashSuite, subject: bytes) -> None:
    assert leaf.entry is not None
    if suite.leaf_hash(leaf.entry) != leaf.leaf_hash:
        _refuse(f"the entry of leaf {leaf.number} is not the one in the tree")
    try:
        body, links = split_entry(leaf.entry)
        subjects = read_body(body, leaf_hash=leaf.leaf_hash).subjects
        link = links[subjects.index(subject)]
    except (ValueError, KeyError, TypeError, IndexError) as wrong:
        msg = f"The entry of leaf {leaf.number} is not about this subject."
        raise ProofRefused(msg) from wrong
    if (link.number, link.previous) != (leaf.number, previous):
        _refuse(f"leaf {leaf.number} does not follow the one before it in the subject's chain")


def read_statement(receipt: bytes, *, trust: SignerTrust) -> Statement:
    """Verify the hub's signature over a statement and read it. Raises what `signing` raises."""
    verify_receipt(receipt, trust=trust)
    embedded = parse_receipt(receipt).payload
    payload: Any = parse_json(embedded) if embedded is not None else None
    if not isinstance(payload, dict) or payload.get("kind") != STATEMENT_KIND:
        _refuse("the statement does not say how many leaves there are")
    try:
        return Statement(
            subject_hmac=bytes.fromhex(payload["subject_hmac"]),
            subject_sm3=payload["subject_sm3"],
            leaves=int(payload["leaves"]),
            last_leaf_hash=payload["last_leaf_hash"] and bytes.fromhex(payload["last_leaf_hash"]),
            tree_size=int(payload["tree_size"]),
            root=bytes.fromhex(payload["root"]),
            mass_readings=tuple(
                MassReading(
                    resource=each["resource"], chain=bytes.fromhex(each["chain"]), leaves=int(each["leaves"])
                )
                for each in payload["mass_readings"]
            ),
            stated_at=datetime.fromisoformat(payload["stated_at"]),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        msg = "The statement is not one about a subject's leaves."
        raise ProofRefused(msg) from wrong


def _check_statement(
    proof: SubjectProof, size: int, root: bytes, *, trust: SignerTrust, number: str | None
) -> Statement:
    said = read_statement(proof.statement, trust=trust)
    last = proof.leaves[-1].leaf_hash if proof.leaves else None
    wanted = (proof.subject_hmac, len(proof.leaves), last, size, root)
    if (said.subject_hmac, said.leaves, said.last_leaf_hash, said.tree_size, said.root) != wanted:
        _refuse("the signed statement is about another subject, another number of leaves or another tree")
    if number is not None and said.subject_sm3 != digest_subject(proof.subject_hmac, number):
        _refuse("the statement is about another number")
    return said


def _refuse(what: str) -> NoReturn:
    msg = f"{what[0].upper()}{what[1:]}."
    raise ProofRefused(msg)
