"""Checking the details of a leaf against what the catalogue of events declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.log.events import CATALOGUE, Kind
from core.log.model import Event


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _is_counts(value: object) -> bool:
    if not isinstance(value, (dict, Mapping)):
        return False
    return all(map(_is_text, value)) and all(map(_is_integer, value.values()))


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, Mapping)
        and {"table", "key", "number"} <= set(row) <= {"table", "key", "number", "tags"}
        for row in value
    )


_IS_KIND: Mapping[Kind, Callable[[object], bool]] = {
    Kind.TEXT: _is_text,
    Kind.INTEGER: _is_integer,
    Kind.BOOLEAN: lambda value: isinstance(value, bool),
    Kind.TEXTS: _is_texts,
    Kind.COUNTS: _is_counts,
    Kind.ROWS: _is_rows,
}


def check_details(event: Event, details: Mapping[str, object]) -> dict[str, object]:
    """Return the details that are present, once each is declared and of its kind.

    Raises ValueError, which is a mistake in the code that writes the leaf: declare the field in CATALOGUE and
    in `docs/audit-events.md`.
    """
    spec = CATALOGUE[event]
    fields = spec.fields
    present = {}
    for name, value in details.items():
        if value is None:
            continue
        present[name] = value
        field = fields.get(name)
        if field is None:
            msg = f"the event {event} declares no field {name}; declare it in core/log/events.py"
            raise ValueError(msg)
        if not _IS_KIND[field.kind](value):
            msg = f"the field {name} of the event {event} is declared as {field.kind}"
            raise ValueError(msg)
    if not spec.required <= present.keys():
        missing = [name for name in spec.fields if name in spec.required and name not in present]
        msg = f"the event {event} lacks its fields {', '.join(missing)}"
        raise ValueError(msg)
    return present
