"""Applies a mapping to batches, column by column. No row is left out: what does not fit, the sink refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import TerminalError
from connectors.mapping.convert import convert, to_text
from connectors.mapping.formats import Format, fits, parse_format
from connectors.mapping.model import ColumnRule, UnknownCode, Unmapped
from connectors.mapping.model import Mapping as MappingDocument
from connectors.model import Batch, Operation
from connectors.options import build_options

MAX_UNKNOWN = 1000


@dataclass(slots=True)
class ColumnCount:
    """What was seen of one column: values, nulls, how many fit, and which codes nobody knows."""

    values: int = 0
    nulls: int = 0
    fitting: int = 0
    unknown_codes: Counter[str] = field(default_factory=Counter)

    @property
    def hit_rate(self) -> float | None:
        """The share of values that fit; None where there were none."""
        there = self.values - self.nulls
        return self.fitting / there if there else None


class Mapper:
    """Turns batches of the source's columns into batches of the mapping's, and counts."""

    def __init__(self, document: MappingDocument) -> None:
        self.document = document
        self.counts: dict[str, ColumnCount] = {rule.to: ColumnCount() for rule in document.column}
        self._formats: dict[str, Format | None] = {
            rule.to: None if rule.format is None else parse_format(rule.format) for rule in document.column
        }

    def apply(self, batch: Batch) -> Batch:
        """Map a batch. One of deletes may lack columns; the mapping then yields those that are there."""
        rows = batch.rows
        rules = [rule for rule in self.document.column if self._is_there(rule, rows, batch.operation)]
        arrays = [self._build(rule, rows) for rule in rules]
        names = [rule.to for rule in rules]
        for name in self._kept(rows.schema.names):
            arrays.append(rows.column(name))
            names.append(name)
        return replace(batch, rows=pa.RecordBatch.from_arrays(arrays, names=names))

    def take_counts(self) -> dict[str, ColumnCount]:
        """Return what was counted since this was asked last."""
        counts, self.counts = self.counts, {name: ColumnCount() for name in self.counts}
        return counts

    def map_schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns that come of these."""
        empty = pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
        counts = self.counts
        self.counts = {name: ColumnCount() for name in counts}
        try:
            return self.apply(Batch(rows=empty)).rows.schema
        finally:
            self.counts = counts

    def rename(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names after mapping. Raises TerminalError where one is not kept."""
        renamed = {rule.from_: rule.to for rule in self.document.column if rule.from_ is not None}
        keeps = self.document.unmapped is Unmapped.KEEP
        if missing := [name for name in names if name not in renamed and not keeps]:
            msg = f"the mapping leaves out {', '.join(missing)}, which names the rows; map it or set run.key"
            raise TerminalError(msg)
        return tuple(renamed.get(name, name) for name in names)

    def _is_there(self, rule: ColumnRule, rows: pa.RecordBatch, operation: Operation) -> bool:
        if rule.from_ is None:
            return operation is not Operation.DELETE
        if rule.from_ in rows.schema.names:
            return True
        if operation is Operation.DELETE:
            return False
        msg = f"the mapping wants column {rule.from_}; the source has {', '.join(rows.schema.names)}"
        raise TerminalError(msg)

    def _kept(self, names: list[str]) -> list[str]:
        used = {rule.from_ for rule in self.document.column} | {rule.to for rule in self.document.column}
        others = [name for name in names if name not in used]
        if others and self.document.unmapped is Unmapped.STOP:
            msg = f"the mapping names nothing for {', '.join(others)}; add rules, or set unmapped"
            raise TerminalError(msg)
        return others if self.document.unmapped is Unmapped.KEEP else []

    def _build(self, rule: ColumnRule, rows: pa.RecordBatch) -> pa.Array:
        form, count = self._formats[rule.to], self.counts[rule.to]
        if rule.from_ is None:
            text = pa.array([rule.constant] * rows.num_rows, pa.string())
        else:
            text = to_text(rows.column(rule.from_), form, name=rule.from_)
        if rule.trim:
            text = _trim(text)
        if rule.codes is not None:
            text = self._translate(rule, text, count)
        if rule.default is not None:
            text = pc.fill_null(text, rule.default)
        if form is not None:
            text = convert(text, form)
        return self._count(rule, text, form, count)

    def _count(self, rule: ColumnRule, text: pa.Array, form: Format | None, count: ColumnCount) -> pa.Array:
        count.values += len(text)
        count.nulls += text.null_count
        unfit = 0 if form is None else len(text) - int(pc.sum(fits(text, form)).as_py() or 0)
        count.fitting += len(text) - text.null_count - unfit
        if self.document.format == "text" or form is None:
            return text
        if unfit:
            msg = f"{unfit} values of {rule.to} do not fit {form.text}; see `connector preview`"
            raise TerminalError(msg)
        return _to_type(text, form)

    def _translate(self, rule: ColumnRule, text: pa.Array, count: ColumnCount) -> pa.Array:
        codes = self.document.codes[str(rule.codes)]
        place = pc.index_in(text, pa.array(list(codes), pa.string()))
        found = pa.array(list(codes.values()), pa.string()).take(place)
        unknown = pc.and_(pc.is_valid(text), pc.invert(pc.is_in(text, pa.array(list(codes), pa.string()))))
        strangers = text.filter(unknown)
        if len(strangers) == 0:
            return found
        for pair in pc.value_counts(strangers).to_pylist():
            if pair["values"] in count.unknown_codes or len(count.unknown_codes) < MAX_UNKNOWN:
                count.unknown_codes[pair["values"]] += pair["counts"]
        if rule.unknown is UnknownCode.STOP:
            msg = f"{len(strangers)} values of {rule.to} are not in the code list {rule.codes}"
            raise TerminalError(msg)
        return found if rule.unknown is UnknownCode.NULL else pc.coalesce(found, text)


def _trim(text: pa.Array) -> pa.Array:
    """Take white space off both ends; what then is empty is null."""
    trimmed = pc.utf8_trim_whitespace(text)
    is_empty = pc.equal(trimmed, "")
    if not pc.any(is_empty).as_py():
        return trimmed
    return pc.if_else(is_empty, pa.scalar(None, pa.string()), trimmed)


def _to_type(text: pa.Array, form: Format) -> pa.Array:
    if pa.types.is_timestamp(form.arrow_type):
        seconds = pc.strptime(text, format="%Y%m%d%H%M%S", unit="s")
        return pc.assume_timezone(seconds, "Asia/Shanghai")
    if pa.types.is_date(form.arrow_type):
        return pc.strptime(text, format="%Y%m%d", unit="s").cast(pa.date32())
    return text.cast(form.arrow_type)


def load_mapper(given: Mapping[str, Any] | None) -> Mapper | None:
    """Make a mapper of a configuration's mapping; None where there is none. Raises ConfigurationError."""
    return None if given is None else Mapper(build_options(MappingDocument, given, where="mapping"))
