"""Manifests: what a delivered batch held, as canonical JSON that the hub signs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID, uuid4

import pyarrow as pa

from exchange.access.model import Grant
from exchange.accounting.digest import digest_table
from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json
from subscriptions.delivery.model import Delivery, Proof
from subscriptions.feed.disputes import Disputed, list_places
from subscriptions.model import Consumer, Position, Subscription
from subscriptions.threads import run_sized

MANIFEST_FORMAT: Final = "shuzheng-delivery/1"


class ManifestSigner(Protocol):
    """Signs a JSON value as a receipt with the value embedded."""

    async def issue(self, payload: dict[str, JsonValue], /) -> bytes:
        """Return the receipt as canonical JSON."""


class ManifestMaker:
    """Makes deliveries: counts, digests, has the manifest signed."""

    def __init__(self, *, signer: ManifestSigner, now: Callable[[], datetime]) -> None:
        self._signer = signer
        self._now = now

    async def make(
        self,
        *,
        subscription: Subscription,
        consumer: Consumer,
        grant: Grant,
        table: pa.Table,
        body: bytes,
        form: str,
        proof: Proof,
        from_cursor: str,
        to_cursor: str,
        disputed: Disputed,
    ) -> Delivery:
        """Make the delivery of a feed's table of at least one row, handed over as `body`."""
        delivery_id, delivered_at = uuid4(), self._now()
        first, last = place_at(table, 0), place_at(table, table.num_rows - 1)
        payload: dict[str, JsonValue] = {
            "format": MANIFEST_FORMAT,
            "delivery": str(delivery_id),
            "subscription": str(subscription.id),
            "consumer": consumer.name,
            "organisation": str(subscription.organisation_code),
            "resource": subscription.resource_code,
            "grant": str(grant.id),
            "first": str(first),
            "last": str(last),
            "rows": table.num_rows,
            "columns": [{"name": field.name, "type": str(field.type)} for field in table.schema],
            "media_type": form,
            "body_sm3": await run_sized(table.num_rows, hash_body, body),
            "delivered_at": delivered_at.isoformat(),
        }
        if disputed:
            payload["disputed"] = {
                item: list(places) for item, places in list_places(table, disputed).items()
            }
        if proof is Proof.ROWS:
            payload["rows_digest"] = await run_sized(table.num_rows, digest_rows, table)
        return Delivery(
            id=delivery_id,
            consumer_id=consumer.id,
            form=form,
            from_cursor=from_cursor,
            to_cursor=to_cursor,
            first=first,
            last=last,
            rows=table.num_rows,
            size_bytes=len(body),
            manifest=build_canonical_json(payload),
            receipt=await self._signer.issue(payload),
            delivered_at=delivered_at,
        )


def hash_body(body: bytes) -> str:
    """Return SM3 of a body, in hex."""
    return sm3.digest(body).hex()


def digest_rows(table: pa.Table) -> str:
    """Digest the rows of a feed's table, place and operation included, whatever their order; in hex."""
    return digest_table(table, table.column_names).digest.hex()


def place_at(table: pa.Table, number: int) -> Position:
    """Return the place of a row of a feed's table."""
    return Position(version=table.column(0)[number].as_py(), sequence=table.column(1)[number].as_py())


def describe(delivery: Delivery, subscription_id: UUID) -> dict[str, object]:
    """Describe a delivery for a log leaf."""
    return {
        "subscription": str(subscription_id),
        "rows": delivery.rows,
        "from": str(delivery.first),
        "to": str(delivery.last),
        "delivery": str(delivery.id),
        "manifest_sm3": sm3.digest(delivery.manifest).hex(),
    }
