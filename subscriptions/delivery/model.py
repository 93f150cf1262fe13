"""The domain words of deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from subscriptions.model import Position


class Proof(StrEnum):
    """What a manifest's digest is made of.

    `rows`: the order-independent digest of the rows, as accounting makes it, and the body's. `body`: SM3 of
    the body alone, which costs a tenth of it.
    """

    ROWS = "rows"
    BODY = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A batch that was handed to a consumer: the changes between two cursors.

    `first` and `last` are the places of the first and the last change. `manifest` is canonical JSON,
    `receipt` the hub's signed receipt of it. `countersignature` is the subscriber's SM2 signature
    over `manifest`, made with the key `credential_id`; without one its acknowledgement is what there is.
    """

    id: UUID
    consumer_id: UUID
    form: str
    from_cursor: str
    to_cursor: str
    first: Position
    last: Position
    rows: int
    size_bytes: int
    manifest: bytes
    receipt: bytes
    delivered_at: datetime
    acknowledged_at: datetime | None = None
    countersignature: bytes | None = None
    credential_id: UUID | None = None
