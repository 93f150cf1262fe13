"""Signing heads of the log, and knowing its own signatures again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.errors import Conflict
from core.log.model import Checkpoint
from signing.errors import ShuzhengError
from signing.merkle.checkpoint import Checkpoint as SignedHead
from signing.merkle.checkpoint import (
    Sm2Cosigner,
    Sm2Witness,
    cosign_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import Ed25519NoteSigner, Sm2NoteSigner, Sm2NoteVerifier
from signing.signer import Signer
from signing.sm2 import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadKeys:
    """The keys of one log.

    `signer` signs new heads; `former_keys` signed older ones. `ed25519` signs too where foreign tools are to
    check heads. Every head also bears the log's own cosignature (C2SP tlog-cosignature) with the time.
    """

    origin: str
    suite: HashSuite
    signer: Signer
    former_keys: tuple[PublicKey, ...] = ()
    ed25519: Ed25519NoteSigner | None = None

    @property
    def note_signers(self) -> Sequence[Sm2NoteSigner | Ed25519NoteSigner]:
        """The keys that sign a head's text."""
        own = Sm2NoteSigner(name=self.origin, signer=self.signer)
        return [own] if self.ed25519 is None else [own, self.ed25519]

    @property
    def verifier_keys(self) -> list[str]:
        """The public keys as verifier keys (C2SP signed-note), the present one first."""
        keys = [each.verifier.verifier_key for each in self.note_signers]
        return [*keys, *(each.verifier_key for each in self._verifiers()[1:])]

    def sign(self, size: int, root: bytes, at: datetime) -> Checkpoint:
        """Sign a head as of `at`, whose fraction of a second is dropped."""
        signed_at = at.astimezone(UTC).replace(microsecond=0)
        head = SignedHead(origin=self.origin, size=size, root=root)
        cosigner = Sm2Cosigner(name=self.origin, signer=self.signer, clock=lambda: signed_at)
        note = cosign_checkpoint(sign_checkpoint(head, self.note_signers), [cosigner])
        return Checkpoint(tree_size=size, root_hash=root, note=note.decode(), signed_at=signed_at)

    def verify(self, note: str) -> SignedHead:
        """Return the head that a note signs. Raises Conflict unless one of the log's keys signed it."""
        try:
            return verify_checkpoint(note.encode(), origin=self.origin, log_keys=self._verifiers()).checkpoint
        except ShuzhengError as wrong:
            msg = f"the newest signed head does not verify ({wrong.detail})"
            raise self.broken(msg) from wrong

    def read_signed_at(self, note: str) -> datetime:
        """Return the signed time of a head. Raises an error of `signing` where the note does not verify."""
        witnesses = [Sm2Witness(name=self.origin, public_key=key) for key in self._keys()]
        verified = verify_checkpoint(
            note.encode(),
            origin=self.origin,
            log_keys=self._verifiers(),
            witnesses=witnesses,
            witnesses_needed=1,
        )
        return verified.cosignatures[0].signed_at

    def _keys(self) -> tuple[PublicKey, ...]:
        return (self.signer.public_key, *self.former_keys)

    def _verifiers(self) -> list[Sm2NoteVerifier]:
        return [Sm2NoteVerifier(name=self.origin, public_key=key) for key in self._keys()]

    @staticmethod
    def broken(what: str) -> Conflict:
        """Make the error for a log that must not be continued."""
        return Conflict(f"{what}; the log is not continued until `shuzheng log verify` finds it whole")
