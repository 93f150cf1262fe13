"""The domain words of cascades. The classes of rules are also the form of their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, TypeAlias
from uuid import UUID

from pydantic import ConfigDict, Discriminator

from core.caller import OrganisationCode, SystemId
from evidence.rules.model import FORBID, Requirement


class Operation(StrEnum):
    """What happened to a row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Action(StrEnum):
    """What follows: the hub checks a case again, a case or certificate is suspended, or its owner is told."""

    RECHECK = "recheck"
    SUSPEND = "suspend"
    NOTIFY = "notify"


class EffectState(StrEnum):
    """Where an effect stands.

    `pending`: the issuer confirms or dismisses it, or the hub checks it again, and nothing moves before.
    """

    PENDING = "pending"
    DONE = "done"
    DISMISSED = "dismissed"


class Finding(StrEnum):
    """What the hub found when it checked a fact again.

    `held`: it is as the case has it. `changed`: it is not, or cannot be established any more; the case is
    suspended until it is run again, or a later check finds the fact as it was. `overtaken`: the office ran or
    closed the case before.
    """

    HELD = "held"
    CHANGED = "changed"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSource:
    """A row of `resource` changes: by one of `on`, into a row that meets all of `when` and did not before.

    A row that is deleted meets anything. `holder` is the item that holds the holder's number; without it, the
    rule is about the certificates that were issued from the very row.
    """

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["row"]
    resource: str
    on: tuple[Operation, ...]
    when: tuple[Requirement, ...] = ()
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSource:
    """A certificate of `type_code` gets one of `statuses`; what is held by the same holder rests on it."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["certificate"]
    type_code: str
    statuses: tuple[Literal["suspended", "superseded", "cancelled", "revoked", "withdrawn"], ...]


Source: TypeAlias = Annotated[RowSource | CertificateSource, Discriminator("kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeRule:
    """What an issuer wants done with its own certificates of `target` where `source` changes.

    `confirm`: nothing moves before the issuer has confirmed each effect.
    """

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    code: str
    title: str
    source: Source
    target: str
    action: Literal["suspend", "notify"]
    confirm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRule:
    """A rule with its owner; effects act in the name of the system that put it in force."""

    rule: CascadeRule
    organisation_code: OrganisationCode
    system_id: SystemId
    created_at: datetime
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A change of a row as values by item; None where there is no row on that side."""

    operation: Operation
    before: Mapping[str, object] | None = field(repr=False)
    after: Mapping[str, object] | None = field(repr=False)

    @property
    def sides(self) -> tuple[Mapping[str, object], ...]:
        """The row before and after, as far as it is there."""
        return tuple(each for each in (self.before, self.after) if each is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedCase:
    """A fact of an open case that rests on what changed, and what its item's rules say follows."""

    case_id: UUID
    organisation_code: OrganisationCode
    item_code: str
    item_version: int
    case_number: str
    fact: str
    action: Action = Action.NOTIFY


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedCertificate:
    """A certificate that a rule is about, and the rule."""

    identifier: str
    kept: KeptRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """Everything that a change affects."""

    cases: tuple[AffectedCase, ...]
    certificates: tuple[AffectedCertificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What changed: a resource at a version, or a certificate that got a status."""

    source: str
    version: str
    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect as kept.

    That of a case is settled once the case has been run again, or the hub found the fact to be as it was.
    `finding`, `reason` and `checked_at` are of the hub's own check.
    """

    id: UUID
    organisation_code: OrganisationCode
    cause: Cause
    rule_code: str | None
    case_id: UUID | None
    case_number: str | None
    fact: str | None
    certificate_id: str | None
    action: Action
    state: EffectState
    made_at: datetime
    settled_at: datetime | None
    finding: Finding | None = None
    reason: str | None = None
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Why a case is suspended: a fact of it whose source changed, and what the hub found, if it checked."""

    effect_id: UUID
    fact: str
    cause: Cause
    reason: str | None
    since: datetime
