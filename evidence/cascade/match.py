"""Which row identities a change touches, and whether a rule is about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from core.log.writer import LogWriter
from evidence.cascade.model import Operation, RowChange, RowSource
from evidence.sources.requirements import judge_requirements
from exchange.access.values import name_identity, render_value


def hash_identities(
    log: LogWriter, resource_code: str, change: RowChange, names: Collection[frozenset[str]]
) -> set[bytes]:
    """Return the keyed hashes by which cases may rest on the row, before or after its change.

    `names` are the sets of items by which sources were asked.
    """
    subjects = {
        tuple((name, side[name]) for name in sorted(each))
        for side in change.sides
        for each in names
        if all(side.get(name) is not None for name in each)
    }
    return {log.hash_subject(name_identity(resource_code, dict(each))) for each in subjects}


def is_about(source: RowSource, change: RowChange, *, today: date) -> bool:
    """Say whether a rule is about a change: by the operation, and into a row that meets what it says."""
    if change.operation not in source.on:
        return False
    if change.operation is Operation.DELETE:
        return True
    assert change.after is not None
    met_before = change.before is not None and _meets(source, change.before, today)
    return not met_before and _meets(source, change.after, today)


def find_holder(holder: str, change: RowChange) -> str | None:
    """Return the number of the holder whom a row is about, by its item `holder`; None where it has none."""
    found = change.sides[-1].get(holder)
    return None if found is None else str(render_value(found))


def _meets(source: RowSource, row: Mapping[str, object], today: date) -> bool:
    shown = {name: None if value is None else str(render_value(value)) for name, value in row.items()}
    wanted = [each.values for each in source.when]
    return judge_requirements(source.when, wanted, shown, today=today) is None
