"""Acknowledging deliveries, with the subscriber's signature where its system has a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import Caller
from core.database import Connection, Database
from core.errors import BadInput, Conflict, FieldError, NotFound, SchemaViolation
from core.identity.store_credentials import load_credential
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.refusal import RefusalLog
from subscriptions import store
from subscriptions.cursor import CursorSeal
from subscriptions.delivery import store as delivery_store
from subscriptions.delivery.countersign import find_signer, load_keys, write_proof
from subscriptions.delivery.model import Delivery
from subscriptions.ground import Grounds, check_position, load_own, load_own_consumer
from subscriptions.model import Consumer, Cursor, rank

MAX_COUNTERSIGNED: Final = 200


class Acknowledger:
    """Records how far consumers have taken changes over, and tells what was delivered to them."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        seal: CursorSeal,
        grounds: Grounds,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._seal = seal
        self._grounds = grounds
        self._now = now

    async def acknowledge(
        self,
        *,
        caller: Caller,
        subscription_id: UUID,
        consumer: str,
        cursor: str,
        countersignatures: Mapping[UUID, bytes],
    ) -> None:
        """Record that everything up to `cursor` has been taken over; acknowledging it again changes nothing.

        `countersignatures` are SM2 signatures (r ‖ s) over manifests, by delivery. Raises Conflict for a
        cursor before the last one acknowledged or beyond what there is, BadInput for what is no cursor,
        SchemaViolation for a signature that does not hold, GrantMissing where the grant has ended.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=None, resource_code=None, action="changes.acknowledge"
        )
        async with watch, self._database.transaction() as connection:
            ground = await self._grounds.load(
                connection,
                caller=caller,
                subscription_id=subscription_id,
                consumer=consumer,
                for_update=True,
            )
            ground.verify(purpose=None, at=self._now())
            found, resource = ground.consumer, ground.resource
            read = self._seal.parse(cursor, subscription_id=subscription_id, resource=resource)
            await check_position(connection, ground=ground, cursor=read)
            held = rank(found.acknowledged, found.acknowledged_epoch)
            if rank(read.position, read.epoch) < held:
                msg = "a later cursor was acknowledged before; acknowledgements only go forward"
                raise Conflict(msg)
            signed = await self._countersign(connection, caller, found, countersignatures)
            delivered = await self._move(connection, found, read, cursor)
            await self._log.append(
                connection,
                event=Event.CHANGES_ACKNOWLEDGED,
                caller=caller,
                resource_code=resource.code,
                grant_id=ground.grant.id,
                details={
                    "subscription": str(subscription_id),
                    "consumer": consumer,
                    "version": read.position.version,
                    "sequence": read.position.sequence,
                    "deliveries": delivered,
                    "countersigned": signed,
                },
            )

    async def _move(self, connection: Connection, consumer: Consumer, read: Cursor, cursor: str) -> int:
        at = self._now()
        await store.save_place(
            connection,
            consumer_id=consumer.id,
            position=read.position,
            epoch=read.epoch,
            cursor=cursor,
            at=at,
        )
        return await delivery_store.acknowledge_up_to(
            connection, consumer_id=consumer.id, position=read.position, at=at
        )

    async def _countersign(
        self,
        connection: Connection,
        caller: Caller,
        consumer: Consumer,
        countersignatures: Mapping[UUID, bytes],
    ) -> int:
        """Check and keep signatures over manifests; return how many."""
        if not countersignatures:
            return 0
        if len(countersignatures) > MAX_COUNTERSIGNED:
            msg = f"at most {MAX_COUNTERSIGNED} deliveries are countersigned in one call"
            raise BadInput(msg)
        keys = await load_keys(connection, system_id=caller.system_id, at=self._now())
        deliveries = await delivery_store.load_some(
            connection, consumer_id=consumer.id, delivery_ids=countersignatures.keys()
        )
        for delivery_id, signature in countersignatures.items():
            delivery = deliveries.get(delivery_id)
            manifest = b"" if delivery is None else delivery.manifest
            signer = find_signer(keys, signature=signature, manifest=manifest)
            if signer is None or delivery is None:
                raise _not_countersigned(delivery_id)
            await delivery_store.save_countersignature(
                connection, delivery_id=delivery_id, signature=signature, credential_id=signer
            )
        return len(countersignatures)

    async def list_deliveries(
        self, *, caller: Caller, subscription_id: UUID, consumer: str, before: datetime | None, limit: int
    ) -> list[Delivery]:
        """List what was delivered to a consumer, the newest first."""
        async with self._database.acquire() as connection:
            subscription = await load_own(connection, caller=caller, subscription_id=subscription_id)
            found = await load_own_consumer(connection, subscription=subscription, name=consumer)
            return await delivery_store.load_deliveries(
                connection, consumer_id=found.id, before=before, limit=limit
            )

    async def find_delivery(
        self, *, caller: Caller, subscription_id: UUID, consumer: str, delivery_id: UUID
    ) -> Delivery:
        """Return a delivery with its manifest. Raises NotFound."""
        async with self._database.acquire() as connection:
            subscription = await load_own(connection, caller=caller, subscription_id=subscription_id)
            found = await load_own_consumer(connection, subscription=subscription, name=consumer)
            delivery = await delivery_store.load_delivery(
                connection, consumer_id=found.id, delivery_id=delivery_id
            )
        if delivery is None:
            msg = "nothing of that id was delivered to this consumer"
            raise NotFound(msg)
        return delivery

    async def prove(
        self, *, caller: Caller, subscription_id: UUID, consumer: str, delivery_id: UUID
    ) -> dict[str, str]:
        """Return a delivery's countersignature with the key that made it. Raises NotFound."""
        delivery = await self.find_delivery(
            caller=caller, subscription_id=subscription_id, consumer=consumer, delivery_id=delivery_id
        )
        async with self._database.acquire() as connection:
            known = await load_credential(connection, credential_id=delivery.credential_id)
        if delivery.countersignature is None or known is None or known.key is None:
            msg = "this delivery is not countersigned"
            raise NotFound(msg)
        return write_proof(signature=delivery.countersignature, key=known.key, manifest=delivery.manifest)


def _not_countersigned(delivery_id: UUID) -> SchemaViolation:
    detail = (
        "sign the manifest's bytes (SM2 with SM3, default ID, r ‖ s) with a key registered for this system;"
        " deliveries are those of this consumer"
    )
    error = FieldError(pointer=f"/countersignatures/{delivery_id}", code="SIGNATURE", detail=detail)
    return SchemaViolation("a countersignature does not hold", errors=(error,))
