"""The domain words of notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode


class NoticeKind(StrEnum):
    """What a notice is about."""

    APPLICATION_RECEIVED = "application.received"
    APPLICATION_DECIDED = "application.decided"
    APPLICATION_OVERDUE = "application.overdue"
    GRANTED_AUTOMATICALLY = "grant.automatic"
    GRANT_CHANGED = "grant.changed"
    GRANT_REVOKED = "grant.revoked"
    OBJECTION_RAISED = "objection.raised"
    OBJECTION_OVERDUE = "objection.overdue"
    OBJECTION_CLOSED = "objection.closed"
    CORRECTION = "correction"
    GUARD_ALERT = "guard.alert"
    LEADS_OVERDUE = "leads.overdue"
    UNDERTAKING = "evidence.undertaking"
    ASKED_NEEDLESSLY = "evidence.asked_needlessly"
    CASCADE = "evidence.cascade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice. `organisation_code` None addresses the platform's administrators.

    `details` holds ids, codes and item names; never row contents or personal numbers.
    """

    id: UUID
    organisation_code: OrganisationCode | None
    kind: NoticeKind
    resource_code: str | None
    details: Mapping[str, object]
    created_at: datetime
    read_at: datetime | None = None
