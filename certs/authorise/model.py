"""The domain words of authorised use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode


class AuthorisationMode(StrEnum):
    """By what right a certificate is used: function (依职能), holder (授权), delegation (委托)."""

    FUNCTION = "function"
    HOLDER = "holder"
    DELEGATION = "delegation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """That one organisation may use one certificate for one case, `max_uses` times, until `expires_at`.

    `original` lets it have the original file; otherwise only data and annotated copies.
    """

    id: UUID
    mode: AuthorisationMode
    identifier: str
    organisation_code: OrganisationCode
    service_item: str
    case_number: str
    original: bool
    max_uses: int
    uses: int
    granted_by: UUID
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """That a delegate may authorise the use of one certificate in its holder's place."""

    id: UUID
    identifier: str
    delegate_code: str
    delegate_code_type: str
    granted_by: UUID
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
