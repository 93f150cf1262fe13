"""Validating a batch of text: every reason for every row, and the good rows as typed columns.

The work is done column by column with numpy and pyarrow; Python touches only the rows that fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exchange.accounting.canonical import canonical_keys
from exchange.catalogue.formats import Format, Kind, parse_format
from exchange.catalogue.model import CheckRule, Item, Resource, RuleKind, Severity
from exchange.publish import check_digits, checks, days
from exchange.publish.columns import Mask, TextColumn, as_text, to_mask
from exchange.publish.cross_checks import Failure, build_failure, check_rules, cross_check
from exchange.publish.decoded import DecodedBatch
from exchange.publish.model import Reason, Reject
from exchange.publish.swapped import mend_swapped
from exchange.publish.typed import ROW_COLUMN, arrow_type
from exchange.publish.validated import ValidatedBatch

UPPER_RULES: Final = {
    CheckRule.CITIZEN_NUMBER,
    CheckRule.CREDIT_CODE,
    CheckRule.ORGANISATION_CODE,
    CheckRule.CERTIFICATE_IDENTIFIER,
}
BLANKED_KINDS: Final = {Kind.DAY, Kind.SECOND, Kind.DECIMAL}
OLD_PLACEHOLDER_DAY: Final = datetime(1900, 1, 1, tzinfo=UTC).date()
_CHECKS: Final[dict[CheckRule, tuple[Callable[[TextColumn], Mask], str, str]]] = {
    CheckRule.CITIZEN_NUMBER: (
        check_digits.breaks_citizen_number,
        "CITIZEN-NUMBER",
        "is not a valid citizen number (GB 11643)",
    ),
    CheckRule.CREDIT_CODE: (
        check_digits.breaks_credit_code,
        "CREDIT-CODE",
        "is not a valid credit code (GB 32100)",
    ),
    CheckRule.ORGANISATION_CODE: (
        check_digits.breaks_organisation_code,
        "ORGANISATION-CODE",
        "is not a valid organisation code (GB 11714)",
    ),
    CheckRule.CERTIFICATE_IDENTIFIER: (
        check_digits.breaks_certificate_identifier,
        "CERTIFICATE-IDENTIFIER",
        "is not a valid certificate identifier (GB/T 36904)",
    ),
}


class Validator:
    """Validates batches of one resource. `columns` maps the file's headers to item names."""

    def __init__(
        self,
        resource: Resource,
        columns: dict[str, str],
        *,
        keys_only: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        wanted = set(columns.values())
        if keys_only:
            wanted &= {item.name for item in resource.key_items}
        self._columns = {header: name for header, name in columns.items() if name in wanted}
        self._items = {item.name: item for item in resource.items if item.name in wanted}
        self._key_names = [item.name for item in resource.key_items]
        self._formats = {name: parse_format(item.format) for name, item in self._items.items()}
        self._codes = {
            item.name: pa.array([each.code for each in item.codes], pa.string())
            for item in self._items.values()
            if item.code_list is not None
        }
        self._retired = {
            item.name: pa.array(retired, pa.string())
            for item in self._items.values()
            if (retired := [each.code for each in item.codes if each.is_retired])
        }
        self._rules = () if keys_only else resource.rules
        self._tolerated = {
            (name, code)
            for rule in self._rules
            if rule.kind is RuleKind.TOLERATE
            for name in rule.items
            for code in rule.values
        }
        self._now = now

    @property
    def item_names(self) -> list[str]:
        """The items that accepted rows carry, in the file's order."""
        return list(self._columns.values())

    @property
    def schema(self) -> pa.Schema:
        """The columns of accepted rows: `_row`, then the items."""
        fields = [(name, arrow_type(self._formats[name])) for name in self.item_names]
        return pa.schema([(ROW_COLUMN, pa.int64()), *fields])

    def validate(self, batch: DecodedBatch) -> ValidatedBatch:
        """Validate one decoded batch; accepted and rejected rows together are all its rows."""
        if not batch.columns:
            return ValidatedBatch(accepted=self.schema.empty_table(), rejects=batch.malformed)
        values: dict[str, pa.Array] = {}
        sent = {name: as_text(batch.columns[header]) for header, name in self._columns.items()}
        failures = mend_swapped(self._rules, self._items, sent)
        broken: dict[str, Mask] = {}
        for name in self._columns.values():
            values[name], found = self._check_item(self._items[name], sent[name])
            failures += found
            broken[name] = _any_of(found, len(values[name]))
        failures += cross_check(self._items, values, broken)
        failures += check_rules(self._rules, self._items, values, self._now())
        failures = [self._judge(failure) for failure in failures if failure.mask.any()]
        rejecting = [failure for failure in failures if failure.severity is Severity.REJECT]
        bad = _any_of(rejecting, len(batch.numbers))
        numbers = pa.array(np.asarray(batch.numbers, dtype=np.int64))
        table = pa.table([numbers, *values.values()], schema=self.schema)
        if not failures:
            return ValidatedBatch(accepted=table, rejects=batch.malformed)
        flagging = [failure for failure in failures if failure.severity is Severity.FLAG]
        return ValidatedBatch(
            accepted=table.filter(pa.array(~bad)) if rejecting else table,
            rejects=(*batch.malformed, *_collect(batch, bad, failures, self._keys_of(table))),
            flags=tuple(_collect(batch, _any_of(flagging, len(bad)) & ~bad, flagging, self._keys_of(table))),
        )

    def _keys_of(self, table: pa.Table) -> Callable[[list[int]], list[str | None]]:
        """Return what tells the keys of the rows at some places; None where a key is not whole."""

        def keys_at(places: list[int]) -> list[str | None]:
            taken = table.select(self._key_names).take(pa.array(places))
            whole = np.ones(len(places), dtype=np.bool_)
            for column in taken.columns:
                whole &= ~to_mask(column.combine_chunks().is_null())
            keys = canonical_keys(taken, self._key_names).to_pylist()
            # PostgreSQL's text holds no NUL; a key that has one is refused and never comes back.
            return [
                key if there and "\x00" not in key else None for key, there in zip(keys, whole, strict=True)
            ]

        return keys_at

    def _judge(self, failure: Failure) -> Failure:
        if (failure.reason.item, failure.reason.code) in self._tolerated:
            return Failure(mask=failure.mask, reason=failure.reason, severity=Severity.FLAG)
        return failure

    def _check_item(self, item: Item, column: pa.Array) -> tuple[pa.Array, list[Failure]]:
        form = self._formats[item.name]
        if column.null_count == len(column):
            return _check_empty(item, form, column)
        value = checks.clean(column, form, coded=item.code_list is not None or item.check_rule is not None)
        failures = []
        if item.check_rule in UPPER_RULES:
            value = pc.ascii_upper(value) if TextColumn(value).is_ascii else pc.utf8_upper(value)
        if form.kind in BLANKED_KINDS:
            value, blanked = checks.blank_placeholders(value)
            detail = "held a placeholder, which was read as empty"
            failures.append(build_failure(blanked, item, "PLACEHOLDER", detail, Severity.FLAG))
        failures.append(
            build_failure(
                checks.has_control(value), item, "CONTROL-CHARACTER", "holds NUL or a control character"
            )
        )
        if (item.is_required or item.is_key) and value.null_count:
            missing = ~TextColumn(value).valid
            failures.append(build_failure(missing, item, "REQUIRED", "is empty and must not be"))
        failures += self._check_codes(item, value)
        value, found = _check_format(item, form, value)
        return value, failures + found

    def _check_codes(self, item: Item, value: pa.Array) -> list[Failure]:
        failures = []
        if item.code_list is not None:
            bad = checks.breaks_code_list(value, self._codes[item.name])
            detail = f"is not in the code list {item.code_list}"
            failures.append(build_failure(bad, item, "UNKNOWN-CODE", detail))
        if item.name in self._retired:
            old = to_mask(pc.is_in(value, self._retired[item.name]))
            detail = f"is a code that the code list {item.code_list} has retired"
            failures.append(build_failure(old, item, "RETIRED-CODE", detail, Severity.FLAG))
        if item.check_rule is CheckRule.DIVISION_CODE:
            bad = checks.breaks_division(value)
            failures.append(
                build_failure(bad, item, "UNKNOWN-DIVISION", "is not a known division (GB/T 2260)")
            )
        elif item.check_rule is not None:
            breaks, code, detail = _CHECKS[item.check_rule]
            cells = TextColumn(value)
            bad = breaks(cells)
            failures.append(build_failure(bad, item, code, detail))
            if item.check_rule is CheckRule.CREDIT_CODE:
                inner = check_digits.breaks_inner_code(cells) & ~bad
                detail = "carries an organisation code with a wrong check (GB 11714)"
                failures.append(build_failure(inner, item, "INNER-CHECK", detail, Severity.FLAG))
        return failures


def _any_of(failures: Sequence[Failure], count: int) -> Mask:
    bad = checks.never(count)
    for failure in failures:
        bad |= failure.mask
    return bad


def _check_empty(item: Item, form: Format, column: pa.Array) -> tuple[pa.Array, list[Failure]]:
    values = pa.nulls(len(column), arrow_type(form))
    if not (item.is_required or item.is_key):
        return values, []
    everywhere = np.ones(len(column), dtype=np.bool_)
    return values, [build_failure(everywhere, item, "REQUIRED", "is empty and must not be")]


def _check_format(item: Item, form: Format, value: pa.Array) -> tuple[pa.Array, list[Failure]]:
    if form.kind is Kind.DAY:
        value, bad = days.standardise_days(value)
        old = checks.is_day(value, OLD_PLACEHOLDER_DAY)
        detail = "is 1900-01-01, which often stands for unknown"
        return value, [
            build_failure(bad, item, "DATE", "is not a day that exists (YYYYMMDD)"),
            build_failure(old, item, "SENTINEL-DATE", detail, Severity.FLAG),
        ]
    if form.kind is Kind.SECOND:
        value, bad = days.standardise_seconds(value)
        return value, [build_failure(bad, item, "TIME", "is not a time that exists (YYYYMMDDhhmmss)")]
    if form.kind is Kind.BOOLEAN:
        value, bad = checks.standardise_boolean(value)
        return value, [build_failure(bad, item, "BOOLEAN", "is neither yes (1, 是) nor no (0, 否)")]
    if form.kind is Kind.DECIMAL:
        value, bad = checks.standardise_decimal(value, form)
        return value, [build_failure(bad, item, "NUMBER", f"is not a number of the form {item.format}")]
    failures = [
        build_failure(
            checks.breaks_length(value, form), item, "LENGTH", f"breaks the length of {item.format}"
        )
    ]
    if form.kind is Kind.DIGITS:
        failures.append(build_failure(checks.breaks_digits(value), item, "DIGITS", "is not all digits"))
    return value, failures


def _collect(
    batch: DecodedBatch,
    bad: Mask,
    failures: Sequence[Failure],
    keys_at: Callable[[list[int]], list[str | None]],
) -> Iterator[Reject]:
    """Gather the reasons of each bad row, in the order of the checks."""
    places = np.flatnonzero(bad).tolist()
    if not places:
        return
    reasons: dict[int, list[Reason]] = {place: [] for place in places}
    for failure in failures:
        for place in np.flatnonzero(failure.mask & bad).tolist():
            reasons[place].append(failure.reason)
    cells = pa.table([as_text(c) for c in batch.columns.values()], names=list(batch.columns))
    originals = cells.take(pa.array(places)).to_pylist()
    for place, original, key in zip(places, originals, keys_at(places), strict=True):
        number = int(batch.numbers[place])
        yield Reject(row_number=number, original=original, reasons=tuple(reasons[place]), key=key)
