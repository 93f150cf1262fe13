"""The domain words of the log, and the catalogue of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Event(StrEnum):
    """Every event that is logged. `core.log.events` declares each with its fields."""

    ORGANISATION_REGISTERED = "organisation.registered"
    ORGANISATION_STATUS_CHANGED = "organisation.status_changed"
    ORGANISATION_SIGNATURES_CHANGED = "organisation.signatures_changed"
    SYSTEM_REGISTERED = "system.registered"
    SYSTEM_STATUS_CHANGED = "system.status_changed"
    SYSTEM_NETWORKS_CHANGED = "system.networks_changed"
    CREDENTIAL_ADDED = "credential.added"
    CREDENTIAL_REVOKED = "credential.revoked"
    TOKEN_ISSUED = "token.issued"  # noqa: S105 - the name of an event
    TOKEN_REFUSED = "token.refused"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    REQUEST_REFUSED = "request.refused"
    PERSON_REGISTERED = "person.registered"
    PERSON_CHANGED = "person.changed"
    PERSON_PROOFS_CHANGED = "person.proofs_changed"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGN_IN_REFUSED = "person.sign_in_refused"
    PERSON_SIGNED_OUT = "person.signed_out"
    KEY_CERTIFIED = "key.certified"
    KEY_REVOKED = "key.revoked"
    RESOURCE_REGISTERED = "resource.registered"
    RESOURCE_STATE_CHANGED = "resource.state_changed"
    ELEMENT_REGISTERED = "element.registered"
    CODE_LIST_CHANGED = "code_list.changed"
    RESOURCE_EVOLVED = "resource.evolved"
    RESOURCE_SUPERSEDED = "resource.superseded"
    BATCH_PUBLISHED = "batch.published"
    REJECTS_READ = "rejects.read"
    QUALITY_RULES_SET = "quality_rules.set"
    STATIONS_RECONCILED = "stations.reconciled"
    CHANGES_PRUNED = "changes.pruned"
    ACCESS_APPLIED = "access.applied"
    ACCESS_DECIDED = "access.decided"
    ACCESS_EXTENDED = "access.extended"
    ACCESS_ESCALATED = "access.escalated"
    RULES_SET = "rules.set"
    GRANT_REVOKED = "grant.revoked"
    GRANT_SHRUNK = "grant.shrunk"
    MASKS_SET = "masks.set"
    OBJECTION_RAISED = "objection.raised"
    OBJECTION_CLOSED = "objection.closed"
    OBJECTION_ESCALATED = "objection.escalated"
    CORRECTIONS_READ = "corrections.read"
    GUARD_ALERTED = "guard.alerted"
    DATA_QUERIED = "data.queried"
    FACTS_VERIFIED = "facts.verified"
    ACCESS_REFUSED = "access.refused"
    SUBSCRIPTION_CREATED = "subscription.created"
    CHANGES_READ = "changes.read"
    CHANGES_ACKNOWLEDGED = "changes.acknowledged"
    CONSUMER_CHANGED = "consumer.changed"
    TARGET_CHANGED = "target.changed"
    CHANGES_PARKED = "changes.parked"
    CHANGES_REDRIVEN = "changes.redriven"
    DELIVERIES_PRUNED = "deliveries.pruned"
    LAKE_CHOSEN = "lake.chosen"
    LAKE_WRITTEN = "lake.written"
    LAKE_TENDED = "lake.tended"
    SHARE_PROFILE_ISSUED = "share_profile.issued"
    SHARE_PROFILE_REVOKED = "share_profile.revoked"
    SHARE_READ = "share.read"
    LEADS_PUSHED = "leads.pushed"
    LEAD_SIGNED = "lead.signed"
    LEAD_ANSWERED = "lead.answered"
    CERTIFICATE_TYPE_REGISTERED = "certificate_type.registered"
    SEAL_REGISTERED = "seal.registered"
    SEAL_STATUS_CHANGED = "seal.status_changed"
    SEAL_FETCHED = "seal.fetched"
    SEAL_USED = "seal.used"
    CERTIFICATE_ISSUED = "certificate.issued"
    CERTIFICATE_STATUS_CHANGED = "certificate.status_changed"
    CERTIFICATE_FETCHED = "certificate.fetched"
    STATEMENT_VERIFIED = "statement.verified"
    CERTIFICATE_VERIFIED = "certificate.verified"
    CERTIFICATE_AUTHORISED = "certificate.authorised"
    CERTIFICATE_PRESENTED = "certificate.presented"
    COPIES_ONLY_SET = "copies_only.set"
    COPY_MADE = "copy.made"
    OBJECTS_COLLECTED = "objects.collected"
    SERVICE_ITEM_SAVED = "service_item.saved"
    SERVICE_ITEM_RELEASED = "service_item.released"
    SERVICE_ITEM_RETIRED = "service_item.retired"
    EVIDENCE_RESOLVED = "evidence.resolved"
    EVIDENCE_CASE_CLOSED = "evidence.case_closed"
    EVIDENCE_RECEIPT_ISSUED = "evidence.receipt_issued"
    EVIDENCE_ASKED = "evidence.asked"
    CASCADE_RULE_SET = "cascade.rule_set"
    CASCADE_RULE_RETIRED = "cascade.rule_retired"
    CASCADE_PREVIEWED = "cascade.previewed"
    CASCADE_EFFECT = "cascade.effect"
    CASCADE_CHECKED = "cascade.checked"
    CASCADE_SETTLED = "cascade.settled"
    UNDERTAKING_MADE = "undertaking.made"
    UNDERTAKING_CLOSED = "undertaking.closed"
    INQUIRY_READ = "inquiry.read"
    CREDIT_ROWS_READ = "credit_rows.read"
    CREDIT_DATASET_NAMED = "credit_dataset.named"
    CREDIT_DATASET_TAKEN_BACK = "credit_dataset.taken_back"
    CREDIT_ENTERED = "credit_dataset.entered"
    CREDIT_PUBLISHED = "credit_dataset.published"
    AUDIT_READ = "audit.read"
    SUBJECTS_NAMED = "subjects.named"
    ROWS_RECORDED = "rows.recorded"
    ROWS_ADOPTED = "rows.adopted"
    LOG_CHECKED = "log.checked"
    LOG_EXPORTED = "log.exported"
    LOG_RESTORED = "log.restored"
    PAYLOADS_DROPPED = "log.payloads_dropped"
    WITNESS_REGISTERED = "witness.registered"
    WITNESS_RETIRED = "witness.retired"
    CHECKPOINT_COSIGNED = "checkpoint.cosigned"
    CHECKPOINT_TIME_STAMPED = "checkpoint.time_stamped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One act as recorded. `body` is canonical JSON; every other field stands in it too.

    `leaf_hash` is the hash of the body. `person` is the login of whoever signed in, where a person acted.
    `subjects` are the keyed hashes of the persons and firms that the act was about. `leaf_index` is None
    until the sequencer has given the leaf its place.
    """

    id: UUID
    recorded_at: datetime
    event: Event
    organisation_code: str
    system_id: UUID | None
    operator: str | None
    service_item: str | None
    case_number: str | None
    on_behalf_of: str | None
    owner_code: str | None
    resource_code: str | None
    grant_id: UUID | None
    certificate_id: str | None
    subjects: tuple[bytes, ...]
    details: Mapping[str, object]
    body: str
    leaf_hash: bytes
    leaf_index: int | None
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed head of the log: `note` is the whole signed note (C2SP tlog-checkpoint)."""

    tree_size: int
    root_hash: bytes
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A committed leaf that waits for its place: what the sequencer needs of it.

    `body` is there only where the leaf has subjects, whose chains become part of its entry.
    """

    leaf_id: UUID
    leaf_hash: bytes
    subjects: tuple[bytes, ...]
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """The number-th leaf about a subject stands at `leaf_index`."""

    subject_hmac: bytes
    number: int
    leaf_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Another party that cosigns heads; `verifier_key` after C2SP signed-note.

    A retired one cosigns no more.
    """

    name: str
    verifier_key: str
    is_retired: bool
