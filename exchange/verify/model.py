"""The domain words of verification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from signing.canonical_json import JsonValue


class Outcome(StrEnum):
    """What a verification says of one assertion.

    `not_found`: no such subject, or nothing is recorded of it under this item. `not_unique`: the subject
    keys fit several rows. `disputed`: the value is under objection. `source_unavailable`: nothing has been
    published yet. `not_authorised`: the grant does not cover the item.
    """

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_FOUND = "not_found"
    NOT_UNIQUE = "not_unique"
    DISPUTED = "disputed"
    SOURCE_UNAVAILABLE = "source_unavailable"
    NOT_AUTHORISED = "not_authorised"


class Operator(StrEnum):
    """How a value is compared.

    Equality alone: an order (`before`, `at least`) would let twenty wrong guesses find any day or amount.
    """

    EQ = "eq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """One fact to check: `item` `operator` `value`."""

    item: str
    operator: Operator
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The outcome of one assertion."""

    item: str
    operator: Operator
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The answer to all assertions of one call. `opening` is the salt of the digests in the receipt.

    Who holds the salt can show which subject and assertions the receipt is about; who holds only the
    receipt cannot find that out by trying numbers.
    """

    resource_code: str
    grant_id: UUID
    version: int
    as_of: datetime | None
    judgements: tuple[Judgement, ...]
    opening: str
    receipt: JsonValue


class ReceiptIssuer(Protocol):
    """Whatever signs receipts."""

    async def issue(self, payload: Mapping[str, JsonValue], /) -> JsonValue:
        """Return the receipt of `payload` as JSON."""
