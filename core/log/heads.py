"""Signing heads of the log, and knowing its own signatures again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from core.errors import Conflict
from core.log.model import Checkpoint
from signing.errors import DecodeError, ShuzhengError
from signing.merkle.checkpoint import Checkpoint as SignedHead
from signing.merkle.checkpoint import (
    Sm2Cosigner,
    Sm2Witness,
    cosign_checkpoint,
    parse_witness_key,
    sign_checkpoint,
    verify_checkpoint,
)
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import Ed25519NoteSigner, Sm2NoteSigner, Sm2NoteVerifier, parse_note
from signing.signer import Signer
from signing.sm2 import PublicKey

_PREVIOUS: Final = re.compile(r"previous (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHead:
    """What a head's note says, verified: the tree, when it was signed, the size of the head before it."""

    size: int
    root: bytes
    signed_at: datetime
    previous_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadVerifier:
    """What knows the heads of one log: its name, its hash, its public keys, the present one first."""

    origin: str
    suite: HashSuite
    keys: tuple[PublicKey, ...]

    @property
    def note_verifiers(self) -> list[Sm2NoteVerifier]:
        """The keys as verifiers of notes."""
        return [Sm2NoteVerifier(name=self.origin, public_key=key) for key in self.keys]

    def read(self, note: str) -> ReadHead:
        """Verify a note and read it.

        1. One of the log's keys signed it, as a head of this log. 2. So did it the time (its own
        cosignature). 3. The one extension line names the head before. Raises CheckpointRefused or
        DecodeError.
        """
        verified = verify_checkpoint(
            note.encode(),
            origin=self.origin,
            log_keys=self.note_verifiers,
            witnesses=[Sm2Witness(name=self.origin, public_key=key) for key in self.keys],
            witnesses_needed=1,
        )
        head = verified.checkpoint
        match = _PREVIOUS.fullmatch(head.extensions[0]) if len(head.extensions) == 1 else None
        if match is None:
            msg = "A head of the log has one extension line, which names the size of the head before it."
            raise DecodeError(msg)
        return ReadHead(
            size=head.size,
            root=head.root,
            signed_at=verified.cosignatures[0].signed_at,
            previous_size=int(match[1]),
        )

    def verify(self, note: str) -> ReadHead:
        """Read a note of this log. Raises Conflict, since the log must not be continued, where it is not."""
        try:
            return self.read(note)
        except ShuzhengError as wrong:
            msg = f"the newest signed head does not verify ({wrong.detail})"
            raise broken_log(msg) from wrong


def broken_log(what: str) -> Conflict:
    """Make the error for a log that must not be continued."""
    return Conflict(f"{what}; the log is not continued until `shuzheng log verify` finds it whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadKeys:
    """The keys with which a hub signs the heads of its log.

    `signer` signs new heads; `former_keys` signed older ones. `ed25519` signs too where foreign tools are to
    check heads. Every head also bears the log's own cosignature (C2SP tlog-cosignature) with the time, and an
    extension line with the size of the head before, so that a head that was taken away is missed.
    """

    origin: str
    suite: HashSuite
    signer: Signer
    former_keys: tuple[PublicKey, ...] = ()
    ed25519: Ed25519NoteSigner | None = None

    @property
    def verifier(self) -> HeadVerifier:
        """The public halves."""
        return HeadVerifier(
            origin=self.origin, suite=self.suite, keys=(self.signer.public_key, *self.former_keys)
        )

    @property
    def note_signers(self) -> Sequence[Sm2NoteSigner | Ed25519NoteSigner]:
        """The keys that sign a head's text."""
        own = Sm2NoteSigner(name=self.origin, signer=self.signer)
        return [own] if self.ed25519 is None else [own, self.ed25519]

    @property
    def verifier_keys(self) -> list[str]:
        """The public keys as verifier keys (C2SP signed-note), the present ones first."""
        keys = [each.verifier.verifier_key for each in self.note_signers]
        return [*keys, *(each.verifier_key for each in self.verifier.note_verifiers[1:])]

    def sign(self, size: int, root: bytes, at: datetime, *, previous_size: int) -> Checkpoint:
        """Sign a head as of `at`, whose fraction of a second is dropped."""
        signed_at = at.astimezone(UTC).replace(microsecond=0)
        head = SignedHead(origin=self.origin, size=size, root=root, extensions=(f"previous {previous_size}",))
        cosigner = Sm2Cosigner(name=self.origin, signer=self.signer, clock=lambda: signed_at)
        note = cosign_checkpoint(sign_checkpoint(head, self.note_signers), [cosigner])
        return Checkpoint(tree_size=size, root_hash=root, note=note.decode(), signed_at=signed_at)


def verify_cosignature(note: str, line: str, *, witness_key: str, heads: HeadVerifier) -> datetime:
    """Check that a signature line is a witness's cosignature of a head of this log; return its time.

    Raises CheckpointRefused, SignatureInvalid or DecodeError.
    """
    text = parse_note(note.encode())
    own = "".join(each.line for each in text.signatures)
    verified = verify_checkpoint(
        f"{text.text}\n{own}{line}".encode(),
        origin=heads.origin,
        log_keys=heads.note_verifiers,
        witnesses=[parse_witness_key(witness_key)],
        witnesses_needed=1,
    )
    return verified.cosignatures[0].signed_at
