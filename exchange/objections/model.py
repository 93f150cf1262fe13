"""The domain words of objections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode


class ObjectionState(StrEnum):
    """Where an objection stands. While it is open every answer marks the value as disputed."""

    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Ruling(StrEnum):
    """What the owner says: the value was wrong and is corrected, or it stands."""

    UPHOLD = "uphold"
    REJECT = "reject"


class HoldingBasis(StrEnum):
    """How an organisation came to hold a value."""

    QUERY = "query"
    VERIFY = "verify"
    SUBSCRIPTION = "subscription"
    SHARE = "share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """An objection to one item of one row. `row_key` are the key's values as text, in key order.

    `seen_version` is the version at which the disputed value was current.
    """

    id: UUID
    resource_code: str
    item: str
    row_key: tuple[str, ...]
    subject_hmac: bytes | None
    row_digest: bytes
    seen_version: int
    organisation_code: OrganisationCode
    grant_id: UUID
    claim: str
    basis: str
    state: ObjectionState
    raised_at: datetime
    due_at: datetime
    escalated_at: datetime | None = None
    escalated_to: OrganisationCode | None = None
    closed_at: datetime | None = None
    closing_reason: str | None = None
    corrected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the old value, under which grant, and how that is known."""

    organisation_code: OrganisationCode
    grant_id: UUID
    basis: HoldingBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One organisation's share in a correction: which value of which row is now another.

    `change` is what its grant shows of the row today, an ordinary change; None where the grant has ended or
    only allows verification.
    """

    id: UUID
    objection: Objection
    holder: Holder
    created_at: datetime
    read_at: datetime | None = None
    change: Mapping[str, object] | None = None
