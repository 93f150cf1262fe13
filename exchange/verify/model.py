"""The domain words of verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from signing.canonical_json import JsonValue, parse_json


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


class Difference(StrEnum):
    """Which kind of difference a mismatch shows.

    `former_name`: the asserted name is a former one. `transposed_digits`: two neighbouring places are
    swapped.
    `expired`: the recorded day has passed, the asserted one has not. `address_level`: one address merely says
    less than the other.
    """

    FORMER_NAME = "former_name"
    TRANSPOSED_DIGITS = "transposed_digits"
    EXPIRED = "expired"
    ADDRESS_LEVEL = "address_level"
    OTHER = "other"


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
class Check:
    """Facts to check about one subject of one resource."""

    resource_code: str
    subject: Mapping[str, object]
    assertions: Sequence[Assertion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The outcome of one assertion; `difference` only with a mismatch."""

    item: str
    operator: Operator
    outcome: Outcome
    difference: Difference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answers to one check. `grant_id` None: no grant covers the resource, and nothing was looked up."""

    resource_code: str
    grant_id: UUID | None
    version: int | None
    as_of: datetime | None
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCheck:
    """The answer to one check with the resource's title, and the keyed hash of resource and subject."""

    finding: Finding
    title: str
    budget_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFindings:
    """The answers to all checks of one call, in their order, with one receipt for all.

    `opening` is the salt of the digests in the receipt. Who holds it can show which subjects and assertions
    the receipt is about; who holds only the receipt cannot find that out by trying numbers.
    """

    findings: tuple[Finding, ...]
    opening: str
    receipt_json: bytes

    @property
    def receipt(self) -> JsonValue:
        """The receipt as JSON."""
        return parse_json(self.receipt_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The answer to one check under a grant, with its receipt; see SignedFindings."""

    resource_code: str
    grant_id: UUID
    version: int
    as_of: datetime | None
    judgements: tuple[Judgement, ...]
    opening: str
    receipt_json: bytes

    @property
    def receipt(self) -> JsonValue:
        """The receipt as JSON."""
        return parse_json(self.receipt_json)


class ReceiptIssuer(Protocol):
    """Whatever signs receipts."""

    async def issue(self, payload: Mapping[str, JsonValue], /) -> bytes:
        """Return the receipt of `payload` as JSON text, with the payload in it."""
