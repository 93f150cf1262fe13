"""The catalogue of events: what each means and which typed fields its details have.

A field is written `name`, `name:kind` or, where it may be absent, `name?`. Kinds: text (default), integer,
boolean, texts (a list), counts (names with integers), rows (of `core.log.recorded_rows`).
`docs/audit-events.md` holds `render_catalogue()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.log.model import Event


class Kind(StrEnum):
    """The type of one field."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXTS = "texts"
    COUNTS = "counts"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an event's details."""

    name: str
    kind: Kind
    is_optional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpec:
    """When an event is recorded, and the fields of its details by name."""

    when: str
    fields: Mapping[str, Field]
    required: frozenset[str]


def _spec(when: str, fields: str = "") -> EventSpec:
    parsed = []
    for text in fields.split():
        name, _, kind = text.removesuffix("?").partition(":")
        parsed.append(Field(name=name, kind=Kind(kind or "text"), is_optional=text.endswith("?")))
    return EventSpec(
        when=when,
        fields={field.name: field for field in parsed},
        required=frozenset(field.name for field in parsed if not field.is_optional),
    )


_ACCOUNTING = (
    "batch resource mode version:integer? received:integer accepted:integer rejected:integer inserted:integer"
    " updated:integer unchanged:integer deleted:integer missing:integer current_rows:integer"
    " rejected_by_reason:counts flagged:integer flagged_by_reason:counts tickets_closed:integer"
    " accepted_digest body_sm3"
)

CATALOGUE: Mapping[Event, EventSpec] = {
    Event.ORGANISATION_REGISTERED: _spec("an organisation was registered", "organisation name"),
    Event.ORGANISATION_STATUS_CHANGED: _spec(
        "an organisation was suspended or made active again", "organisation status"
    ),
    Event.ORGANISATION_SIGNATURES_CHANGED: _spec(
        "whether an organisation signs its requests was decided", "organisation rule"
    ),
    Event.SYSTEM_REGISTERED: _spec("a system was registered", "system organisation scopes:texts"),
    Event.SYSTEM_STATUS_CHANGED: _spec("a system was suspended or made active again", "system status"),
    Event.SYSTEM_NETWORKS_CHANGED: _spec(
        "the addresses that a system may call from were decided", "system networks:texts?"
    ),
    Event.CREDENTIAL_ADDED: _spec(
        "a system was given a secret or a key; former ones of the kind end at `former_until`",
        "system credential kind not_after? former:integer former_until?",
    ),
    Event.CREDENTIAL_REVOKED: _spec(
        "a system's secret or key was revoked, and its tokens with it", "system credential kind"
    ),
    Event.TOKEN_ISSUED: _spec("a bearer token was issued to a system", "scopes:texts expires_at credential?"),
    Event.TOKEN_REFUSED: _spec("a system's credentials were wrong", "code"),
    Event.TOKEN_REVOKED: _spec("a bearer token was revoked"),
    Event.REQUEST_REFUSED: _spec("a request's signature or address was refused", "code"),
    Event.PERSON_REGISTERED: _spec("a person was registered", "login organisation roles:texts"),
    Event.PERSON_CHANGED: _spec(
        "a person was suspended, made active again, or given other roles", "login status? roles:texts?"
    ),
    Event.PERSON_PROOFS_CHANGED: _spec(
        "a password or second factor was set, reset or removed; `what` says which", "login what"
    ),
    Event.PERSON_SIGNED_IN: _spec("a person signed in", "factor expires_at"),
    Event.PERSON_SIGN_IN_REFUSED: _spec(
        "password or second factor of the person named was wrong; with `is_locked` the login is locked now",
        "is_locked:boolean",
    ),
    Event.PERSON_SIGNED_OUT: _spec("a person signed out"),
    Event.KEY_CERTIFIED: _spec("the hub made a key and its certificate", "subject profile serial"),
    Event.KEY_REVOKED: _spec("a certificate of the hub's authority was revoked", "serial reason:integer"),
    Event.RESOURCE_REGISTERED: _spec(
        "a resource was described, as a draft or for the catalogue", "items:texts"
    ),
    Event.RESOURCE_STATE_CHANGED: _spec(
        "a resource became a draft, was submitted, published, recalled or deleted", "from to reason"
    ),
    Event.ELEMENT_REGISTERED: _spec("a data element was registered", "element title"),
    Event.CODE_LIST_CHANGED: _spec(
        "a code list was registered or given a new version", "code_list version:integer changes:texts"
    ),
    Event.RESOURCE_EVOLVED: _spec(
        "a published resource was given a wider description", "revision:integer changes:texts"
    ),
    Event.RESOURCE_SUPERSEDED: _spec(
        "a new major version took a resource's place", "successor readable_until carried:texts broken:texts"
    ),
    Event.BATCH_PUBLISHED: _spec("a batch was published: its whole accounting", _ACCOUNTING),
    Event.REJECTS_READ: _spec("a provider read its quarantine", "batch kind rows:integer"),
    Event.QUALITY_RULES_SET: _spec("a provider set the quality rules of a resource", "rules:texts"),
    Event.STATIONS_RECONCILED: _spec(
        "two stations of a resource were compared",
        "left right version:integer rows:integer different:integer",
    ),
    Event.CHANGES_PRUNED: _spec(
        "changes were pruned by retention, versions from to", "from:integer to:integer"
    ),
    Event.ACCESS_APPLIED: _spec(
        "an organisation applied for items",
        "application items:texts modes:texts service_items:texts filtered_by:texts valid_until",
    ),
    Event.ACCESS_DECIDED: _spec(
        "an application was decided", "application applicant state reason automatic:boolean items:texts"
    ),
    Event.ACCESS_REFUSED: _spec("a known caller was refused", "action? code? act? basis? status? refusal?"),
    Event.ACCESS_EXTENDED: _spec("a provider extended the time for an answer", "application due_at reason"),
    Event.ACCESS_ESCALATED: _spec("an answer was overdue", "application provider applicant due_at to"),
    Event.RULES_SET: _spec(
        "an administrator set deadlines, calendar days, limits or thresholds, or released an alert",
        "what request_type? share_type? jurisdiction? working_days:integer? extension_days:integer?"
        " days:counts? kind? threshold:integer? window_s:integer? scope? name? per_minute:integer? alert?",
    ),
    Event.GRANT_REVOKED: _spec("a grant was revoked", "holder reason"),
    Event.GRANT_SHRUNK: _spec("a grant was narrowed", "holder reason items:texts modes:texts valid_until"),
    Event.MASKS_SET: _spec("a provider set the default masks of a resource", "items:texts"),
    Event.OBJECTION_RAISED: _spec("a value was disputed", "objection item due_at"),
    Event.OBJECTION_CLOSED: _spec(
        "an objection was upheld, rejected or withdrawn",
        "objection state reason version:integer holders:texts",
    ),
    Event.OBJECTION_ESCALATED: _spec("the answer to an objection was overdue", "objection to"),
    Event.CORRECTIONS_READ: _spec("corrections of values held were read", "corrections:texts items:texts"),
    Event.GUARD_ALERTED: _spec(
        "the guard noticed a pattern of calls",
        "alert kind level:integer seen:integer threshold:integer window_s:integer",
    ),
    Event.DATA_QUERIED: _spec(
        "rows were read under a grant",
        "items:texts searched_by:texts rows:integer version:integer masked:texts? as_of_version:integer?",
    ),
    Event.FACTS_VERIFIED: _spec(
        "assertions about a subject were judged",
        "items:texts outcomes:counts matched:texts version:integer",
    ),
    Event.SUBSCRIPTION_CREATED: _spec("a subscription began", "subscription start version:integer kind"),
    Event.CHANGES_READ: _spec(
        "changes were handed over; `snapshot` is the version of the rows that a page of a snapshot held",
        "subscription items:texts rows:integer from to delivery manifest_sm3? snapshot:integer?",
    ),
    Event.CHANGES_ACKNOWLEDGED: _spec(
        "changes were acknowledged",
        "subscription consumer version:integer sequence:integer deliveries:integer countersigned:integer",
    ),
    Event.CONSUMER_CHANGED: _spec(
        "a consumer of a subscription was added, removed, paused, resumed, rewound or skipped changes",
        "subscription consumer act reason to?",
    ),
    Event.TARGET_CHANGED: _spec(
        "a target that changes are brought to was added, stopped, resumed or given another secret",
        "subscription consumer act kind reason?",
    ),
    Event.CHANGES_PARKED: _spec(
        "changes that a target refused were parked",
        "subscription consumer letter from to rows:integer reason",
    ),
    Event.CHANGES_REDRIVEN: _spec(
        "parked changes were taken at last", "subscription consumer letter from to rows:integer"
    ),
    Event.DELIVERIES_PRUNED: _spec(
        "deliveries were pruned; digest: SM3 over their ids, manifests and countersignatures",
        "before deliveries:integer rows:integer letters:integer digest",
    ),
    Event.LAKE_CHOSEN: _spec("a provider chose whether a resource is followed into the lake", "followed"),
    Event.LAKE_WRITTEN: _spec(
        "a version was written to its table in the lake; how: whole, appended, merged, nothing, found",
        "version:integer how commit:integer inserted:integer updated:integer deleted:integer",
    ),
    Event.LAKE_TENDED: _spec(
        "a table in the lake was compacted, and files that no kept version needs were removed",
        "joined:integer removed:integer kept_from",
    ),
    Event.SHARE_PROFILE_ISSUED: _spec(
        "a profile file of Delta Sharing was downloaded under a grant of mode bulk", "profile expires_at"
    ),
    Event.SHARE_PROFILE_REVOKED: _spec("a profile file was revoked", "profile"),
    Event.SHARE_READ: _spec(
        "files of a shared table were given out; kind: snapshot, or changes of the versions from to",
        "profile kind from:integer to:integer items:texts masked:texts? rows:integer files:integer",
    ),
    Event.LEADS_PUSHED: _spec(
        "changes became leads, to be signed for and answered", "subscription leads:integer to"
    ),
    Event.LEAD_SIGNED: _spec("a subscriber signed for a lead", "subscription lead at overdue:boolean"),
    Event.LEAD_ANSWERED: _spec(
        "a subscriber said what came of a lead", "subscription lead at overdue:boolean result"
    ),
    Event.CERTIFICATE_TYPE_REGISTERED: _spec(
        "certificate types or their service items were registered",
        "type? version:integer? name? service_items:texts? shipped_types:integer?",
    ),
    Event.SEAL_REGISTERED: _spec(
        "a seal was registered, perhaps as the successor of another",
        "seal organisation name seal_code signers:integer predecessor?",
    ),
    Event.SEAL_STATUS_CHANGED: _spec(
        "a seal was suspended, reactivated, replaced or destroyed", "seal from to reason revoked:boolean?"
    ),
    Event.SEAL_FETCHED: _spec("the file of a seal was downloaded", "seal"),
    Event.SEAL_USED: _spec(
        "a seal was set on a document, other than to issue a certificate",
        "seal act document_sm3 digest_sm3 stamps:integer lock:boolean timestamp:boolean",
    ),
    Event.CERTIFICATE_ISSUED: _spec(
        "a certificate was issued under a seal",
        "type version:integer digest_sm3 sealed_sm3 seal predecessor? source? source_version:integer?"
        " source_sm3?",
    ),
    Event.CERTIFICATE_STATUS_CHANGED: _spec("a certificate changed its status", "from to reason"),
    Event.CERTIFICATE_FETCHED: _spec(
        "a certificate was searched or fetched", "act type? found:integer? basis? status? refusal? copy?"
    ),
    Event.STATEMENT_VERIFIED: _spec("a statement about a certificate was judged", "result:integer status?"),
    Event.CERTIFICATE_VERIFIED: _spec("a file was verified", "status register match? digest_sm3"),
    Event.CERTIFICATE_AUTHORISED: _spec(
        "the use of a certificate was authorised or delegated, that was taken back, or holders listed it",
        "act authorisation?",
    ),
    Event.CERTIFICATE_PRESENTED: _spec("a presentation took a step", "presentation status"),
    Event.COPIES_ONLY_SET: _spec(
        "service items were named that get only annotated copies of a type", "type service_items:texts"
    ),
    Event.COPY_MADE: _spec(
        "an annotated copy was made and sealed with the issuer's seal",
        "copy seal expires_at original_sm3 digest_sm3",
    ),
    Event.OBJECTS_COLLECTED: _spec(
        "files that no certificate owns were looked for", "removed:integer waiting:integer"
    ),
    Event.SERVICE_ITEM_SAVED: _spec(
        "an office saved rules of a service item as a draft", "item version:integer office digest_sm3"
    ),
    Event.SERVICE_ITEM_RELEASED: _spec(
        "the rules of a service item came into force", "item version:integer office digest_sm3"
    ),
    Event.SERVICE_ITEM_RETIRED: _spec(
        "the rules of a service item went out of force", "item version:integer office digest_sm3"
    ),
    Event.EVIDENCE_RESOLVED: _spec(
        "the materials of a case were resolved; `answer_sm3` is that of the whole answer",
        "case item version:integer run:integer outcomes:counts calls:integer answer_sm3 bundle?",
    ),
    Event.EVIDENCE_CASE_CLOSED: _spec("an office closed a case", "case item number"),
    Event.EVIDENCE_RECEIPT_ISSUED: _spec(
        "an applicant's receipt of what was not requested was issued; `payload_sm3` is that of its payload",
        "case item run:integer payload_sm3",
    ),
    Event.EVIDENCE_ASKED: _spec(
        "an office asked an applicant for a material; `finding` says why it was not to",
        "asking case item material finding?",
    ),
    Event.CASCADE_RULE_SET: _spec("an issuer's cascade rule came into force", "rule target action"),
    Event.CASCADE_RULE_RETIRED: _spec("an issuer's cascade rule went out of force", "rule"),
    Event.CASCADE_PREVIEWED: _spec(
        "what a change of a row or a certificate would affect was shown",
        "source cases:integer certificates:integer",
    ),
    Event.CASCADE_EFFECT: _spec(
        "a change of a row or a certificate affects a fact of a case, or a certificate by a rule",
        "effect source version trigger action state case? fact? rule? certificate?",
    ),
    Event.CASCADE_CHECKED: _spec(
        "the hub checked again a fact of a case whose source had changed", "effect case fact finding reason"
    ),
    Event.CASCADE_SETTLED: _spec("an issuer confirmed or dismissed an effect", "effect state"),
    Event.UNDERTAKING_MADE: _spec(
        "an applicant committed to a fact or to deliver later, or a department was asked for a fact",
        "undertaking kind case fact text_sm3 due_at department? confirmation? signature_sm3? signer_sm3?",
    ),
    Event.UNDERTAKING_CLOSED: _spec(
        "an undertaking was kept, breached, answered, delivered, withdrawn, or went overdue",
        "undertaking kind case fact state reason",
    ),
    Event.INQUIRY_READ: _spec("a department read a question put to it", "undertaking"),
    Event.CREDIT_ROWS_READ: _spec("an office wrote its commitments as rows of credit", "rows:integer"),
    Event.CREDIT_DATASET_NAMED: _spec("a provider named its dataset into which the hub publishes breaches"),
    Event.CREDIT_DATASET_TAKEN_BACK: _spec("a provider named no dataset for breaches any more"),
    Event.CREDIT_ENTERED: _spec("breaches of undertakings were entered for the credit dataset"),
    Event.CREDIT_PUBLISHED: _spec(
        "the hub published what an undertaking came to into the credit dataset, or was refused there",
        "undertaking told state batch? reason?",
    ),
    Event.AUDIT_READ: _spec("an audit trail was read", "view of? leaves:integer"),
    Event.SUBJECTS_NAMED: _spec("further subjects of an act whose own leaf could not hold them all", "leaf"),
    Event.ROWS_RECORDED: _spec(
        "what rows look like after an act, as keyed tags of their columns", "act? rows:rows"
    ),
    Event.ROWS_ADOPTED: _spec("columns of tables are recorded from now on", "tables:texts"),
    Event.LOG_CHECKED: _spec(
        "the log was checked against its tree, heads and tables",
        "tree_size:integer root? leaves:integer findings:integer first_findings:texts",
    ),
    Event.LOG_EXPORTED: _spec("the log was exported", "tree_size:integer manifest_sm3"),
    Event.LOG_RESTORED: _spec("the log was restored from an export", "tree_size:integer manifest_sm3"),
    Event.PAYLOADS_DROPPED: _spec(
        "payloads of leaves were dropped by retention", "before leaves:integer first:integer last:integer sm3"
    ),
    Event.WITNESS_REGISTERED: _spec("a witness of the log was registered", "witness key"),
    Event.WITNESS_RETIRED: _spec("a witness of the log was retired", "witness key"),
    Event.CHECKPOINT_COSIGNED: _spec(
        "a witness cosigned a head of the log", "witness tree_size:integer signature_sm3"
    ),
    Event.CHECKPOINT_TIME_STAMPED: _spec(
        "a time-stamp authority stamped a head of the log", "tree_size:integer token_sm3"
    ),
}


def render_catalogue() -> str:
    """Render the catalogue as the table of `docs/audit-events.md`."""
    lines = ["| event | when | details |", "| --- | --- | --- |"]
    for event, spec in CATALOGUE.items():
        fields = ", ".join(_render_field(field) for field in spec.fields.values())
        lines.append(f"| `{event}` | {spec.when} | {fields or 'none'} |")
    return "\n".join(lines) + "\n"


def _render_field(field: Field) -> str:
    kind = "" if field.kind is Kind.TEXT else f" {field.kind}"
    return f"{field.name}{kind}{' (optional)' if field.is_optional else ''}"


if __name__ == "__main__":
    print(render_catalogue(), end="")  # noqa: T201 - what this program is for
