"""Putting right what the credit formats of 2016 and 2018 have the other way round.

The 2016 format keeps the organisation code in its second and the registration number in its third code item;
the 2018 format has them reversed, and senders mix them up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from exchange.catalogue.model import Item, Rule, RuleKind, Severity
from exchange.publish.check_digits import breaks_organisation_code
from exchange.publish.columns import Mask, TextColumn, as_text
from exchange.publish.cross_checks import Failure, build_failure


def mend_swapped(
    rules: Sequence[Rule], items: Mapping[str, Item], sent: dict[str, pa.Array]
) -> list[Failure]:
    """Swap the two codes, in place, where only the second is an organisation code; flag those rows."""
    failures = []
    for rule in rules:
        if rule.kind is not RuleKind.SWAPPED or not all(name in sent for name in rule.items):
            continue
        first, second = rule.items
        wrong = ~_is_organisation_code(sent[first]) & _is_organisation_code(sent[second])
        if wrong.any():
            mask = pa.array(wrong)
            sent[first], sent[second] = (
                as_text(pc.if_else(mask, sent[second], sent[first])),
                as_text(pc.if_else(mask, sent[first], sent[second])),
            )
        detail = f"and {items[second].title} were the other way round and were put right"
        failures.append(build_failure(wrong, items[first], "SWAPPED-CODES", detail, Severity.FLAG))
    return failures


def _is_organisation_code(column: pa.Array) -> Mask:
    cells = TextColumn(as_text(pc.utf8_upper(pc.utf8_trim_whitespace(column))))
    good: Mask = cells.valid & ~breaks_organisation_code(cells)
    return good
