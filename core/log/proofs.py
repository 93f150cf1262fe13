"""Proofs and tiles: that a leaf is in the tree, that the tree only grew, and the tree itself for mirrors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from core.caller import Caller, Scope
from core.database import Connection, Database
from core.errors import BadInput, NotFound
from core.log import store, store_proofs, store_read, store_witness
from core.log.chain import split_entry
from core.log.heads import HeadKeys
from core.log.leaf_body import read_body
from core.log.model import Checkpoint, Event, Leaf
from core.log.sequencer import read_nodes
from core.log.writer import LogWriter
from signing.merkle.proofs import NodeId, Proof, ProofPlan, plan_consistency, plan_inclusion
from signing.merkle.tiles import TILE_HEIGHT, TILE_WIDTH, BundleId, TileId, build_entry_bundle, tile_width


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That an entry stands in the tree of a head (RFC 9162 2.1.3). `leaf` is None where it was dropped."""

    leaf: Leaf | None
    entry: bytes | None
    leaf_hash: bytes
    leaf_index: int
    proof: Proof
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """That the tree of `new_size` leaves continues that of `old_size` (RFC 9162 2.1.4)."""

    old_size: int
    new_size: int
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedEntry:
    """An entry at its place; None where the caller may not read it, or its payload was dropped."""

    leaf_index: int
    leaf_hash: bytes
    entry: bytes | None


class ProofService:
    """Serves heads, proofs and tiles."""

    def __init__(self, *, database: Database, log: LogWriter, heads: HeadKeys) -> None:
        self._database = database
        self._log = log
        self._heads = heads

    @property
    def heads(self) -> HeadKeys:
        """The keys of the log."""
        return self._heads

    async def load_checkpoint(self, *, witnesses: int = 0, tree_size: int | None = None) -> Checkpoint:
        """Return the newest signed head, with the cosignatures it has.

        `witnesses` asks for the newest that at least so many cosigned, `tree_size` for that of one size.
        Raises NotFound where there is none.
        """
        async with self._database.acquire() as connection:
            if tree_size is not None:
                found = await store_read.load_checkpoint(connection, tree_size=tree_size)
            elif witnesses:
                found = await store_witness.load_cosigned_checkpoint(connection, witnesses=witnesses)
            else:
                found = await store.load_latest_checkpoint(connection)
            if found is None:
                msg = "the log has no such signed head; the first comes within a second of the first leaf"
                raise NotFound(msg)
            lines = await store_witness.load_cosignature_lines(connection, tree_size=found.tree_size)
        return Checkpoint(
            tree_size=found.tree_size,
            root_hash=found.root_hash,
            note=found.note + "".join(lines),
            signed_at=found.signed_at,
        )

    async def prove_leaf(self, leaf_id: UUID, *, caller: Caller | None) -> InclusionProof:
        """Prove that a leaf is in the tree of the newest head.

        Organisations may have leaves on their own acts and their own data proved, auditors all. Raises
        NotFound for others, and for leaves that the sequencer has not reached (within a second).
        """
        async with self._database.transaction() as connection:
            leaf = await store_read.load_leaf(connection, leaf_id=leaf_id)
            latest = await store.load_latest_checkpoint(connection)
            if leaf is None or latest is None or leaf.leaf_index is None or not may_read(leaf, caller):
                msg = "no such leaf is in the signed tree; a leaf just written gets there within a second"
                raise NotFound(msg)
            if caller is None or leaf.organisation_code != caller.organisation_code:
                await self._record(connection, caller, view="leaf", of=str(leaf_id), leaves=1)
            return await self._prove(connection, leaf.leaf_index, latest, leaf=leaf)

    async def load_leaves(self, *, first: int, limit: int, caller: Caller) -> list[PlacedEntry]:
        """Load the entries at the indexes from `first` on, as far as the signed tree goes.

        An entry is None where the caller may not read it, or where its payload was dropped.
        """
        async with self._database.transaction() as connection:
            latest = await store.load_latest_checkpoint(connection)
            size = 0 if latest is None else latest.tree_size
            count = max(0, min(limit, size - first))
            found = await store_proofs.load_entry_bytes(connection, first=first, count=count)
            placed = [
                PlacedEntry(leaf_index=index, leaf_hash=leaf_hash, entry=_readable(entry, leaf_hash, caller))
                for index, leaf_hash, entry in found
            ]
            shown = sum(each.entry is not None for each in placed)
            await self._record(connection, caller, view="leaves", of=str(first), leaves=shown)
        return placed

    async def prove_index(self, leaf_index: int, *, tree_size: int | None) -> InclusionProof:
        """Prove that the entry at an index is in the tree of a head, by its hash alone.

        Raises NotFound where there is no such head or entry.
        """
        checkpoint = await self.load_checkpoint(tree_size=tree_size)
        if leaf_index >= checkpoint.tree_size:
            msg = f"the tree has the leaves 0 to {checkpoint.tree_size - 1}"
            raise NotFound(msg)
        async with self._database.transaction(read_only=True) as connection:
            return await self._prove(connection, leaf_index, checkpoint, leaf=None)

    async def _prove(
        self, connection: Connection, leaf_index: int, checkpoint: Checkpoint, *, leaf: Leaf | None
    ) -> InclusionProof:
        proof = await self._read_plan(connection, plan_inclusion(leaf_index, checkpoint.tree_size))
        found = await store_proofs.load_entry_bytes(connection, first=leaf_index, count=1)
        return InclusionProof(
            leaf=leaf,
            entry=found[0][2] if leaf is not None else None,
            leaf_hash=found[0][1],
            leaf_index=leaf_index,
            proof=proof,
            checkpoint=checkpoint,
        )

    async def prove_many(
        self, connection: Connection, indexes: Sequence[int], *, tree_size: int
    ) -> list[Proof]:
        """Build the inclusion proofs of many leaves in one tree, reading all nodes at once."""
        plans = [plan_inclusion(index, tree_size) for index in indexes]
        nodes = list(dict.fromkeys(node for plan in plans for node in plan.nodes))
        hashes = dict(zip(nodes, await read_nodes(connection, nodes), strict=True))
        return [plan.assemble(self._heads.suite, hashes) for plan in plans]

    async def prove_consistency(self, *, old_size: int, new_size: int | None) -> ConsistencyProof:
        """Prove that the tree of one size continues that of another; None is the newest signed size."""
        async with self._database.transaction(read_only=True) as connection:
            latest = await store.load_latest_checkpoint(connection)
            size = 0 if latest is None else latest.tree_size
            wanted = size if new_size is None else new_size
            if not 0 <= old_size <= wanted <= size:
                msg = f"sizes go from 0 to {size}, the old one not above the new one"
                raise BadInput(msg)
            proof = await self._read_plan(connection, plan_consistency(old_size, wanted))
        return ConsistencyProof(old_size=old_size, new_size=wanted, proof=proof)

    async def _read_plan(self, connection: Connection, plan: ProofPlan) -> Proof:
        nodes: Sequence[NodeId] = plan.nodes
        hashes = dict(zip(nodes, await read_nodes(connection, nodes), strict=True)) if nodes else {}
        return plan.assemble(self._heads.suite, hashes)

    async def load_tile(self, tile: TileId) -> bytes:
        """Load a tile (C2SP tlog-tiles) of the signed tree.

        Raises NotFound where the tree is not so large.
        """
        async with self._database.transaction(read_only=True) as connection:
            await self._require_width(connection, tile.level, tile.index, tile.width)
            hashes = await store_proofs.load_tile_hashes(
                connection,
                level=TILE_HEIGHT * tile.level,
                first=TILE_WIDTH * tile.index,
                count=tile.width,
            )
        if len(hashes) != tile.width:
            raise _no_tile()
        return b"".join(hashes)

    async def load_bundle(self, bundle: BundleId, *, caller: Caller) -> bytes:
        """Load an entry bundle, for an auditor. Raises NotFound where it, or a payload, is not there."""
        async with self._database.transaction() as connection:
            await self._require_width(connection, 0, bundle.index, bundle.width)
            found = await store_proofs.load_entry_bytes(
                connection, first=TILE_WIDTH * bundle.index, count=bundle.width
            )
            await self._record(connection, caller, view="bundle", of=str(bundle.index), leaves=bundle.width)
        entries = [entry for _, _, entry in found if entry is not None]
        if len(entries) != bundle.width:
            msg = "payloads of this bundle were dropped by retention; its tile proves their hashes"
            raise NotFound(msg)
        return build_entry_bundle(entries)

    async def _record(
        self, connection: Connection, caller: Caller | None, *, view: str, of: str, leaves: int
    ) -> None:
        await self._log.append(
            connection,
            event=Event.AUDIT_READ,
            caller=caller,
            details={"view": view, "of": of, "leaves": leaves},
        )

    async def _require_width(self, connection: Connection, level: int, index: int, width: int) -> None:
        latest = await store.load_latest_checkpoint(connection)
        if latest is None or tile_width(level, index, latest.tree_size) < width:
            raise _no_tile()


def may_read(leaf: Leaf, caller: Caller | None) -> bool:
    """Tell whether a caller may read a leaf: an auditor, whose act it was, whose data, the hub itself."""
    if caller is None:
        return True
    own = str(caller.organisation_code)
    return Scope.AUDIT in caller.scopes or own in {leaf.organisation_code, leaf.owner_code}


def _readable(entry: bytes | None, leaf_hash: bytes, caller: Caller) -> bytes | None:
    if entry is None or Scope.AUDIT in caller.scopes:
        return entry
    return entry if may_read(read_body(split_entry(entry)[0], leaf_hash=leaf_hash), caller) else None


def _no_tile() -> NotFound:
    return NotFound("the signed tree has no such tile yet")
