"""The domain words of the rules: a service item, its materials, their facts, and the ways to each fact.

These classes are also the form of the rules' JSON: member for field, nothing more (`rules.document`).
A value in a rule is text. `$role.code` and `$role.name` stand for an applicant's number and name,
`$input.name` for what the form says, `$fact.CODE.ATTRIBUTE` for what another fact gave; any other text is
itself, and `$$` begins a text that starts with a dollar sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator

FORBID = ConfigDict(extra="forbid")


class PartyKind(StrEnum):
    """What an applicant is."""

    PERSON = "person"
    ORGANISATION = "organisation"
    ANY = "any"


class Comparison(StrEnum):
    """How a value of a source is tested (see `Requirement`)."""

    EQUALS = "equals"
    ONE_OF = "one_of"
    NOT_PAST = "not_past"
    FILLED = "filled"


class Clean(StrEnum):
    """What a credit check hopes for: that no row is there, or that one is."""

    ABSENT = "absent"
    PRESENT = "present"


class Confirm(StrEnum):
    """How many sources a fact needs: the first that establishes it, or all, which must then agree."""

    FIRST = "first"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a source's `item` must be: equal to `values[0]`, one of `values`, a day not past, filled in."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    item: str
    test: Comparison
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateWay:
    """A certificate of a type that the role holds, valid on the day.

    `gives` names attributes of the fact by items on the certificate's face, or by its own `number`,
    `issued_on`, `valid_from`, `valid_until`, `holder_name`, `holder_code`, `identifier`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["certificate"]
    type_code: str
    holder: str
    gives: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetWay:
    """Shared items of one row of a dataset, found by all its `keys`; the attributes that they give."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["dataset"]
    resource: str
    keys: Mapping[str, str]
    gives: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[Requirement, ...] = ()
    max_age_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationWay:
    """Assertions about one subject of a dataset, all of which must match; no value leaves the source."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["verification"]
    resource: str
    subject: Mapping[str, str]
    assertions: Mapping[str, str]
    max_age_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditWay:
    """Whether rows of a credit dataset name the subject: good where it is as `clean` says."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["credit"]
    resource: str
    where: Mapping[str, str]
    clean: Clean = Clean.ABSENT
    max_age_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWay:
    """A question to the department that knows (协助核查), which answers within working days."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["request"]
    department: str
    question: str
    within_days: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentWay:
    """A commitment in the fact's place (告知承诺): what is confirmed, and in how many days it is checked."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["commitment"]
    template: str
    verify_within_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ToleranceWay:
    """The material may follow later (容缺受理), within working days."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["tolerance"]
    within_days: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AbolishedWay:
    """The material is no longer required; `basis` says by which document."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["abolished"]
    basis: str


SourceWay: TypeAlias = CertificateWay | DatasetWay | VerificationWay | CreditWay
Way: TypeAlias = Annotated[
    SourceWay | RequestWay | CommitmentWay | ToleranceWay | AbolishedWay, Discriminator("kind")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCondition:
    """True where the role is filled, by an applicant of that kind."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["role"]
    role: str
    is_a: PartyKind = PartyKind.ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCondition:
    """True where the input is given, and is one of `one_of` where that is not empty."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["input"]
    input: str
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """True where all, any or none of several conditions are."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    kind: Literal["all", "any", "none"]
    of: tuple[Condition, ...]


Condition: TypeAlias = Annotated[RoleCondition | InputCondition | Combined, Discriminator("kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A part that somebody plays in a case, such as the company or its legal representative."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    name: str
    title: str
    kind: PartyKind = PartyKind.ANY
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FormInput:
    """A value that the applicant states on the form, such as the address of the premises."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    name: str
    title: str
    required: bool = False


class OnChange(StrEnum):
    """What follows for an open case where a row or certificate changes that its fact rests on.

    `notify`: its office is told. `recheck`: the hub establishes the fact again by itself, and suspends the
    case where it is not as it was. `suspend`: the case is suspended. Running the case again ends any of them.
    """

    NOTIFY = "notify"
    RECHECK = "recheck"
    SUSPEND = "suspend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact, and the ways to establish it in their order.

    `reuse_days`: what a case of the same bundle established is good for that long (0: never). `on_change`:
    what follows for an open case where its source changes.
    """

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    code: str
    title: str
    ways: tuple[Way, ...]
    confirm: Confirm = Confirm.FIRST
    reuse_days: int = 0
    on_change: OnChange = OnChange.NOTIFY


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A material (材料) that the item's guide lists; the facts that it proves, all of them; and when."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    code: str
    title: str
    facts: tuple[str, ...]
    when: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example applicant that the rules are tested against before release.

    `roles` and `inputs` are who fills which role and what the form says; `required` are the codes of
    exactly the materials that this applicant needs. `ways` names, for facts worth it, the kinds of the ways
    by which this applicant can meet the fact, in their order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    name: str
    roles: Mapping[str, PartyKind]
    required: tuple[str, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    ways: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceItem:
    """A service item (事项) as its office's guide has it; not owned by the hub.

    `form` names, for each field of the form, the value that fills it in. `bundles` are the codes of the
    bundles (一件事) that the item is part of. A release in which an example of `examples` fails is refused.
    """

    __pydantic_config__: ClassVar[ConfigDict] = FORBID
    code: str
    title: str
    office: str
    region: str
    roles: tuple[Role, ...]
    facts: tuple[Fact, ...]
    materials: tuple[Material, ...]
    inputs: tuple[FormInput, ...] = ()
    form: Mapping[str, str] = field(default_factory=dict)
    bundles: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    def fact(self, code: str) -> Fact:
        """Return the fact of that code; the model checker saw to it that it is there."""
        return next(each for each in self.facts if each.code == code)


class VersionState(StrEnum):
    """Where a version of an item's rules stands."""

    DRAFT = "draft"
    RELEASED = "released"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVersion:
    """One version of an item's rules; `digest_sm3` is that of the document as canonical JSON, in hex."""

    item: ServiceItem
    version: int
    state: VersionState
    digest_sm3: str
    saved_at: datetime
    released_at: datetime | None = None
    retired_at: datetime | None = None


class Severity(StrEnum):
    """What a finding means for the release: an error forbids it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFinding:
    """What the model checker says of one place of the rules."""

    pointer: str
    code: str
    detail: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place in which two versions differ; None where it is absent on that side."""

    pointer: str
    before: object
    after: object
