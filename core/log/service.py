"""Reading the log: the newest head, proofs, and the story of a case."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from core.caller import Caller, Scope
from core.database import Database
from core.errors import NotFound
from core.log import store, store_read
from core.log.model import Checkpoint, Event, Leaf
from core.log.sequencer import read_nodes
from core.log.writer import LogWriter
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import Proof, plan_inclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That a leaf stands in the tree of a checkpoint (RFC 9162 2.1.3)."""

    leaf: Leaf
    leaf_index: int
    proof: Proof
    checkpoint: Checkpoint


class LogService:
    """Answers questions about the log."""

    def __init__(self, *, database: Database, log: LogWriter, suite: HashSuite) -> None:
        self._database = database
        self._log = log
        self._suite = suite

    async def load_checkpoint(self) -> Checkpoint:
        """Return the newest signed head. Raises NotFound before the first."""
        async with self._database.acquire() as connection:
            latest = await store.load_latest_checkpoint(connection)
        if latest is None:
            msg = "the log has no signed head yet; the first comes within seconds of the first leaf"
            raise NotFound(msg)
        return latest

    async def prove_inclusion(self, leaf_id: UUID, *, caller: Caller) -> InclusionProof:
        """Prove that a leaf is in the tree of the newest head.

        Organisations may have their own leaves proved, auditors all. Raises NotFound for others, and
        for leaves that the sequencer has not reached (within a second).
        """
        async with self._database.transaction(read_only=True) as connection:
            leaf = await store_read.load_leaf(connection, leaf_id=leaf_id)
            latest = await store.load_latest_checkpoint(connection)
            visible = leaf is not None and (
                Scope.AUDIT in caller.scopes or leaf.organisation_code == caller.organisation_code
            )
            if leaf is None or latest is None or leaf.leaf_index is None or not visible:
                msg = "no such leaf is in the signed tree; a leaf just written gets there within a second"
                raise NotFound(msg)
            plan = plan_inclusion(leaf.leaf_index, latest.tree_size)
            hashes = dict(zip(plan.nodes, await read_nodes(connection, plan.nodes), strict=True))
        return InclusionProof(
            leaf=leaf, leaf_index=leaf.leaf_index, proof=plan.assemble(self._suite, hashes), checkpoint=latest
        )

    async def load_case(self, case_number: str, *, caller: Caller) -> list[Leaf]:
        """Load the story of a case in order: all of it for an auditor, else the caller's own part.

        Reading an audit trail is itself an act, and is logged.
        """
        only = None if Scope.AUDIT in caller.scopes else str(caller.organisation_code)
        async with self._database.transaction() as connection:
            leaves = await store_read.load_case(connection, case_number=case_number, organisation_code=only)
            await self._log.append(
                connection,
                event=Event.AUDIT_READ,
                caller=caller,
                details={"view": "case", "of": case_number, "leaves": len(leaves)},
            )
        return leaves
