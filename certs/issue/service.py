"""Issue certificates, one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from certs.face.signer import FaceSigner
from certs.issue import store
from certs.issue.keep import Keeper, MadeCertificate
from certs.issue.model import Certificate, IssueOrder
from certs.issue.prepare import PreparedOrder, Preparer, describe
from certs.issue.production import LayOut
from certs.issue.production import Produce as Produce
from certs.issue.production import ProducedFile as ProducedFile
from certs.issue.production import Production as Production
from certs.issue.record import Entry, Recorder
from certs.issue.record import RequestKey as RequestKey
from certs.issue.rows import ReadRow, RowReference, fill_from_row
from certs.seals.model import OpenSeal
from certs.seals.service import SealService
from certs.seals.timestamps import SealTimeStamps
from core.caller import Caller, Purpose, Scope
from core.database import Database
from core.errors import Conflict, IdempotencyConflict, PurposeMissing, ShuzhengError, Unavailable
from core.grouping import Grouper
from core.log.writer import LogWriter
from core.objects import ObjectStore

logger = logging.getLogger(__name__)

GROUPS: Final = 2
"""Groups of certificates under way at a time: one is made while the other is being registered."""
MAX_GROUP: Final = 16
FULL_GROUP: Final = 8
"""So many calls that wait are a group of their own while another is under way."""
KEY_TAKEN: Final = "this Idempotency-Key came before with another order; take a new key"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCall:
    """One call to issue a certificate."""

    order: IssueOrder
    actor: Caller
    key: RequestKey | None
    purpose: Purpose | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A prepared order with the seal that its file is to bear, its purpose and its request."""

    prepared: PreparedOrder
    seal: OpenSeal
    purpose: Purpose | None
    key: RequestKey | None


SealKey = tuple[str, frozenset[Scope], UUID | None]


class IssueService:
    """Issues certificates for organisations; calls that come at the same time are carried out together."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        log: LogWriter,
        seals: SealService,
        produce: Produce,
        public_url: str,
        now: Callable[[], datetime],
        face: FaceSigner,
        time_stamps: SealTimeStamps,
        lay_out: LayOut | None = None,
        read_row: ReadRow | None = None,
    ) -> None:
        self._database = database
        self._seals = seals
        self._produce = produce
        self._read_row = read_row
        self._lay_out = lay_out
        self._face = face
        self._time_stamps = time_stamps
        self.preparer = Preparer(database=database, public_url=public_url, now=now)
        recorder = Recorder(log=log, now=now)
        self.keeper = Keeper(database=database, objects=objects, recorder=recorder)
        self._together = Grouper(self._issue_group, lanes=GROUPS, max_items=MAX_GROUP, full=FULL_GROUP)

    async def issue(
        self,
        order: IssueOrder,
        *,
        actor: Caller,
        key: RequestKey | None,
        reference: RowReference | None = None,
        purpose: Purpose | None = None,
    ) -> Certificate:
        """Issue one certificate and return it as registered.

        The file is in the object store before the row is written, so that no certificate ever lacks its
        file. With an Idempotency-Key, the same order again returns the certificate of the first time. With a
        `reference`, the row that it names fills the data, read for `purpose`. Raises SchemaViolation with
        everything wrong in the order, NotFound for an unknown type or where the organisation has no seal in
        use, Conflict where the number was issued before or the predecessor cannot be replaced,
        IdempotencyConflict for another order under the same key, StandingChanged for an actor whose token is
        no longer what it was when it let the call in.
        """
        if (done := await self.find_done(actor, key)) is not None:
            return done
        order = await self.fill(order, reference, actor=actor, purpose=purpose)
        call = IssueCall(order=order, actor=actor, key=key, purpose=purpose)
        try:
            return await self._together.submit(call)
        except (Conflict, asyncpg.UniqueViolationError):
            if (done := await self.find_done(actor, key)) is not None:
                return done
            raise

    async def _issue_group(self, calls: Sequence[IssueCall]) -> list[Certificate | Exception]:
        """Carry out several calls; return for each its certificate, or what keeps it from being issued."""
        outcomes: dict[int, Certificate | Exception] = {}
        prepared = await self.preparer.prepare_all([(call.order, call.actor) for call in calls])
        seals = await self.open_seals([each for each in prepared if isinstance(each, PreparedOrder)])
        works: dict[int, Work] = {}
        for place, (call, each) in enumerate(zip(calls, prepared, strict=True)):
            seal = seals[seal_key(each)] if isinstance(each, PreparedOrder) else each
            if isinstance(each, PreparedOrder) and isinstance(seal, OpenSeal):
                works[place] = Work(prepared=each, seal=seal, purpose=call.purpose, key=call.key)
            elif isinstance(seal, Exception):
                outcomes[place] = seal
        files = dict(zip(works, await self.make_files(list(works.values())), strict=True))
        outcomes |= {place: each for place, each in files.items() if isinstance(each, ShuzhengError)}
        made = {place: each for place, each in files.items() if isinstance(each, MadeCertificate)}
        kept = await self.keeper.keep(list(made.values()))
        outcomes |= dict(zip(made, kept, strict=True))
        return [outcomes[place] for place in range(len(calls))]

    async def open_seals(self, prepared: Sequence[PreparedOrder]) -> dict[SealKey, OpenSeal | ShuzhengError]:
        """Open the seals of orders, each once, by `seal_key`, or say why not. Raises Unavailable."""
        seals: dict[SealKey, OpenSeal | ShuzhengError] = {}
        for each in prepared:
            if (key := seal_key(each)) in seals:
                continue
            try:
                seals[key] = await self._seals.open_seal(actor=each.actor, seal_id=each.order.seal_id)
            except Unavailable:
                raise
            except ShuzhengError as refusal:
                seals[key] = refusal
        return seals

    async def preview(
        self,
        order: IssueOrder,
        *,
        actor: Caller,
        reference: RowReference | None = None,
        purpose: Purpose | None = None,
    ) -> Production:
        """Check an order and lay it out, without a seal's signature, and keep nothing. Raises as `issue`."""
        order = await self.fill(order, reference, actor=actor, purpose=purpose)
        prepared = await self.preparer.prepare(order, actor=actor)
        seal = await self._seals.open_seal(actor=actor, seal_id=order.seal_id)
        return await self.lay_out(prepared, seal)

    async def lay_out(self, prepared: PreparedOrder, seal: OpenSeal) -> Production:
        """Lay a prepared order out and forget it."""
        key = await self._face.open()
        production = self.preparer.plan(prepared, seal=seal, face=key)
        if self._lay_out is not None:
            await asyncio.to_thread(self._lay_out, production)
        return production

    async def fill(
        self, order: IssueOrder, reference: RowReference | None, *, actor: Caller, purpose: Purpose | None
    ) -> IssueOrder:
        """Fill an order from the row that it names; as it is where it names none."""
        if reference is None:
            return order
        if self._read_row is None:
            msg = "this hub has no datasets to take rows from"
            raise Unavailable(msg)
        if purpose is None:
            msg = (
                "a row is read for a purpose; send the headers Shuzheng-Service-Item, -Case-Number, -Operator"
            )
            raise PurposeMissing(msg)
        return await fill_from_row(order, reference, read_row=self._read_row, caller=actor, purpose=purpose)

    async def make_files(self, works: Sequence[Work]) -> list[MadeCertificate | ShuzhengError]:
        """Make files in memory, one after another in one thread, for all of it is computing.

        What an order's file is refused for stands in its place. Raises Unavailable.
        """
        if not works:
            return []
        key = await self._face.open()
        is_stamped = any(work.prepared.order.with_timestamp for work in works)
        hook = await self._time_stamps.open() if is_stamped else None

        def make(work: Work) -> MadeCertificate | ShuzhengError:
            order = work.prepared.order
            try:
                production = self.preparer.plan(work.prepared, seal=work.seal, face=key)
                stamp = hook if order.with_timestamp else None
                produced = self._produce(replace(production, timestamp=stamp))
                certificate = describe(work.prepared, production, produced)
            except Unavailable:
                raise
            except ShuzhengError as refusal:
                return refusal
            except Exception:
                logger.exception("the file of one order cannot be made")
                return Unavailable("the hub cannot make the file of this order; its log says why")
            entry = Entry(
                certificate=certificate,
                actor=work.prepared.actor,
                purpose=work.purpose,
                source=order.source,
                key=work.key,
            )
            return MadeCertificate(entry=entry, data=produced.data)

        return await asyncio.to_thread(lambda: list(map(make, works)))

    async def find_done(self, actor: Caller, key: RequestKey | None) -> Certificate | None:
        """Return what came of a key before; None at its first use. Raises IdempotencyConflict."""
        if key is None:
            return None
        found = (await self.find_all_done(actor, [key])).get(key.key)
        if isinstance(found, IdempotencyConflict):
            raise found
        return found

    async def find_all_done(
        self, actor: Caller, keys: Sequence[RequestKey]
    ) -> dict[str, Certificate | IdempotencyConflict]:
        """Return what came of keys before, by key; those at their first use are left out."""
        if not keys:
            return {}
        found: dict[str, Certificate | IdempotencyConflict] = {}
        async with self._database.acquire() as connection:
            names = [key.key for key in keys]
            requests = await store.load_requests(connection, system_id=actor.system_id, keys=names)
            for key in keys:
                request = requests.get(key.key)
                if request is None:
                    continue
                if request.body_sm3 != key.body_sm3:
                    found[key.key] = IdempotencyConflict(KEY_TAKEN)
                else:
                    found[key.key] = await store.load_certificate(connection, identifier=request.identifier)
        return found


def seal_key(prepared: PreparedOrder) -> SealKey:
    """Tell apart whose seal an order asks for, and with what duties."""
    return prepared.actor.organisation_code, prepared.actor.scopes, prepared.order.seal_id
