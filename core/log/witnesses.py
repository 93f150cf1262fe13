"""Witnesses at the hub: whose cosignatures it takes, keeps and serves."""

from __future__ import annotations

from core.caller import Caller
from core.database import Database
from core.errors import BadInput, FieldError, NotFound, SchemaViolation
from core.log import store_read, store_witness
from core.log.heads import HeadKeys, verify_cosignature
from core.log.model import Event, Witness
from core.log.writer import LogWriter
from signing import sm3
from signing.errors import ShuzhengError
from signing.merkle.checkpoint import parse_checkpoint, parse_witness_key
from signing.merkle.notes import NoteSignature, parse_note


class WitnessService:
    """Registers witnesses and takes their cosignatures."""

    def __init__(self, *, database: Database, log: LogWriter, heads: HeadKeys) -> None:
        self._database = database
        self._log = log
        self._heads = heads

    async def register(self, verifier_key: str, *, caller: Caller | None) -> Witness:
        """Register a witness by its public key (C2SP signed-note). Raises SchemaViolation or Conflict."""
        try:
            name = parse_witness_key(verifier_key).name
        except ShuzhengError as wrong:
            raise _wrong_key(wrong.detail) from wrong
        if name == self._heads.origin:
            msg = "a witness has another name than the log"
            raise _wrong_key(msg)
        async with self._database.transaction() as connection:
            await store_witness.save_witness(connection, name=name, verifier_key=verifier_key)
            await self._log.append(
                connection,
                event=Event.WITNESS_REGISTERED,
                caller=caller,
                details={"witness": name, "key": verifier_key},
            )
        return Witness(name=name, verifier_key=verifier_key, is_retired=False)

    async def retire(self, name: str, *, caller: Caller | None) -> None:
        """Take no more cosignatures of a witness; those it gave stay. Raises NotFound."""
        async with self._database.transaction() as connection:
            key = await store_witness.retire_witness(connection, name=name)
            await self._log.append(
                connection,
                event=Event.WITNESS_RETIRED,
                caller=caller,
                details={"witness": name, "key": key},
            )

    async def list_witnesses(self) -> list[Witness]:
        """List all witnesses, retired ones too."""
        async with self._database.acquire() as connection:
            return await store_witness.load_witnesses(connection)

    async def take(self, cosigned: bytes) -> list[str]:
        """Take a cosigned head; return the names of the witnesses whose cosignatures are kept now.

        The signature is the credential. Raises NotFound for a head that this log did not sign, BadInput where
        no registered witness has cosigned it rightly.
        """
        note = parse_note(cosigned)
        head = parse_checkpoint(note.text)
        async with self._database.transaction() as connection:
            own = await store_read.load_checkpoint(connection, tree_size=head.size)
            if own is None or parse_note(own.note.encode()).text != note.text:
                msg = "this log has signed no such head"
                raise NotFound(msg)
            witnesses = await store_witness.load_witnesses(connection)
            known = {each.name: each.verifier_key for each in witnesses if not each.is_retired}
            lines = [line for line in note.signatures if _is_of(line, known)]
            for line in lines:
                verify_cosignature(
                    own.note, line.line, witness_key=known[line.name], heads=self._heads.verifier
                )
                if await store_witness.save_cosignature(
                    connection, tree_size=head.size, witness=line.name, line=line.line
                ):
                    await self._log.append(
                        connection,
                        event=Event.CHECKPOINT_COSIGNED,
                        caller=None,
                        details={
                            "witness": line.name,
                            "tree_size": head.size,
                            "signature_sm3": sm3.digest(line.line.encode()).hex(),
                        },
                    )
        if not lines:
            msg = "no registered witness has cosigned this head; an administrator registers witnesses"
            raise BadInput(msg)
        return [line.name for line in lines]


def _is_of(line: NoteSignature, known: dict[str, str]) -> bool:
    return line.name in known and parse_witness_key(known[line.name]).key_id == line.key_id


def _wrong_key(detail: str) -> SchemaViolation:
    msg = "the witness's key is not right"
    return SchemaViolation(msg, errors=(FieldError(pointer="/verifier_key", code="KEY", detail=detail),))
