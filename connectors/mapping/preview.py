"""What a mapping does to real rows, before any of them is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.mapping.apply import ColumnCount, Mapper
from connectors.mapping.formats import fits, parse_format
from connectors.protocols import Source

SHOWN_ROWS = 5
SHOWN_UNFIT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Rows before and after, and of each column how much fits and which values do not."""

    rows: int
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    columns: dict[str, ColumnCount]
    unfit: dict[str, list[str]]


@dataclass(slots=True)
class _Samples:
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    unfit: dict[str, list[str]] = field(default_factory=dict)


def preview(source: Source, mapper: Mapper, *, rows: int) -> Preview:
    """Map the first rows of a source. Nothing is kept, and the cursor stays. Raises ConnectorError."""
    seen, samples = 0, _Samples()
    for batch in source.read(None):
        part = batch.rows.slice(0, rows - seen)
        mapped = mapper.apply(type(batch)(rows=part, operation=batch.operation)).rows
        seen += part.num_rows
        if len(samples.before) < SHOWN_ROWS:
            samples.before += part.slice(0, SHOWN_ROWS).to_pylist()
            samples.after += mapped.slice(0, SHOWN_ROWS).to_pylist()
        _note_unfit(mapper, mapped, samples)
        if seen >= rows:
            break
    return Preview(
        rows=seen,
        before=samples.before[:SHOWN_ROWS],
        after=samples.after[:SHOWN_ROWS],
        columns=mapper.counts,
        unfit=samples.unfit,
    )


def _note_unfit(mapper: Mapper, mapped: Any, samples: _Samples) -> None:
    for rule in mapper.document.column:
        if rule.format is None or rule.to not in mapped.schema.names:
            continue
        values = mapped.column(rule.to).cast("string")
        fitting = fits(values, parse_format(rule.format)).to_pylist()
        found = samples.unfit.setdefault(rule.to, [])
        for value, fine in zip(values.to_pylist(), fitting, strict=True):
            if not fine and value not in found and len(found) < SHOWN_UNFIT:
                found.append(value)
