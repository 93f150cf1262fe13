"""What a ready schema is, and the short words in which the schemas are written.

What is mandatory, how each item is shared and which rules hold are proposals of this project, which a
department changes by registering its own resource. Widths that the sources mark as customary are customary
here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.caller import OrganisationCode
from exchange.catalogue.model import (
    CheckRule,
    Item,
    Resource,
    Rule,
    RuleKind,
    ShareType,
    Theme,
    UpdateCycle,
)

OPEN: Final = ShareType.UNCONDITIONAL
ASK: Final = ShareType.CONDITIONAL
CLOSED: Final = ShareType.NOT_SHARED
CONDITION: Final = "凭办理事项和法定依据共享"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardSchema:
    """A schema that a department can publish under as it is."""

    code: str
    title: str
    summary: str
    theme: Theme
    update_cycle: UpdateCycle
    items: tuple[Item, ...]
    rules: tuple[Rule, ...] = ()

    def build(
        self, *, provider_code: OrganisationCode, code: str | None = None, title: str | None = None
    ) -> Resource:
        """Make a resource of `provider_code` with this schema's items and rules."""
        return Resource(
            code=code or self.code,
            title=title or self.title,
            summary=self.summary,
            theme=self.theme,
            provider_code=provider_code,
            update_cycle=self.update_cycle,
            items=self.items,
            rules=self.rules,
        )


def item(
    name: str,
    title: str,
    form: str,
    *,
    key: bool = False,
    must: bool = False,
    share: ShareType = ASK,
    basis: str = "",
    codes: str | None = None,
    rule: CheckRule | None = None,
    sensitive: bool = False,
    description: str = "",
    element: str | None = None,
) -> Item:
    """Write one item; a key is required, and a conditional item has the usual condition."""
    return Item(
        name=name,
        title=title,
        format=form,
        is_key=key,
        is_required=must or key,
        share_type=share,
        share_basis=basis or (CONDITION if share is ASK else ""),
        code_list=codes,
        check_rule=rule,
        is_sensitive=sensitive,
        description=description,
        element=element,
    )


def in_order(first: str, second: str) -> Rule:
    """Write that `first` is not later than `second`."""
    return Rule(kind=RuleKind.ORDER, items=(first, second))


def not_future(*items: str) -> Rule:
    """Write that no day of the items is ahead of now."""
    return Rule(kind=RuleKind.NOT_FUTURE, items=items)


def required_if(wanted: str, told: str, *values: str) -> Rule:
    """Write that `wanted` is filled in where `told` is one of `values`."""
    return Rule(kind=RuleKind.REQUIRED_IF, items=(wanted, told), values=values)
