"""Checkpoints after C2SP tlog-checkpoint (a signed tree head) and the cosignatures of witnesses.

A checkpoint is a signed note whose text is origin, tree size and root hash, one a line. It does not name the
hash function: whoever trusts a log's key knows its `HashSuite`, as it knows its origin. A log signs with
`notes.Sm2NoteSigner`, and with `notes.Ed25519NoteSigner` as well where foreign tools are to check it.

A cosignature (C2SP tlog-cosignature) says that at a given time the tree was a continuation of all that the
witness had seen. It signs `cosignature/v1`, the time, and the checkpoint's text. The Ed25519 form has
signature type 0x04; for SM2 ours is 0xff followed by `sm2-sm3-cosignature.shuzheng/v1`, with the same signed
message, and eight bytes of time (big-endian, seconds since 1970) before r || s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signing import sm2
from signing.errors import DecodeError, SignatureInvalid
from signing.merkle.errors import CheckpointRefused
from signing.merkle.hashing import HASH_BYTES
from signing.merkle.notes import (
    NoteSigner,
    NoteVerifier,
    SignedNote,
    add_signatures,
    build_key_id,
    build_verifier_key,
    check_key_name,
    encode_base64,
    parse_base64,
    parse_note,
    sign_note,
    split_verifier_key,
    verify_ed25519,
    verify_note,
    verify_sm2,
)
from signing.merkle.proofs import MAX_TREE_SIZE
from signing.signer import Signer

ED25519_COSIGNATURE_TYPE: Final = b"\x04"
SM2_COSIGNATURE_TYPE: Final = b"\xffsm2-sm3-cosignature.shuzheng/v1"

_TIME_BYTES: Final = 8
_LATEST_TIME_S: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_MAX_SIZE_DIGITS: Final = 19

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree head: whose tree, how many leaves, which root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note text, as it is signed."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness's statement, verified: who saw the checkpoint, and when."""

    witness: str
    signed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCheckpoint:
    """A checkpoint that the log's own key has signed, with the witnesses that were asked about and found."""

    checkpoint: Checkpoint
    log_key: str
    cosignatures: tuple[Cosignature, ...]


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note text as a checkpoint, strictly: `.text` gives the same text again. Verifies nothing."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        message = "A checkpoint has at least three lines, none of them empty: origin, tree size, root hash."
        raise DecodeError(message)
    origin, size, root, *extensions = lines
    root_hash = parse_base64(root)
    if len(root_hash) != HASH_BYTES:
        message = f"The root hash of a checkpoint is {HASH_BYTES} bytes long."
        raise DecodeError(message)
    return Checkpoint(origin=origin, size=_parse_size(size), root=root_hash, extensions=tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner]) -> bytes:
    """Write a checkpoint and sign it with each of `signers`; raise DecodeError where it is not one.

    Whoever signs must never sign two checkpoints that contradict each other: see that the new tree continues
    the one signed last.
    """
    if not signers:
        message = "A checkpoint without a signature is worth nothing; give at least one signer."
        raise DecodeError(message)
    if parse_checkpoint(checkpoint.text) != checkpoint:
        message = "Neither origin nor extensions of a checkpoint may contain a line break."
        raise DecodeError(message)
    return sign_note(checkpoint.text, signers).to_bytes()


def cosign_checkpoint(data: bytes, cosigners: Sequence[NoteSigner]) -> bytes:
    """Append cosignatures to a signed checkpoint.

    The witness has verified it before (`verify_checkpoint`) and has checked with `verify_consistency` that it
    continues the last one it cosigned.
    """
    note = parse_note(data)
    parse_checkpoint(note.text)
    return add_signatures(note, cosigners).to_bytes()


def verify_checkpoint(
    data: bytes,
    *,
    origin: str,
    log_keys: Sequence[NoteVerifier],
    witnesses: Sequence[Ed25519Witness | Sm2Witness] = (),
    witnesses_needed: int = 0,
) -> VerifiedCheckpoint:
    """Check a signed checkpoint of the log `origin`.

    1. The note is well formed (else DecodeError). 2. One of the log's keys has signed it, and no signature of
    a known key, the witnesses' included, is wrong. 3. It is a checkpoint of this origin. 4. At least
    `witnesses_needed` different witnesses have cosigned it. Any other failure raises CheckpointRefused.
    """
    note = parse_note(data)
    log_signature = verify_note(note, log_keys)[0]
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        message = "This checkpoint is of another log than the one asked about."
        raise CheckpointRefused(message)
    cosignatures = _verify_cosignatures(note, witnesses)
    if len({each.witness for each in cosignatures}) < witnesses_needed:
        message = f"{witnesses_needed} known witnesses must have cosigned this checkpoint; fewer have."
        raise CheckpointRefused(message)
    return VerifiedCheckpoint(
        checkpoint=checkpoint, log_key=log_signature.name, cosignatures=tuple(cosignatures)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519Witness:
    """The public key of a witness that cosigns with Ed25519 (signature type 0x04)."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return build_key_id(self.name, ED25519_COSIGNATURE_TYPE, self.public_key)

    @property
    def verifier_key(self) -> str:
        """The key as text, for other tools."""
        return build_verifier_key(self.name, ED25519_COSIGNATURE_TYPE, self.public_key)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a cosignature, or raise SignatureInvalid."""
        time_s, rest = _split_cosignature(signature)
        verify_ed25519(self.public_key, rest, _cosigned_message(time_s, text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2Witness:
    """The public key of a witness that cosigns with SM2."""

    name: str
    public_key: sm2.PublicKey

    def __post_init__(self) -> None:
        check_key_name(self.name)

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return build_key_id(self.name, SM2_COSIGNATURE_TYPE, self.public_key.point)

    @property
    def verifier_key(self) -> str:
        """The key as text."""
        return build_verifier_key(self.name, SM2_COSIGNATURE_TYPE, self.public_key.point)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a cosignature, or raise SignatureInvalid."""
        time_s, rest = _split_cosignature(signature)
        verify_sm2(self.public_key, rest, _cosigned_message(time_s, text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519Cosigner:
    """A witness's Ed25519 key. `clock` gives the time of each cosignature."""

    name: str
    private_key: Ed25519PrivateKey
    clock: Clock

    @property
    def witness(self) -> Ed25519Witness:
        """The public half."""
        return Ed25519Witness(name=self.name, public_key=self.private_key.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return self.witness.key_id

    def sign(self, text: bytes) -> bytes:
        """Cosign a checkpoint's text as of now."""
        time_s = int(self.clock().timestamp())
        return time_s.to_bytes(_TIME_BYTES, "big") + self.private_key.sign(_cosigned_message(time_s, text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2Cosigner:
    """A witness's SM2 key. `clock` gives the time of each cosignature."""

    name: str
    signer: Signer
    clock: Clock

    @property
    def witness(self) -> Sm2Witness:
        """The public half."""
        return Sm2Witness(name=self.name, public_key=self.signer.public_key)

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return self.witness.key_id

    def sign(self, text: bytes) -> bytes:
        """Cosign a checkpoint's text as of now."""
        time_s = int(self.clock().timestamp())
        signature = self.signer.sign(_cosigned_message(time_s, text))
        return time_s.to_bytes(_TIME_BYTES, "big") + sm2.der_to_raw(signature)


def parse_witness_key(text: str) -> Ed25519Witness | Sm2Witness:
    """Read a witness's public key; raise DecodeError for a key of another type."""
    types = (ED25519_COSIGNATURE_TYPE, SM2_COSIGNATURE_TYPE)
    name, signature_type, public_key = split_verifier_key(text, types)
    if signature_type == SM2_COSIGNATURE_TYPE:
        return Sm2Witness(name=name, public_key=sm2.PublicKey.from_point(public_key))
    return Ed25519Witness(name=name, public_key=public_key)


def _verify_cosignatures(
    note: SignedNote, witnesses: Sequence[Ed25519Witness | Sm2Witness]
) -> list[Cosignature]:
    known = {(witness.name, witness.key_id) for witness in witnesses}
    if not any((each.name, each.key_id) in known for each in note.signatures):
        return []
    return [
        Cosignature(
            witness=each.name, signed_at=datetime.fromtimestamp(_split_cosignature(each.signature)[0], UTC)
        )
        for each in verify_note(note, witnesses)
    ]


def _cosigned_message(time_s: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (time_s, text)


def _split_cosignature(signature: bytes) -> tuple[int, bytes]:
    time_s = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) <= _TIME_BYTES or time_s > _LATEST_TIME_S:
        message = "A cosignature is eight bytes of time and a signature; this is not."
        raise SignatureInvalid(message)
    return time_s, signature[_TIME_BYTES:]


def _cosigned_at(signature: bytes) -> datetime:
    return datetime.fromtimestamp(_split_cosignature(signature)[0], UTC)


def _parse_size(text: str) -> int:
    canonical = text == "0" or (text.isascii() and text.isdigit() and not text.startswith("0"))
    if not canonical or len(text) > _MAX_SIZE_DIGITS or int(text) > MAX_TREE_SIZE:
        message = "The tree size of a checkpoint is a decimal number without leading zeros."
        raise DecodeError(message)
    return int(text)
