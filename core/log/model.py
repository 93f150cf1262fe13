"""The domain words of the log, and the catalogue of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Event(StrEnum):
    """Every event that is logged. `docs/audit-events.md` lists them with their fields; a test compares."""

    ORGANISATION_REGISTERED = "organisation.registered"
    SYSTEM_REGISTERED = "system.registered"
    SYSTEM_STATUS_CHANGED = "system.status_changed"
    KEY_CERTIFIED = "key.certified"
    KEY_REVOKED = "key.revoked"
    RESOURCE_REGISTERED = "resource.registered"
    BATCH_PUBLISHED = "batch.published"
    REJECTS_READ = "rejects.read"
    ACCESS_APPLIED = "access.applied"
    ACCESS_DECIDED = "access.decided"
    GRANT_REVOKED = "grant.revoked"
    DATA_QUERIED = "data.queried"
    FACTS_VERIFIED = "facts.verified"
    ACCESS_REFUSED = "access.refused"
    SUBSCRIPTION_CREATED = "subscription.created"
    CHANGES_READ = "changes.read"
    CHANGES_ACKNOWLEDGED = "changes.acknowledged"
    CERTIFICATE_TYPE_REGISTERED = "certificate_type.registered"
    SEAL_REGISTERED = "seal.registered"
    CERTIFICATE_ISSUED = "certificate.issued"
    CERTIFICATE_STATUS_CHANGED = "certificate.status_changed"
    CERTIFICATE_FETCHED = "certificate.fetched"
    CERTIFICATE_VERIFIED = "certificate.verified"
    AUDIT_READ = "audit.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One act as recorded. `body` is the canonical JSON whose bytes are hashed into the tree.

    `leaf_index` is None until the sequencer has given the leaf its place.
    """

    id: UUID
    recorded_at: datetime
    event: Event
    organisation_code: str
    operator: str | None
    service_item: str | None
    case_number: str | None
    resource_code: str | None
    grant_id: UUID | None
    certificate_id: str | None
    details: Mapping[str, object]
    body: str
    leaf_hash: bytes
    leaf_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed head of the log: `note` is the whole signed note (C2SP tlog-checkpoint)."""

    tree_size: int
    root_hash: bytes
    note: str
    signed_at: datetime
