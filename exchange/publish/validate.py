"""Validating a batch of text: every reason for every row, and the good rows as typed text.

The work is done column by column with pyarrow; Python touches only the rows that fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from exchange.catalogue.formats import Format, Kind, parse_format
from exchange.catalogue.model import CheckRule, Item, Resource
from exchange.publish import checks
from exchange.publish.decode import DecodedBatch
from exchange.publish.model import Reason, Reject
from exchange.standards.code_lists import CODE_LISTS

ROW_COLUMN: Final = "_row"
UPPER_RULES: Final = {CheckRule.CITIZEN_NUMBER, CheckRule.CREDIT_CODE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The rows (a mask) that fail one check, and what to tell them."""

    mask: pa.Array
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedBatch:
    """`accepted` has `_row` and a text column for each item of the file; `rejects` are the other rows."""

    accepted: pa.Table
    rejects: tuple[Reject, ...]

    @property
    def received_rows(self) -> int:
        """Rows that came in."""
        return int(self.accepted.num_rows) + len(self.rejects)


class Validator:
    """Validates batches of one resource. `columns` maps the file's headers to item names."""

    def __init__(self, resource: Resource, columns: dict[str, str], *, keys_only: bool) -> None:
        wanted = set(columns.values())
        if keys_only:
            wanted &= {item.name for item in resource.key_items}
        self._columns = {header: name for header, name in columns.items() if name in wanted}
        self._items = {item.name: item for item in resource.items if item.name in wanted}
        self._formats = {name: parse_format(item.format) for name, item in self._items.items()}

    @property
    def item_names(self) -> list[str]:
        """The items that accepted rows carry, in the file's order."""
        return list(self._columns.values())

    def validate(self, batch: DecodedBatch) -> ValidatedBatch:
        """Validate one decoded batch; accepted and rejected rows together are all its rows."""
        if not batch.columns:
            return ValidatedBatch(accepted=self._empty(), rejects=batch.malformed)
        values: dict[str, pa.Array] = {}
        failures: list[Failure] = []
        for header, name in self._columns.items():
            values[name], found = self._check_item(self._items[name], batch.columns[header])
            failures += found
        failures += cross_check(self._items, values)
        bad = checks.never(next(iter(values.values())))
        for failure in failures:
            bad = pc.or_(bad, failure.mask)
        table = pa.table({ROW_COLUMN: pa.array(batch.numbers, pa.int64()), **values})
        rejects = tuple(_collect(batch, bad, failures))
        return ValidatedBatch(accepted=table.filter(pc.invert(bad)), rejects=(*batch.malformed, *rejects))

    def _empty(self) -> pa.Table:
        fields = [(ROW_COLUMN, pa.int64()), *((name, pa.string()) for name in self.item_names)]
        return pa.schema(fields).empty_table()

    def _check_item(self, item: Item, column: pa.Array) -> tuple[pa.Array, list[Failure]]:
        form = self._formats[item.name]
        value = checks.clean(column, form, coded=item.code_list is not None or item.check_rule is not None)
        if item.check_rule in UPPER_RULES:
            value = pc.utf8_upper(value)
        failures = [
            _failure(checks.has_control(value), item, "CONTROL-CHARACTER", "holds NUL or a control character")
        ]
        if item.is_required:
            failures.append(_failure(pc.is_null(value), item, "REQUIRED", "is empty and must not be"))
        value, found = _check_format(item, form, value)
        failures += found
        failures += _check_codes(item, value)
        return value, failures


def _failure(mask: pa.Array, item: Item, code: str, detail: str) -> Failure:
    return Failure(mask=mask, reason=Reason(item=item.name, code=code, detail=f"{item.title} {detail}"))


def _check_format(item: Item, form: Format, value: pa.Array) -> tuple[pa.Array, list[Failure]]:
    if form.kind is Kind.DAY:
        value, bad = checks.standardise_day(value)
        return value, [_failure(bad, item, "DATE", "is not a day that exists (YYYYMMDD)")]
    if form.kind is Kind.SECOND:
        value, bad = checks.standardise_second(value)
        return value, [_failure(bad, item, "TIME", "is not a time that exists (YYYYMMDDhhmmss)")]
    if form.kind is Kind.BOOLEAN:
        value, bad = checks.standardise_boolean(value)
        return value, [_failure(bad, item, "BOOLEAN", "is neither yes (1, 是) nor no (0, 否)")]
    if form.kind is Kind.DECIMAL:
        bad = checks.breaks_decimal(value, form)
        return value, [_failure(bad, item, "NUMBER", f"is not a number of the form {item.format}")]
    failures = [
        _failure(checks.breaks_length(value, form), item, "LENGTH", f"breaks the length of {item.format}")
    ]
    if form.kind is Kind.DIGITS:
        failures.append(_failure(checks.breaks_digits(value), item, "DIGITS", "is not all digits"))
    return value, failures


def _check_codes(item: Item, value: pa.Array) -> list[Failure]:
    failures = []
    if item.code_list is not None:
        codes = pa.array(list(CODE_LISTS[item.code_list]))
        bad = checks.breaks_code_list(value, codes)
        failures.append(_failure(bad, item, "UNKNOWN-CODE", f"is not in the code list {item.code_list}"))
    if item.check_rule is CheckRule.CITIZEN_NUMBER:
        bad = checks.breaks_citizen_number(value)
        failures.append(_failure(bad, item, "CITIZEN-NUMBER", "is not a valid citizen number (GB 11643)"))
    elif item.check_rule is CheckRule.CREDIT_CODE:
        bad = checks.breaks_credit_code(value)
        failures.append(_failure(bad, item, "CREDIT-CODE", "is not a valid credit code (GB 32100)"))
    elif item.check_rule is CheckRule.DIVISION_CODE:
        bad = checks.breaks_division(value)
        failures.append(_failure(bad, item, "UNKNOWN-DIVISION", "is not a known division (GB/T 2260)"))
    return failures


def cross_check(items: dict[str, Item], values: dict[str, pa.Array]) -> list[Failure]:
    """Check a citizen number against birth date (CSRQ) and sex (XB), where a row has them."""
    number_of = next((n for n, i in items.items() if i.check_rule is CheckRule.CITIZEN_NUMBER), None)
    if number_of is None:
        return []
    numbers = values[number_of]
    good = pc.and_(pc.is_valid(numbers), pc.invert(checks.breaks_citizen_number(numbers)))
    safe = pc.if_else(good, numbers, pa.scalar(None, pa.string()))
    failures = []
    if "CSRQ" in items:
        mask = checks.differs(checks.birth_day_of(safe), values["CSRQ"])
        failures.append(_failure(mask, items["CSRQ"], "BIRTH-DATE", "differs from the date in the number"))
    if "XB" in items:
        odd = pc.is_in(pc.utf8_slice_codeunits(safe, 16, 17), pa.array(list("13579")))
        sex = pc.if_else(pc.is_valid(safe), pc.if_else(odd, "1", "2"), pa.scalar(None, pa.string()))
        told = pc.is_in(values["XB"], pa.array(["1", "2"]))
        mask = pc.and_(checks.differs(sex, values["XB"]), told)
        failures.append(_failure(mask, items["XB"], "SEX", "differs from the sex in the number"))
    return failures


def _collect(batch: DecodedBatch, bad: pa.Array, failures: Sequence[Failure]) -> Iterator[Reject]:
    """Gather the reasons of each bad row, in the order of the checks."""
    places = pc.indices_nonzero(bad).to_pylist()
    reasons: dict[int, list[Reason]] = {place: [] for place in places}
    for failure in failures:
        for place in pc.indices_nonzero(failure.mask).to_pylist():
            reasons[place].append(failure.reason)
    for place in places:
        original = {header: column[place].as_py() for header, column in batch.columns.items()}
        yield Reject(row_number=batch.numbers[place], original=original, reasons=tuple(reasons[place]))
