"""What a grant may see of a resource, and showing tables of the lake so: rows, then items, then masks.

A view is named by a digest of everything that decides what it shows. A file made for it is therefore good for
ever, and a grant that is narrowed gets another view.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from core.caller import OrganisationCode
from exchange.access.masks import Masker
from exchange.access.model import Condition, FilterOperator, Grant, MasksJson, RowFilter
from exchange.access.row_filter import parse_row_filter
from exchange.access.values import render_value
from exchange.catalogue.model import Resource
from signing import sm3
from subscriptions.lake.columns import arrow_type

FORM: Final = 1
Mask = Callable[[object], str | None]
OwnValues = Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown: columns in order, the row filter, masks by item. `digest` is its name.

    `own` holds, by condition label, the values that `in_own` conditions compare with.
    """

    digest: bytes
    schema: pa.Schema
    keys: tuple[str, ...]
    row_filter: RowFilter
    masks: Mapping[str, Mask]
    own: OwnValues

    @property
    def needed(self) -> list[str]:
        """The columns of the lake that it takes to make the view."""
        filtered = [condition.item for condition in self.row_filter]
        return list(dict.fromkeys([*self.schema.names, *filtered, *self.keys]))

    def select_rows(self, table: pa.Table) -> pa.Table:
        """Keep the rows that pass the row filter. A row whose item is absent is outside it."""
        return table.filter(self.test_rows(table)) if self.row_filter else table

    def test_rows(self, table: pa.Table) -> pa.ChunkedArray:
        """Tell of each row whether it passes the row filter."""
        passes = pa.chunked_array([pa.repeat(pa.scalar(True), table.num_rows)])
        for condition in self.row_filter:
            column = table.column(condition.item)
            test = _test(condition, column, self.own.get(condition.label, ()))
            passes = pc.and_(passes, pc.fill_null(test, False))
        return passes

    def show(self, table: pa.Table) -> pa.Table:
        """Cut rows down to the items of the view, masked; columns that the lake did not have yet are null."""
        columns = []
        for field in self.schema:
            column = _column(table, field.name)
            mask = self.masks.get(field.name)
            columns.append(column.cast(field.type) if mask is None else _hide(column, mask))
        return pa.Table.from_arrays(columns, schema=self.schema)


def terms_digest(
    resource: Resource, grant: Grant, rules: MasksJson, *, service_item: str, organisation: OrganisationCode
) -> bytes:
    """Digest everything that decides what a grant shows, but for the values that `in_own` looks up."""
    items = grant.open_items(resource)
    described = {
        "form": FORM,
        "resource": resource.code,
        "items": [[name, _format(resource, name)] for name in items],
        "keys": [item.name for item in resource.key_items],
        "row_filter": _plain(grant.terms.row_filter),
        "masks": [_plain(grant.terms.masks), _plain(rules)],
        "service_item": service_item,
        "organisation": organisation,
    }
    return sm3.digest(json.dumps(described, sort_keys=True, ensure_ascii=False).encode())


def build_view(
    resource: Resource,
    grant: Grant,
    rules: MasksJson,
    *,
    masker: Masker,
    service_item: str,
    organisation: OrganisationCode,
    own: OwnValues,
) -> View:
    """Build the view of a grant for one service item."""
    masks = masker.choose(grant.terms, rules, service_item=service_item, organisation_code=organisation)
    names = grant.open_items(resource)
    fields = []
    for name in names:
        item = resource.item(name)
        assert item is not None
        fields.append(pa.field(name, pa.string() if name in masks else arrow_type(item)))
    terms = terms_digest(resource, grant, rules, service_item=service_item, organisation=organisation)
    values = [sm3.digest("\x1f".join(map(str, own[label])).encode()) for label in sorted(own)]
    return View(
        digest=sm3.digest_parts([terms, *values]),
        schema=pa.schema(fields),
        keys=tuple(item.name for item in resource.key_items),
        row_filter=parse_row_filter(resource, grant.terms.row_filter),
        masks={name: mask for name, mask in masks.items() if name in names},
        own=own,
    )


def _format(resource: Resource, name: str) -> str:
    item = resource.item(name)
    assert item is not None
    return item.format


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str) or value is None else render_value(value)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name in table.column_names:
        return table.column(name)
    return pa.chunked_array([pa.nulls(table.num_rows, pa.string())])


def _test(condition: Condition, column: pa.ChunkedArray, own: Sequence[object]) -> Any:
    """Judge a column; the same as `exchange.access.store.compile_row_filter` does in SQL."""
    if condition.operator in {FilterOperator.PREFIX, FilterOperator.DIVISION}:
        return pc.starts_with(column, pattern=str(condition.values[0]))
    values = own if condition.operator is FilterOperator.IN_OWN else condition.values
    return pc.and_kleene(pc.is_valid(column), pc.is_in(column, value_set=_values(values, column.type)))


def _values(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Make the values an array of the column's type; a value that cannot be one equals no cell."""
    fitting = []
    for value in values:
        try:
            fitting.append(pa.scalar(value).cast(kind).as_py())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return pa.array(fitting, kind)


def _hide(column: pa.ChunkedArray, mask: Mask) -> pa.ChunkedArray:
    """Mask a column, each distinct value once."""
    chunks = []
    for chunk in column.chunks:
        encoded = chunk.dictionary_encode()
        hidden = pa.array([mask(value) for value in encoded.dictionary.to_pylist()], pa.string())
        chunks.append(hidden.take(encoded.indices))
    return pa.chunked_array(chunks, pa.string())
