"""The domain words of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from core.caller import OrganisationCode
from exchange.catalogue.metadata import Metadata
from exchange.codes.model import SHIPPED, Code


class Theme(StrEnum):
    """The base catalogue (基础目录) that a resource belongs to."""

    POPULATION = "population"
    LEGAL_PERSON = "legal_person"
    SPATIAL = "spatial"
    CREDIT = "credit"
    CERTIFICATE = "certificate"
    OTHER = "other"


class ShareType(StrEnum):
    """Share type (共享类型), decided per item."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    NOT_SHARED = "not_shared"


class UpdateCycle(StrEnum):
    """How often the provider promises to update (更新周期)."""

    REALTIME = "realtime"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half_yearly"
    YEARLY = "yearly"
    IRREGULAR = "irregular"
    NEVER = "never"


class ResourceState(StrEnum):
    """Where a resource stands: being written, before its reviewer, in the catalogue, or taken out of it."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"
    RECALLED = "recalled"


class CheckRule(StrEnum):
    """A check that goes beyond an item's format."""

    CITIZEN_NUMBER = "citizen_number"
    CREDIT_CODE = "credit_code"
    ORGANISATION_CODE = "organisation_code"
    CERTIFICATE_IDENTIFIER = "certificate_identifier"
    DIVISION_CODE = "division_code"


class Severity(StrEnum):
    """What becomes of a row that breaks a rule: refused, or taken and marked."""

    REJECT = "reject"
    FLAG = "flag"


class RuleKind(StrEnum):
    """The rules that a resource may set beyond its items' own formats and checks."""

    ORDER = "order"
    NOT_FUTURE = "not_future"
    REQUIRED_IF = "required_if"
    UNIQUE = "unique"
    REFERENCE = "reference"
    TOLERATE = "tolerate"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One quality rule of a resource.

    `order`: items[0] is not later than items[1]. `not_future`: no day or time of the items is ahead of the
    hub's clock. `required_if`: items[0] is filled in where items[1] is one of `values`. `unique`: no two rows
    agree in the items. `reference`: the items are, in order, the key of a row of the resource `target`.
    `tolerate`: the reasons in `values` flag a row for the items instead of refusing it. `swapped`: items[0]
    is an organisation code and items[1] another number; where a row has them the other way round, as senders
    do that mix the credit formats of 2016 and 2018, they are put right and the row is flagged.
    """

    kind: RuleKind
    items: tuple[str, ...]
    severity: Severity = Severity.REJECT
    values: tuple[str, ...] = ()
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One data item (数据项), that is one column.

    `format` is written in the mini-language of the legal-person specification: `C18`, `C..50`, `n2`,
    `n..12`, `N..24,6`, `YYYYMMDD`, `YYYYMMDDhhmmss`, `B`. `code_list` names a code list, and
    `registered_codes` are its codes where a department keeps it: no part of the description.
    `share_basis` is the condition of conditional sharing, or the legal basis for not sharing. `element` names
    the data element (数据元) that the item is of. `source_item` is where the value comes from in
    `source_system`. `is_authoritative`: this department is the one source of the item (一数一源).
    """

    name: str
    title: str
    format: str
    is_key: bool = False
    is_required: bool = False
    share_type: ShareType = ShareType.CONDITIONAL
    share_basis: str = ""
    code_list: str | None = None
    check_rule: CheckRule | None = None
    is_sensitive: bool = False
    title_en: str = ""
    description: str = ""
    element: str | None = None
    source_system: str = ""
    source_item: str = ""
    update_cycle: UpdateCycle | None = None
    is_authoritative: bool = False
    is_incremental: bool = False
    is_open: bool = False
    registered_codes: tuple[Code, ...] = field(default=(), compare=False, repr=False)

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codes that the item's values are of; none where it names no code list."""
        return () if self.code_list is None else SHIPPED.get(self.code_list, self.registered_codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """An information resource (信息资源): one published dataset.

    `items` are in column order. `current_version` is 0 before the first batch. `external_codes` maps a
    scheme to the code that the resource has there. `schema_version` counts the revisions of the description;
    `major` counts its incompatible successors, of which each has a code and tables of its own:
    `superseded_by` names the next, and this one stays readable through the day `readable_until`.
    """

    code: str
    title: str
    summary: str
    theme: Theme
    provider_code: OrganisationCode
    update_cycle: UpdateCycle
    items: tuple[Item, ...]
    external_codes: dict[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    schema_version: int = 1
    current_version: int = 0
    current_rows: int = 0
    metadata: Metadata = field(default_factory=Metadata)
    state: ResourceState = ResourceState.PUBLISHED
    state_reason: str = ""
    published_at: datetime | None = None
    major: int = 1
    supersedes: str | None = None
    superseded_by: str | None = None
    readable_until: date | None = None
    key_items: tuple[Item, ...] = field(init=False, repr=False, compare=False)
    """The items that identify a row."""
    _by_name: Mapping[str, Item] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the key items, and the items by their names, once."""
        object.__setattr__(self, "key_items", tuple(item for item in self.items if item.is_key))
        object.__setattr__(self, "_by_name", {item.name: item for item in reversed(self.items)})

    @property
    def share_type(self) -> ShareType:
        """The share type of the whole: that of its freest item, since each item is shared by its own."""
        order = list(ShareType)
        return min((item.share_type for item in self.items), key=order.index, default=ShareType.NOT_SHARED)

    def item(self, name: str) -> Item | None:
        """Return the item of that name, or None."""
        return self._by_name.get(name)
