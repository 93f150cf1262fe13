"""Who used a person's or firm's data, for what: the subject's chain, and the proof that it is all there.

What makes the list provably complete: every leaf about a subject carries its number in the subject's chain
and the hash of the one before, inside the signed tree; and the hub signs a statement of how many there are in
the tree of a given size. Leaving out a leaf breaks the numbers; leaving out the newest contradicts either the
statement or, where the statement lies, the tree itself: a leaf numbered higher than the statement below the
statement's size proves the lie, and whoever holds an export finds it (`statement_check`).

Readings that hand out rows without naming each row's subject (feeds, bulk copies) are counted in a chain of
their resource; the statement says how many there were of each, and `resource:CODE` in a number's place proves
them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from core.caller import Caller
from core.database import Connection, Database
from core.errors import TooLarge, Unavailable
from core.log import store, store_proofs, store_views
from core.log.chain import name_mass_reading
from core.log.model import Checkpoint, Event, Leaf
from core.log.proofs import ProofService
from core.log.subject_proof import MassReading, SubjectLeaf, SubjectProof, build_statement
from core.log.writer import LogWriter
from signing.canonical_json import JsonValue, build_canonical_json, parse_json
from signing.merkle.receipts_async import Batcher

MAX_PROOF_LEAVES: Final = 5000
LoadResources = Callable[[Connection], Awaitable[Sequence[str]]]


class StatementSigner(Protocol):
    """Signs statements; the receipt verifies offline with the CA certificate alone."""

    async def issue(self, payload: Mapping[str, JsonValue]) -> bytes:
        """Sign a JSON payload and return its receipt with the payload embedded."""


class BatchStatements:
    """Signs statements through a Batcher that its owner opens and closes."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    async def issue(self, payload: Mapping[str, JsonValue]) -> bytes:
        """Sign a JSON payload and return its receipt with the payload embedded."""
        body = build_canonical_json(payload)
        receipt = parse_json(await self._batcher.submit(body))
        assert isinstance(receipt, dict)
        return build_canonical_json({**receipt, "payload": parse_json(body)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPage:
    """A page of the leaves about a subject.

    `total` is how many there are in the tree of `checkpoint`; `leaves` are (number, leaf), None where the
    payload was dropped; `waiting` are leaves that have no number yet. `mass_readings` are the readings of
    whole resources in that tree, in which the subject's rows may have been. `statement` is what the hub signs
    of all that; None before the first signed head.
    """

    total: int
    checkpoint: Checkpoint | None
    leaves: tuple[tuple[int, int, Leaf | None], ...]
    waiting: tuple[Leaf, ...]
    mass_readings: tuple[MassReading, ...]
    statement: bytes | None


class SubjectService:
    """Answers who used a subject's data.

    `load_resources` loads the codes of all resources there ever were.
    """

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        proofs: ProofService,
        statements: StatementSigner,
        now: Callable[[], datetime],
        load_resources: LoadResources,
    ) -> None:
        self._database = database
        self._load_resources = load_resources
        self._log = log
        self._proofs = proofs
        self._statements = statements
        self._now = now

    async def load(self, number: str, *, caller: Caller | None, after: int, limit: int) -> SubjectPage:
        """Load a page of a subject's leaves above the number `after`.

        Looking is itself recorded in the chain.
        """
        subject = self._log.hash_subject(number)
        async with self._database.transaction() as connection:
            latest = await store.load_latest_checkpoint(connection)
            size = 0 if latest is None else latest.tree_size
            total = await store_proofs.load_chain_count(connection, subject_hmac=subject, tree_size=size)
            places = await store_proofs.load_chain_indexes(
                connection, subject_hmac=subject, after=after, limit=limit, tree_size=size
            )
            leaves = await store_views.load_leaves_at(connection, indexes=[index for _, index in places])
            waiting = await store_views.load_waiting_about(connection, subject_hmac=subject)
            last = await store_proofs.load_chain_head(connection, subject_hmac=subject, tree_size=size)
            mass_readings = await self._load_mass_readings(connection, tree_size=size)
            await self._log.append(
                connection,
                event=Event.AUDIT_READ,
                caller=caller,
                subject=number,
                details={"view": "subject", "leaves": len(places)},
            )
        statement = None
        if latest is not None:
            payload = build_statement(
                number=number,
                subject_hmac=subject,
                count=total,
                last_leaf_hash=last,
                mass_readings=mass_readings,
                head=latest,
                stated_at=self._now(),
            )
            statement = await self._statements.issue(payload)
        return SubjectPage(
            total=total,
            checkpoint=latest,
            leaves=tuple((place, index, leaves.get(index)) for place, index in places),
            waiting=tuple(waiting),
            mass_readings=mass_readings,
            statement=statement,
        )

    async def _load_mass_readings(self, connection: Connection, *, tree_size: int) -> tuple[MassReading, ...]:
        """Load how often each resource was read in mass; resources that never were are left out."""
        codes = sorted(await self._load_resources(connection))
        chains = {code: self._log.hash_subject(name_mass_reading(code)) for code in codes}
        counts = await store_proofs.load_chain_counts(
            connection, chains=list(chains.values()), tree_size=tree_size
        )
        return tuple(
            MassReading(resource=code, chain=chain, leaves=counts[chain])
            for code, chain in chains.items()
            if chain in counts
        )

    async def prove(self, number: str, *, caller: Caller | None) -> SubjectProof:
        """Build the proof of all leaves about a subject in the newest signed tree.

        Raises TooLarge above 5,000 leaves, Unavailable before the first signed head.
        """
        subject = self._log.hash_subject(number)
        async with self._database.transaction() as connection:
            latest = await store.load_latest_checkpoint(connection)
            if latest is None:
                msg = "the log has no signed head yet; ask again in a second"
                raise Unavailable(msg)
            places = await store_proofs.load_chain_indexes(
                connection,
                subject_hmac=subject,
                after=0,
                limit=MAX_PROOF_LEAVES + 1,
                tree_size=latest.tree_size,
            )
            if len(places) > MAX_PROOF_LEAVES:
                msg = f"more than {MAX_PROOF_LEAVES} leaves are about this subject; export the log instead"
                raise TooLarge(msg)
            indexes = [index for _, index in places]
            proofs = await self._proofs.prove_many(connection, indexes, tree_size=latest.tree_size)
            entries = await store_proofs.load_entries_at(connection, indexes=indexes)
            leaves = [
                SubjectLeaf(number=place, leaf_index=index, leaf_hash=found[1], entry=found[2], proof=proof)
                for (place, index), proof, found in zip(places, proofs, entries, strict=True)
            ]
            mass_readings = await self._load_mass_readings(connection, tree_size=latest.tree_size)
            await self._log.append(
                connection,
                event=Event.AUDIT_READ,
                caller=caller,
                subject=number,
                details={"view": "subject-proof", "leaves": len(leaves)},
            )
        statement = build_statement(
            number=number,
            subject_hmac=subject,
            count=len(leaves),
            last_leaf_hash=leaves[-1].leaf_hash if leaves else None,
            mass_readings=mass_readings,
            head=latest,
            stated_at=self._now(),
        )
        return SubjectProof(
            subject_hmac=subject,
            note=latest.note,
            leaves=tuple(leaves),
            statement=await self._statements.issue(statement),
        )
